/**
 * Compiles how bytes of one schema (the writer's) become a value of another (the reader's), once per pair; a value is then
 * read in one pass of plain calls. Every check of the bytes happens on the way: there is no second look at them.
 */

import { BadRecord } from '../../topology/errors.ts'
import { SchemaError } from '../errors.ts'
import { jsonProblem } from '../json-value.ts'
import { fieldTag } from '../personal.ts'
import type { ByteReader } from './byte-reader.ts'
import { defaultValue } from './default-value.ts'
import type { Primitive, PrimitiveShape, RecordShape, Shape } from './shape.ts'
import { branchName, minBytes } from './shape.ts'

export type Read = (bytes: ByteReader) => unknown

/**
 * @throws SchemaError INCOMPATIBLE_SCHEMA when the reader cannot follow the writer
 */
export function compileReader(writer: Shape, reader: Shape): Read {
  return compile(writer, reader, [])
}

function compile(writer: Shape, reader: Shape, path: readonly string[]): Read {
  if (branchName(writer) !== branchName(reader)) throw differs(path, writer, reader)
  switch (writer.kind) {
    case 'record':
      return recordReader(writer, reader as RecordShape, path)
    case 'array':
      return arrayReader(writer.items, (reader as typeof writer).items, path)
    case 'map':
      return mapReader(writer.values, (reader as typeof writer).values, path)
    case 'union':
      return unionReader(writer.branches, (reader as typeof writer).branches, path)
    case 'enum': {
      const symbols = writer.symbols
      return (bytes) => symbols[bytes.branch(symbols.length)]
    }
    case 'fixed': {
      const size = writer.size
      return (bytes) => Buffer.from(bytes.bytes(size))
    }
    default:
      if (writer.logicalType !== (reader as PrimitiveShape).logicalType) throw differs(path, writer, reader)
      return primitiveReader(writer, path)
  }
}

function primitiveReader(shape: PrimitiveShape, path: readonly string[]): Read {
  switch (shape.logicalType) {
    case 'json':
      return (bytes) => parseJson(bytes.string())
    case 'personal-text': {
      const tag = fieldTag(path)
      return (bytes) => bytes.cipher!.open(tag, bytes.bytes())
    }
    case 'personal-json': {
      const tag = fieldTag(path)
      return (bytes) => {
        const text = bytes.cipher!.open(tag, bytes.bytes())
        return typeof text === 'string' ? parseJson(text) : text
      }
    }
    default:
      return plainReader(shape.kind)
  }
}

function plainReader(kind: Primitive): Read {
  switch (kind) {
    case 'null':
      return () => null
    case 'boolean':
      return (bytes) => bytes.boolean()
    case 'int':
      return (bytes) => bytes.int()
    case 'long':
      return (bytes) => bytes.long()
    case 'float':
      return (bytes) => bytes.float()
    case 'double':
      return (bytes) => bytes.double()
    case 'string':
      return (bytes) => bytes.string()
    case 'bytes':
      return (bytes) => Buffer.from(bytes.bytes())
  }
}

function recordReader(writer: RecordShape, reader: RecordShape, path: readonly string[]): Read {
  const at = path.length === 0 ? [writer.name] : path
  const wanted = new Map(reader.fields.map((field) => [field.name, field]))
  // What the reader does not know is read as well, so that its bytes are checked, and dropped.
  const steps: Step[] = writer.fields.map((field) => {
    const to = wanted.get(field.name)
    const read = compile(field.shape, to?.shape ?? field.shape, [...at, field.name])
    return { name: to === undefined ? null : field.name, read }
  })
  const written = new Set(writer.fields.map((field) => field.name))
  for (const field of reader.fields) {
    if (written.has(field.name)) continue
    if (field.default === undefined) throw cannot([...at, field.name], 'older records lack it and it has no default')
    const value = defaultValue(field.shape, field.default)
    steps.push({ name: field.name, read: () => value })
  }
  return inOrder(steps)
}

