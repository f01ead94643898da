/** Defaults of fields: what a reader sees where an older record has nothing. */

import type { Json } from '../fields.ts'
import type { Shape } from './shape.ts'

/** What is wrong with a default, in words that follow "its default"; null when it fits. A union takes its first branch. */
export function checkDefault(shape: Shape, value: Json): string | null {
  return fits(shape.kind === 'union' ? shape.branches[0]! : shape, value) ? null : `is not of its type`
}

function fits(shape: Shape, value: Json): boolean {
  switch (shape.kind) {
    case 'null':
      return value === null
    case 'boolean':
      return typeof value === 'boolean'
    case 'int':
      return typeof value === 'number' && (value | 0) === value
    case 'long':
      return Number.isSafeInteger(value)
    case 'float':
    case 'double':
      return typeof value === 'number'
    case 'string':
      return typeof value === 'string'
    case 'enum':
      return typeof value === 'string' && shape.symbols.includes(value)
    case 'bytes':
    case 'fixed':
      // Bytes that mean something encrypted cannot be written down in a schema; only "nothing" can.
      return value === '' && shape.kind === 'bytes'
    case 'array':
      return Array.isArray(value) && value.every((item: Json) => fits(shape.items, item))
    case 'map':
      return isObject(value) && Object.values(value).every((item) => fits(shape.values, item))
    case 'union':
      return fits(shape.branches[0]!, value)
    case 'record':
      return (
        isObject(value) &&
        shape.fields.every((field) =>
          Object.hasOwn(value, field.name) ? fits(field.shape, value[field.name]!) : field.default !== undefined,
        )
      )
  }
}

/** The value in code of a default; frozen, because every record without the field shares it. */
export function defaultValue(shape: Shape, value: Json): unknown {
  switch (shape.kind) {
    case 'union':
      return defaultValue(shape.branches[0]!, value)
    case 'string':
      return shape.logicalType === 'json' ? deepFreeze(JSON.parse(value as string) as unknown) : value
    case 'array':
      return Object.freeze((value as readonly Json[]).map((item) => defaultValue(shape.items, item)))
    case 'map': {
      const map = Object.create(null) as Record<string, unknown>
      for (const [key, item] of Object.entries(value as object) as [string, Json][])
        map[key] = defaultValue(shape.values, item)
      return Object.freeze(map)
    }
    case 'record': {
      const given = value as Readonly<Record<string, Json>>
      const entries = shape.fields.map((field) => [
        field.name,
        defaultValue(field.shape, Object.hasOwn(given, field.name) ? given[field.name]! : field.default!),
      ])
      return Object.freeze(Object.fromEntries(entries) as object)
    }
    case 'bytes':
      return Buffer.alloc(0)
    default:
      return value
  }
}

function isObject(value: Json): value is { readonly [key: string]: Json } {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

function deepFreeze(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value
  for (const item of Object.values(value)) deepFreeze(item)
  return Object.freeze(value)
}
