/** What the schema tests share: a registry in memory, keys of two tenants, and a judge of values that trusts no codec. */

import { createHash } from 'node:crypto'
import type { KeyRing, SchemaRegistry } from '../../schemas/index.ts'
import { canonicalText, erased } from '../../schemas/index.ts'
import type { Shape } from '../../schemas/wire/shape.ts'

/** Ids as a registry gives them: the same schema, the same id. `schemas` may be written to. */
export function memoryRegistry(): SchemaRegistry & { readonly schemas: Map<number, string>; readonly asked: number[] } {
  const schemas = new Map<number, string>()
  const ids = new Map<string, number>()
  const asked: number[] = []
  return {
    schemas,
    asked,
    register(_subject, schema) {
      const text = canonicalText(schema)
      const id = ids.get(text) ?? ids.size + 1
      ids.set(text, id)
      schemas.set(id, JSON.stringify(schema))
      return Promise.resolve(id)
    },
    schemaById(id) {
      asked.push(id)
      const schema = schemas.get(id)
      return Promise.resolve(schema === undefined ? null : { schema })
    },
  }
}

/** Keys that exist for the named tenants; nothing is there before it is loaded. */
export function keyRingOf(...tenants: readonly string[]): KeyRing & { erase(tenantId: string): void } {
  const stored = new Map<string, Buffer | 'erased'>(
    tenants.map((tenant) => [tenant, createHash('sha256').update(`data key of ${tenant}`).digest()]),
  )
  const loaded = new Map<string, Buffer | 'erased'>()
  return {
    load(wanted) {
      for (const tenant of wanted) {
        const key = stored.get(tenant)
        if (key !== undefined) loaded.set(tenant, key)
      }
      return Promise.resolve()
    },
    get: (tenant) => loaded.get(tenant),
    erase(tenant) {
      stored.set(tenant, 'erased')
      loaded.set(tenant, 'erased')
    },
  }
}

/** Whether a value is one that the schema describes, read from the schema alone. */
export function conforms(shape: Shape, value: unknown): boolean {
  switch (shape.kind) {
    case 'null':
      return value === null
    case 'boolean':
      return typeof value === 'boolean'
    case 'int':
      return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 2 ** 31
    case 'long':
      return Number.isSafeInteger(value)
    case 'float':
    case 'double':
      return Number.isFinite(value)
    case 'string':
      if (shape.logicalType === 'json') return isJson(value)
      return typeof value === 'string' && value.isWellFormed()
    case 'bytes':
      if (shape.logicalType === 'personal-text') return typeof value === 'string' || value === erased
      if (shape.logicalType === 'personal-json') return value === erased || isJson(value)
      return Buffer.isBuffer(value)
    case 'fixed':
      return Buffer.isBuffer(value) && value.length === shape.size
    case 'enum':
      return shape.symbols.includes(value as string)
    case 'array':
      return Array.isArray(value) && value.every((item) => conforms(shape.items, item))
    case 'map':
      return (
        Object.getPrototypeOf(value) === null &&
        Object.values(value as object).every((item) => conforms(shape.values, item))
      )
    case 'union':
      return shape.branches.some((branch) => conforms(branch, value))
    case 'record': {
      const names = shape.fields.map((field) => field.name)
      const own = Object.keys(value as object)
      return (
        own.length === names.length &&
        names.every((name) => own.includes(name)) &&
        shape.fields.every((field) => conforms(field.shape, (value as Record<string, unknown>)[field.name]))
      )
    }
  }
}

function isJson(value: unknown): boolean {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return true
  if (typeof value === 'number') return Number.isFinite(value)
  if (Array.isArray(value)) return value.every(isJson)
  return typeof value === 'object' && Object.entries(value).every(([key, item]) => key !== '__proto__' && isJson(item))
}
