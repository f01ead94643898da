/** What JSON values may be: the bounds shared by the codec, ingest and provider answers. */

import type { Json } from './fields.ts'

export const maxJsonDepth = 64

export interface JsonProblem {
  readonly path: string
  readonly code: 'wrong_type' | 'bad_key' | 'bad_text' | 'too_deep' | 'too_long' | 'inexact'
  readonly message: string
}

/**
 * The first thing wrong with a value that claims to be JSON, or null. `__proto__` is no key anywhere, because a later
 * merge would obey it; other names of Object.prototype are data.
 * @param strict at ingest: texts hold no NUL or lone surrogate, integers are exact, arrays and texts are bounded
 */
export function jsonProblem(value: unknown, strict = false, path = '', depth = 0): JsonProblem | null {
  switch (typeof value) {
    case 'boolean':
      return null
    case 'number':
      return numberProblem(value, strict, path)
    case 'string':
      return strict ? textProblem(value, path) : null
    case 'object':
      if (value === null) return null
      if (depth >= maxJsonDepth) return { path, code: 'too_deep', message: `deeper than ${maxJsonDepth} levels` }
      return Array.isArray(value) ? arrayProblem(value, strict, path, depth) : objectProblem(value, strict, path, depth)
    default:
      return { path, code: 'wrong_type', message: `${typeof value} is not JSON` }
  }
}

function numberProblem(value: number, strict: boolean, path: string): JsonProblem | null {
  if (!Number.isFinite(value)) return { path, code: 'wrong_type', message: 'not a finite number' }
  if (strict && Number.isInteger(value) && !Number.isSafeInteger(value))
    return { path, code: 'inexact', message: 'an integer beyond ±(2^53−1) is not exact; send it as text' }
  return null
}

function arrayProblem(value: readonly unknown[], strict: boolean, path: string, depth: number): JsonProblem | null {
  if (strict && value.length > maxItems) return { path, code: 'too_long', message: `more than ${maxItems} items` }
  for (let index = 0; index < value.length; index++) {
    const problem = jsonProblem(value[index], strict, strict ? `${path}[${index}]` : path, depth + 1)
    if (problem !== null) return problem
  }
  return null
}

function objectProblem(value: object, strict: boolean, path: string, depth: number): JsonProblem | null {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null)
    return { path, code: 'wrong_type', message: 'not a plain object' }
  const keys = Object.keys(value)
  if (strict && keys.length > maxItems) return { path, code: 'too_long', message: `more than ${maxItems} keys` }
  for (const key of keys) {
    const at = strict ? `${path}.${key.slice(0, 64)}` : path
    if (key === '__proto__') return { path: at, code: 'bad_key', message: 'this key is not allowed' }
    const bad = strict ? textProblem(key, at) : null
    if (bad !== null) return bad
    const item = (value as Readonly<Record<string, unknown>>)[key]
    // As JSON.stringify: a property that is undefined is not there.
    if (item === undefined && !strict) continue
    const problem = jsonProblem(item, strict, at, depth + 1)
    if (problem !== null) return problem
  }
  return null
}

export const maxItems = 10_000
export const maxTextBytes = 65_536

/** Text that PostgreSQL and UTF-8 can hold, within bounds. */
export function textProblem(value: string, path: string): JsonProblem | null {
  if (value.length > maxTextBytes || (value.length * 3 > maxTextBytes && Buffer.byteLength(value) > maxTextBytes))
    return { path, code: 'too_long', message: `longer than ${maxTextBytes} bytes` }
  if (value.includes('\0')) return { path, code: 'bad_text', message: 'holds U+0000' }
  if (!value.isWellFormed()) return { path, code: 'bad_text', message: 'holds half of a surrogate pair' }
  return null
}

/** Makes what an outside service sent storable: NUL and halves of surrogate pairs become U+FFFD, `__proto__` is dropped. */
export function cleanJson(value: Json, depth = 0): Json {
  if (typeof value === 'string') return cleanText(value)
  if (typeof value === 'number') return Number.isFinite(value) ? value : null
  if (value === null || typeof value !== 'object') return value
  if (depth >= maxJsonDepth) return null
  if (Array.isArray(value)) return value.map((item: Json) => cleanJson(item, depth + 1))
  const entries = Object.entries(value as { readonly [key: string]: Json })
  return Object.fromEntries(
    entries.filter(([key]) => key !== '__proto__').map(([key, item]) => [cleanText(key), cleanJson(item, depth + 1)]),
  )
}

function cleanText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd')
}
