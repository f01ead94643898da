/**
 * Whether old and new readers and writers of a schema understand each other for ever. A log is read again from its start,
 * by programs older and newer than its records, so the level is FULL_TRANSITIVE: each version reads each other one.
 *
 * Stricter than Avro where Avro guesses: no promotion (int to long), no alias, no namespace ignored, no change of meaning
 * (logicalType).
 */

import type { Json } from './fields.ts'
import type { PrimitiveShape, RecordShape, Shape } from './wire/shape.ts'
import { branchName } from './wire/shape.ts'

export const compatibilityLevels = [
  'NONE',
  'BACKWARD',
  'BACKWARD_TRANSITIVE',
  'FORWARD',
  'FORWARD_TRANSITIVE',
  'FULL',
  'FULL_TRANSITIVE',
] as const
export type CompatibilityLevel = (typeof compatibilityLevels)[number]

/**
 * Why `next` cannot join `versions` (oldest first) at a level, one line each; empty when it can.
 * BACKWARD: next reads what they wrote. FORWARD: they read what next writes. FULL: both.
 */
export function incompatibilities(
  level: CompatibilityLevel,
  versions: readonly Shape[],
  next: Shape,
): readonly string[] {
  if (level === 'NONE') return []
  const against = level.endsWith('_TRANSITIVE') ? versions : versions.slice(-1)
  const first = versions.length - against.length + 1
  return against.flatMap((version, index) => {
    const older = `version ${first + index}`
    const backward = level.startsWith('FORWARD')
      ? []
      : unreadable(next, version).map((why) => `cannot read ${older}: ${why}`)
    const forward = level.startsWith('BACKWARD')
      ? []
      : unreadable(version, next).map((why) => `${older} cannot read it: ${why}`)
    return [...backward, ...forward]
  })
}

/** What `reader` could not make of `writer`'s bytes. */
function unreadable(reader: Shape, writer: Shape, path = ''): readonly string[] {
  const place = path === '' ? branchName(reader) : path
  if (branchName(reader) !== branchName(writer))
    return [`${place} is ${branchName(writer)}, expected ${branchName(reader)}`]
  switch (reader.kind) {
    case 'record':
      return unreadableFields(reader, writer as RecordShape, path)
    case 'array':
      return unreadable(reader.items, (writer as typeof reader).items, `${path}[]`)
    case 'map':
      return unreadable(reader.values, (writer as typeof reader).values, `${path}{}`)
    case 'union':
      return unreadableBranches(reader.branches, (writer as typeof reader).branches, place)
    case 'enum': {
      const missing = (writer as typeof reader).symbols.filter((symbol) => !reader.symbols.includes(symbol))
      return missing.map((symbol) => `${place} lacks the symbol ${symbol}`)
    }
    case 'fixed':
      return reader.size === (writer as typeof reader).size ? [] : [`${place} has another size`]
    default: {
      const [wanted, given] = [reader.logicalType, (writer as PrimitiveShape).logicalType]
      return wanted === given ? [] : [`${place} is ${given ?? 'plain'}, expected ${wanted ?? 'plain'}`]
    }
  }
}

function unreadableFields(reader: RecordShape, writer: RecordShape, path: string): readonly string[] {
  const written = new Map(writer.fields.map((field) => [field.name, field]))
  return reader.fields.flatMap((field) => {
    const place = path === '' ? field.name : `${path}.${field.name}`
    const from = written.get(field.name)
    if (from !== undefined) return unreadable(field.shape, from.shape, place)
    return field.default === undefined ? [`${place} is missing and has no default`] : []
  })
}

function unreadableBranches(reader: readonly Shape[], writer: readonly Shape[], path: string): readonly string[] {
  return writer.flatMap((branch) => {
    const to = reader.find((candidate) => branchName(candidate) === branchName(branch))
    return to === undefined ? [`${path} may not be ${branchName(branch)}`] : unreadable(to, branch, path)
  })
}

const attributeOrder = [
  'type',
  'name',
  'namespace',
  'fields',
  'symbols',
  'items',
  'values',
  'size',
  'default',
  'logicalType',
]

/** One text per schema, however its JSON was written: what "the same schema" means. */
export function canonicalText(schema: Json): string {
  if (Array.isArray(schema)) return `[${schema.map((item: Json) => canonicalText(item)).join(',')}]`
  if (schema === null || typeof schema !== 'object') return JSON.stringify(schema)
  const rank = (name: string): number => {
    const index = attributeOrder.indexOf(name)
    return index === -1 ? attributeOrder.length : index
  }
  const entries = Object.entries(schema as { readonly [key: string]: Json })
  entries.sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0))
  return `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${canonicalText(value)}`).join(',')}}`
}
