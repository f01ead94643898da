/**
 * The gate in front of a schema change: every version ever used is written down, the current one must be the last of
 * them, and a new one joins only when old and new readers follow each other (FULL_TRANSITIVE).
 */

import { canonicalText, incompatibilities } from './compatibility.ts'
import type { AvroSchema } from './fields.ts'
import { parseSchema } from './wire/shape.ts'

export type Verdict =
  | { readonly verdict: 'same' }
  /** Compatible with all; to be written down. */
  | { readonly verdict: 'new' }
  | { readonly verdict: 'refused'; readonly reasons: readonly string[] }

/**
 * @param golden all versions, oldest first
 * @throws SchemaError BAD_SCHEMA
 */
export function judgeSchema(golden: readonly AvroSchema[], current: AvroSchema): Verdict {
  const next = parseSchema(current)
  const last = golden.at(-1)
  if (last !== undefined && canonicalText(last) === canonicalText(current)) return { verdict: 'same' }
  const versions = golden.map((schema) => parseSchema(schema))
  const reasons = incompatibilities('FULL_TRANSITIVE', versions, next)
  return reasons.length === 0 ? { verdict: 'new' } : { verdict: 'refused', reasons }
}

/**
 * The same for a state, whose versions its definition lists: those written down must be among them unchanged, so that
 * every changelog ever written can be read.
 */
export function judgeState(golden: readonly AvroSchema[], versions: readonly AvroSchema[]): Verdict {
  const changed = golden
    .map((schema, index) => ({ schema, index }))
    .filter(({ schema, index }) => canonicalText(versions[index] ?? null) !== canonicalText(schema))
  if (changed.length > 0)
    return {
      verdict: 'refused',
      reasons: changed.map(({ index }) => `version ${index + 1} differs from what was written with it: add a version`),
    }
  if (versions.length === golden.length) return { verdict: 'same' }
  const known = golden.map((schema) => parseSchema(schema))
  const reasons: string[] = []
  for (const schema of versions.slice(golden.length)) {
    const next = parseSchema(schema)
    reasons.push(...incompatibilities('FULL_TRANSITIVE', known, next))
    known.push(next)
  }
  return reasons.length === 0 ? { verdict: 'new' } : { verdict: 'refused', reasons }
}
