/**
 * A parsed Avro schema. The part of Avro taken: all primitives, fixed, enum, arrays, maps, unions and records; no
 * recursion, no aliases, nothing that decodes to more than a few times its bytes. So the depth of a value is bounded by its
 * schema, and what is compiled from a schema is bounded too.
 */

import type { AvroSchema, Json } from '../fields.ts'
import { SchemaError } from '../errors.ts'
import { checkDefault } from './default-value.ts'

export const primitives = ['null', 'boolean', 'int', 'long', 'float', 'double', 'string', 'bytes'] as const
export type Primitive = (typeof primitives)[number]

export interface PrimitiveShape {
  readonly kind: Primitive
  /** Ours: `json`, `personal-text`, `personal-json`; and Avro's. */
  readonly logicalType?: string
  /** The closed set of a string, checked when writing. */
  readonly oneOf?: readonly string[]
}
export interface FieldShape {
  readonly name: string
  readonly shape: Shape
  readonly default?: Json
}
export interface RecordShape {
  readonly kind: 'record'
  /** With its namespace. */
  readonly name: string
  readonly fields: readonly FieldShape[]
}
export type Shape =
  | PrimitiveShape
  | { readonly kind: 'fixed'; readonly name: string; readonly size: number }
  | { readonly kind: 'enum'; readonly name: string; readonly symbols: readonly string[] }
  | { readonly kind: 'array'; readonly items: Shape }
  | { readonly kind: 'map'; readonly values: Shape }
  | { readonly kind: 'union'; readonly branches: readonly Shape[] }
  | RecordShape

const limits = { textBytes: 1_048_576, jsonDepth: 128, depth: 32, nodes: 10_000, fixedBytes: 65_536 }

/**
 * Judges a schema whole.
 * @param schema as JSON, of our own making; text of others goes through `parseSchemaText`, which bounds its size
 * @throws SchemaError BAD_SCHEMA with the place and the reason
 */
export function parseSchema(schema: AvroSchema): Shape {
  const shape = new Parser().shape(schema, '', '', 0)
  if (expandedNodes(shape, new Map()) > limits.nodes) throw bad('', `more than ${limits.nodes} types when spelt out`)
  return shape
}

/** The same from text, as a registry keeps it. */
export function parseSchemaText(text: string): Shape {
  if (Buffer.byteLength(text) > limits.textBytes) throw bad('', 'the schema is larger than 1 MiB')
  let schema: AvroSchema
  try {
    schema = JSON.parse(text) as AvroSchema
  } catch (cause) {
    // A bare type name is a schema too: `string`.
    if (!isPrimitive(text)) throw new SchemaError('BAD_SCHEMA', 'the schema is not JSON', 'stop', cause)
    schema = text
  }
  if (deeperThan(schema, limits.jsonDepth)) throw bad('', `deeper than ${limits.jsonDepth} levels of JSON`)
  return parseSchema(schema)
}

/** Also what we ignore in a schema (`doc`, foreign attributes) must be walked by whoever prints it. */
function deeperThan(value: Json, levels: number): boolean {
  if (value === null || typeof value !== 'object') return false
  return levels === 0 || Object.values(value).some((item: Json) => deeperThan(item, levels - 1))
}

type SchemaObject = Readonly<Record<string, Json>>

class Parser {
  readonly #named = new Map<string, Shape>()
  readonly #open = new Set<string>()

  shape(schema: Json, namespace: string, path: string, depth: number): Shape {
    if (depth > limits.depth) throw bad(path, `deeper than ${limits.depth} levels`)
    if (typeof schema === 'string') return this.#reference(schema, namespace, path)
    if (Array.isArray(schema)) return this.#union(schema as readonly Json[], namespace, path, depth)
    if (schema === null || typeof schema !== 'object') throw bad(path, 'expected a type')
    return this.#object(schema as SchemaObject, namespace, path, depth)
  }

  #reference(name: string, namespace: string, path: string): Shape {
    if (isPrimitive(name)) return { kind: name }
    const full = fullName(name, namespace, path)
    if (this.#open.has(full)) throw bad(path, `${full} holds itself: recursive types are not taken`)
    const known = this.#named.get(full)
    if (known === undefined) throw bad(path, `unknown type ${full}`)
    return known
  }

