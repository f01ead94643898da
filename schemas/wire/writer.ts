/**
 * Compiles how a value becomes bytes of a schema. A value that the schema cannot carry exactly is refused with its path;
 * nothing is dropped, rounded or repaired.
 */

import { BadRecord } from '../../topology/errors.ts'
import { erased } from '../fields.ts'
import { jsonProblem } from '../json-value.ts'
import type { FieldTag } from '../personal.ts'
import { fieldTag } from '../personal.ts'
import type { ByteWriter } from './byte-writer.ts'
import type { PrimitiveShape, RecordShape, Shape } from './shape.ts'

export type Write = (bytes: ByteWriter, value: unknown) => void

/** For the part of Avro that field combinators make: unions are `null` and one other type. */
export function compileWriter(shape: Shape): Write {
  return compile(shape, [])
}

function compile(shape: Shape, path: readonly string[]): Write {
  switch (shape.kind) {
    case 'record':
      return recordWriter(shape, path)
    case 'array':
      return arrayWriter(shape.items, path)
    case 'map':
      return mapWriter(shape.values, path)
    case 'union':
      return optionalWriter(shape.branches, path)
    case 'enum':
    case 'fixed':
    case 'float':
    case 'null':
      throw new TypeError(`${path.join('.')}: nothing of ours is written as ${shape.kind}`)
    default:
      return primitiveWriter(shape, path)
  }
}

function primitiveWriter(shape: PrimitiveShape, path: readonly string[]): Write {
  if (shape.logicalType === 'json') return (bytes, value) => bytes.string(jsonText(value, path))
  if (shape.logicalType === 'personal-text') {
    const tag = fieldTag(path)
    return (bytes, value) => writePersonal(bytes, tag, value === erased ? erased : text(value, path))
  }
  if (shape.logicalType === 'personal-json') {
    const tag = fieldTag(path)
    return (bytes, value) => writePersonal(bytes, tag, value === erased ? erased : jsonText(value, path))
  }
  switch (shape.kind) {
    case 'boolean':
      return (bytes, value) => {
        if (typeof value !== 'boolean') throw wrong(path, 'a boolean', value)
        bytes.byte(value ? 1 : 0)
      }
    case 'int':
      return (bytes, value) => {
        if (typeof value !== 'number' || (value | 0) !== value) throw wrong(path, 'a 32-bit integer', value)
        bytes.long(value)
      }
    case 'long':
      return (bytes, value) => {
        if (!Number.isSafeInteger(value)) throw wrong(path, 'an integer within ±(2^53−1)', value)
        bytes.long(value as number)
      }
    case 'double':
      return (bytes, value) => {
        if (!Number.isFinite(value)) throw wrong(path, 'a finite number', value)
        bytes.double(value as number)
      }
    case 'string':
      return stringWriter(shape.oneOf, path)
    default:
      throw new TypeError(`${path.join('.')}: nothing of ours is written as plain ${shape.kind}`)
  }
}

function stringWriter(oneOf: readonly string[] | undefined, path: readonly string[]): Write {
  if (oneOf === undefined) return (bytes, value) => bytes.string(text(value, path))
  const allowed: ReadonlySet<unknown> = new Set(oneOf)
  return (bytes, value) => {
    if (!allowed.has(value)) throw wrong(path, `one of ${oneOf.join(', ')}`, value)
    bytes.string(value as string)
  }
}

function writePersonal(bytes: ByteWriter, tag: FieldTag, value: string | typeof erased): void {
  // A view of nothing stands for an erased value.
  bytes.bytes(value === erased ? nothing : bytes.cipher!.seal(tag, value))
}
const nothing = new Uint8Array(0)

function recordWriter(shape: RecordShape, path: readonly string[]): Write {
  const at = path.length === 0 ? [shape.name] : path
  const steps = shape.fields.map((field) => ({ name: field.name, write: compile(field.shape, [...at, field.name]) }))
  const known: ReadonlySet<string> = new Set(steps.map((step) => step.name))
  return (bytes, value) => {
    if (value === null || typeof value !== 'object') throw wrong(at, 'an object', value)
    const fields = value as Readonly<Record<string, unknown>>
    let present = 0
    for (const step of steps) {
      const field = fields[step.name]
      if (field !== undefined) present++
      step.write(bytes, field)
    }
    if (Object.keys(fields).length > present) refuseUnknown(fields, known, at)
  }
}

/** A field that would be lost is a mistake of the program; one that is undefined is not there. */
function refuseUnknown(
  value: Readonly<Record<string, unknown>>,
  known: ReadonlySet<string>,
  path: readonly string[],
): void {
  for (const name of Object.keys(value))
    if (value[name] !== undefined && !known.has(name))
      throw new BadRecord('bad_value', `${path.join('.')}: has no field ${name}`)
}

function optionalWriter(branches: readonly Shape[], path: readonly string[]): Write {
  const [nullBranch, branch] = branches
  if (branches.length !== 2 || nullBranch!.kind !== 'null')
    throw new TypeError(`${path.join('.')}: a union of ours is null and one other type`)
  const write = compile(branch!, path)
  return (bytes, value) => {
    if (value === null || value === undefined) return bytes.byte(0)
    bytes.byte(2)
    write(bytes, value)
  }
}

function arrayWriter(items: Shape, path: readonly string[]): Write {
  const write = compile(items, [...path, '[]'])
  return (bytes, value) => {
    if (!Array.isArray(value)) throw wrong(path, 'an array', value)
    if (value.length > 0) bytes.long(value.length)
    for (const item of value as readonly unknown[]) write(bytes, item)
    bytes.byte(0)
  }
}

function mapWriter(values: Shape, path: readonly string[]): Write {
  const write = compile(values, [...path, '{}'])
  return (bytes, value) => {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) throw wrong(path, 'a map', value)
    const keys = Object.keys(value)
    if (keys.length > 0) bytes.long(keys.length)
    for (const key of keys) {
      if (key === '__proto__') throw new BadRecord('bad_key', `${path.join('.')}: a map key named __proto__`)
      bytes.string(text(key, path))
      write(bytes, (value as Readonly<Record<string, unknown>>)[key])
    }
    bytes.byte(0)
  }
}

function text(value: unknown, path: readonly string[]): string {
  if (typeof value !== 'string') throw wrong(path, 'a string', value)
  if (!value.isWellFormed()) throw new BadRecord('bad_utf8', `${path.join('.')}: half of a surrogate pair`)
  return value
}

function jsonText(value: unknown = null, path: readonly string[]): string {
  const problem = jsonProblem(value)
  if (problem === null) return JSON.stringify(value)
  const reason = problem.code === 'wrong_type' ? 'bad_value' : problem.code
  throw new BadRecord(reason, `${path.join('.')}: ${problem.message}`)
}

function wrong(path: readonly string[], expected: string, value: unknown): BadRecord {
  const got = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
  return new BadRecord('bad_value', `${path.join('.')}: expected ${expected}, got ${got}`)
}