interface Step {
  /** Null: read and drop. */
  readonly name: string | null
  readonly read: Read
}

/**
 * `(bytes) => ({ "a": read0(bytes), "b": read1(bytes) })`: one object literal per record type. Storing under computed names
 * instead costs 45 ns a field (a third of the whole decode), because one site would see the names of all types. The text
 * holds field names only, which `parseSchema` has checked.
 */
function inOrder(steps: readonly Step[]): Read {
  const parts: string[] = []
  let dropped = ''
  steps.forEach(({ name }, index) => {
    if (name === null) dropped += `read${index}(bytes), `
    else {
      parts.push(`${JSON.stringify(name)}: (${dropped}read${index}(bytes))`)
      dropped = ''
    }
  })
  const names = steps.map((_, index) => `read${index}`)
  const body = `return (bytes) => { const value = { ${parts.join(', ')} }; ${dropped}0; return value }`
  const build = new Function(...names, body) as (...reads: readonly Read[]) => Read
  return build(...steps.map((step) => step.read))
}

function arrayReader(writer: Shape, reader: Shape, path: readonly string[]): Read {
  const readItem = compile(writer, reader, [...path, '[]'])
  const itemBytes = minBytes(writer)
  return (bytes) => {
    const items: unknown[] = []
    readBlocks(bytes, itemBytes, () => items.push(readItem(bytes)))
    return items
  }
}

function mapReader(writer: Shape, reader: Shape, path: readonly string[]): Read {
  const readItem = compile(writer, reader, [...path, '{}'])
  const itemBytes = 1 + minBytes(writer)
  return (bytes) => {
    // No prototype: whatever a key is called, it is data.
    const map = Object.create(null) as Record<string, unknown>
    readBlocks(bytes, itemBytes, () => {
      const key = bytes.string()
      if (key === '__proto__') throw new BadRecord('bad_key', 'a map key named __proto__')
      if (key in map) throw new BadRecord('bad_key', 'a map with one key twice')
      map[key] = readItem(bytes)
    })
    return map
  }
}

function readBlocks(bytes: ByteReader, itemBytes: number, readItem: () => void): void {
  for (;;) {
    const { count, byteSize } = bytes.blockCount(itemBytes)
    if (count === 0) return
    const start = bytes.position
    for (let index = 0; index < count; index++) readItem()
    if (byteSize !== null && bytes.position - start !== byteSize)
      throw new BadRecord('bad_length', 'a block is not as long as it says')
  }
}

function unionReader(writer: readonly Shape[], reader: readonly Shape[], path: readonly string[]): Read {
  const reads = writer.map((branch) => {
    const to = reader.find((candidate) => branchName(candidate) === branchName(branch))
    if (to === undefined) throw cannot(path, `older records may hold ${branchName(branch)}`)
    return compile(branch, to, path)
  })
  return (bytes) => reads[bytes.branch(reads.length)]!(bytes)
}

function parseJson(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new BadRecord('bad_value', 'a json field that is not JSON', cause)
  }
  const problem = jsonProblem(value)
  if (problem !== null)
    throw new BadRecord(
      problem.code === 'wrong_type' ? 'bad_value' : problem.code,
      `in a json field: ${problem.message}`,
    )
  return value
}

function differs(path: readonly string[], writer: Shape, reader: Shape): SchemaError {
  return cannot(path, `written as ${described(writer)}, read as ${described(reader)}`)
}

function described(shape: Shape): string {
  const logicalType = 'logicalType' in shape ? shape.logicalType : undefined
  return logicalType === undefined ? branchName(shape) : `${branchName(shape)} (${logicalType})`
}

function cannot(path: readonly string[], reason: string): SchemaError {
  return new SchemaError('INCOMPATIBLE_SCHEMA', `${path.join('.')}: ${reason}`)
}