  #union(branches: readonly Json[], namespace: string, path: string, depth: number): Shape {
    if (branches.length === 0) throw bad(path, 'a union of nothing')
    const shapes = branches.map((branch) => this.shape(branch, namespace, path, depth + 1))
    const names = shapes.map(branchName)
    if (names.includes('union')) throw bad(path, 'a union directly inside a union')
    if (new Set(names).size < names.length) throw bad(path, 'a union with two branches of one type')
    return { kind: 'union', branches: shapes }
  }

  #object(schema: SchemaObject, namespace: string, path: string, depth: number): Shape {
    if (schema.aliases !== undefined) throw bad(path, 'aliases are not taken: a type is never renamed')
    const type = schema.type
    switch (type) {
      case 'array': {
        const items = this.shape(schema.items ?? null, namespace, `${path}[]`, depth + 1)
        if (minBytes(items) === 0) throw bad(path, 'an array whose items take no byte')
        return { kind: 'array', items }
      }
      case 'map':
        return { kind: 'map', values: this.shape(schema.values ?? null, namespace, `${path}{}`, depth + 1) }
      case 'fixed':
      case 'enum':
      case 'record':
        return this.#declaration(type, schema, namespace, path, depth)
      default:
        if (typeof type === 'string' && isPrimitive(type)) return annotated(type, schema, path)
        return this.shape(type ?? null, namespace, path, depth + 1)
    }
  }

  #declaration(
    type: 'fixed' | 'enum' | 'record',
    schema: SchemaObject,
    outer: string,
    path: string,
    depth: number,
  ): Shape {
    const declared = typeof schema.namespace === 'string' ? schema.namespace : outer
    const name = fullName(schema.name, declared, path)
    if (this.#named.has(name) || this.#open.has(name)) throw bad(path, `${name} is declared twice`)
    this.#open.add(name)
    const namespace = name.includes('.') ? name.slice(0, name.lastIndexOf('.')) : ''
    const shape = this.#body(type, name, schema, namespace, path, depth)
    this.#open.delete(name)
    this.#named.set(name, shape)
    return shape
  }

  #body(
    type: 'fixed' | 'enum' | 'record',
    name: string,
    schema: SchemaObject,
    namespace: string,
    path: string,
    depth: number,
  ): Shape {
    if (type === 'fixed') {
      const size = schema.size
      if (typeof size !== 'number' || !Number.isInteger(size) || size < 1 || size > limits.fixedBytes)
        throw bad(path, 'a fixed needs a size from 1 to 65,536 bytes')
      return { kind: 'fixed', name, size }
    }
    if (type === 'enum') {
      const symbols = schema.symbols
      if (!isTextList(symbols) || symbols.length === 0) throw bad(path, 'an enum needs symbols')
      for (const symbol of symbols) checkName(symbol, path)
      if (new Set(symbols).size < symbols.length) throw bad(path, 'an enum with one symbol twice')
      return { kind: 'enum', name, symbols }
    }
    return { kind: 'record', name, fields: this.#fields(schema.fields, namespace, path, depth) }
  }

  #fields(fields: Json | undefined, namespace: string, path: string, depth: number): FieldShape[] {
    if (!Array.isArray(fields)) throw bad(path, 'a record needs fields')
    const names = new Set<string>()
    return (fields as readonly Json[]).map((field) => {
      if (field === null || typeof field !== 'object' || Array.isArray(field)) throw bad(path, 'expected a field')
      const { name, type = null, aliases, default: fallback } = field as SchemaObject
      if (typeof name !== 'string') throw bad(path, 'a field needs a name')
      const at = path === '' ? name : `${path}.${name}`
      checkName(name, at)
      if (aliases !== undefined) throw bad(at, 'aliases are not taken: a field is never renamed')
      if (names.has(name)) throw bad(at, 'declared twice')
      names.add(name)
      const shape = this.shape(type, namespace, at, depth + 1)
      if (fallback === undefined) return { name, shape }
      const problem = checkDefault(shape, fallback)
      if (problem !== null) throw bad(at, `its default ${problem}`)
      return { name, shape, default: fallback }
    })
  }
}

function annotated(kind: Primitive, schema: SchemaObject, path: string): PrimitiveShape {
  const { logicalType, oneOf } = schema
  if (logicalType !== undefined && typeof logicalType !== 'string') throw bad(path, 'logicalType is not text')
  if (oneOf !== undefined && !isTextList(oneOf)) throw bad(path, 'oneOf is not a list of texts')
  return { kind, ...(logicalType === undefined ? {} : { logicalType }), ...(oneOf === undefined ? {} : { oneOf }) }
}

function fullName(name: Json | undefined, namespace: string, path: string): string {
  if (typeof name !== 'string') throw bad(path, 'a named type needs a name')
  const full = name.includes('.') || namespace === '' ? name : `${namespace}.${name}`
  for (const part of full.split('.')) checkName(part, path)
  return full
}

function checkName(name: string, path: string): void {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,254}$/.test(name) || name === '__proto__')
    throw bad(path, `${JSON.stringify(name.slice(0, 64))} is not a name we take`)
}

function isPrimitive(name: string): name is Primitive {
  return (primitives as readonly string[]).includes(name)
}

function isTextList(value: Json | undefined): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function bad(path: string, reason: string): SchemaError {
  return new SchemaError('BAD_SCHEMA', path === '' ? reason : `${path}: ${reason}`)
}

/** What tells the branches of a union apart. */
export function branchName(shape: Shape): string {
  return 'name' in shape ? shape.name : shape.kind
}

const minBytesOf = new WeakMap<Shape, number>()

/** The least bytes a value takes: what bounds a count before anything is allocated. */
export function minBytes(shape: Shape): number {
  const known = minBytesOf.get(shape)
  if (known !== undefined) return known
  const bytes = countMinBytes(shape)
  minBytesOf.set(shape, bytes)
  return bytes
}

function countMinBytes(shape: Shape): number {
  switch (shape.kind) {
    case 'null':
      return 0
    case 'float':
      return 4
    case 'double':
      return 8
    case 'fixed':
      return shape.size
    case 'record':
      return shape.fields.reduce((sum, field) => sum + minBytes(field.shape), 0)
    default:
      return 1
  }
}

function expandedNodes(shape: Shape, known: Map<Shape, number>): number {
  const before = known.get(shape)
  if (before !== undefined) return before
  const count = 1 + children(shape).reduce((sum, child) => sum + expandedNodes(child, known), 0)
  known.set(shape, count)
  return count
}

function children(shape: Shape): readonly Shape[] {
  switch (shape.kind) {
    case 'array':
      return [shape.items]
    case 'map':
      return [shape.values]
    case 'union':
      return shape.branches
    case 'record':
      return shape.fields.map((field) => field.shape)
    default:
      return []
  }
}
