/**
 * Reads a JSON document from someone we do not trust. One pass over the text refuses what `JSON.parse` would take and
 * lose (duplicate keys, rounded numbers, half characters) or choke on (depth, a million keys); only then does `JSON.parse`
 * judge the grammar and build the value. The cost is linear in the text and the pass ends at the first offence.
 *
 *   400  invalid_json · duplicate_key · bad_key · too_deep · too_many_keys · too_long
 *   422  bad_text (NUL, half a surrogate pair, bytes that are not UTF-8) · number_not_exact
 */

import { isUtf8 } from 'node:buffer'
import { isExactNumber } from './json-number.ts'
import { ApiProblem } from './problem.ts'

export interface JsonLimits {
  readonly depth: number
  /** In one object. */
  readonly keysPerObject: number
  /** Keys, objects and lists in the whole document: a batch of 1,000 events is legitimate. */
  readonly parts: number
  /** Of one string, in UTF-16 units. */
  readonly stringLength: number
  readonly keyLength: number
}

export const jsonLimits: JsonLimits = Object.freeze({
  depth: 64,
  keysPerObject: 10_000,
  parts: 100_000,
  stringLength: 256 * 1024,
  keyLength: 1024,
})

/** @throws ApiProblem as listed above. */
export function parseJson(bytes: Buffer, limits: JsonLimits = jsonLimits): unknown {
  if (!isUtf8(bytes)) throw new ApiProblem(422, 'bad_text', 'The body is not valid UTF-8.')
  const text = bytes.toString('utf8')
  scan(text, limits)
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw invalid(text.trim() === '' ? 'The body is empty.' : 'The body is not one JSON document.')
  }
}

/** An object or array that is open; used again by the next one at its depth. A lone key costs no Set. */
interface Frame {
  isObject: boolean
  expectsKey: boolean
  firstKey: string | null
  keys: Set<string> | null
}

const newFrame = (): Frame => ({ isObject: false, expectsKey: false, firstKey: null, keys: null })

function scan(text: string, limits: JsonLimits): void {
  const frames = [newFrame()]
  let depth = 0
  let open = frames[0]!
  let parts = 0
  // Looked up ahead once, so that strings without such an escape cost nothing.
  let nextEscape = text.indexOf('\\u')
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    switch (code) {
      case 0x22: {
        const end = endOfString(text, at, open.expectsKey ? limits.keyLength : limits.stringLength)
        if (nextEscape !== -1 && nextEscape < at) nextEscape = text.indexOf('\\u', at)
        if (open.expectsKey) {
          open.expectsKey = false
          addKey(open, stringAt(text, at, end), limits)
          if (++parts > limits.parts) throw tooManyKeys(limits.parts, 'a document, objects and lists included')
        } else if (nextEscape !== -1 && nextEscape < end) {
          // The bytes were UTF-8, so only a \u escape can spell NUL or half a surrogate pair.
          stringAt(text, at, end)
        }
        at = end - 1
        break
      }
      case 0x2c: // ,
        open.expectsKey = open.isObject
        break
      case 0x5b: // [
      case 0x7b: // {
        if (++depth > limits.depth) throw tooDeep(limits.depth)
        if (++parts > limits.parts) throw tooManyKeys(limits.parts, 'a document, objects and lists included')
        open = frames[depth] ??= newFrame()
        open.isObject = open.expectsKey = code === 0x7b
        open.firstKey = null
        open.keys = null
        break
      case 0x5d: // ]
      case 0x7d: // }
        depth = Math.max(0, depth - 1)
        open = frames[depth]!
        break
      default:
        if (code === 0x2d || (code >= 0x30 && code <= 0x39)) {
          const end = endOfNumber(text, at)
          if (!isExactNumber(text, at, end)) throw notExact(text.slice(at, end))
          at = end - 1
        }
    }
  }
}

/** Index after the closing quote. */
function endOfString(text: string, start: number, lengthMax: number): number {
  const last = Math.min(text.length, start + 2 + lengthMax)
  for (let at = start + 1; at < last; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) return at + 1
    if (code === 0x5c) at += 1
  }
  throw last < text.length
    ? new ApiProblem(400, 'too_long', `A text is longer than ${String(lengthMax)} characters.`)
    : invalid('A string does not end.')
}

function endOfNumber(text: string, start: number): number {
  let at = start + 1
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const isPart =
      (code >= 0x30 && code <= 0x39) || code === 0x2e || code === 0x2b || code === 0x2d || (code | 0x20) === 0x65
    if (!isPart) break
  }
  return at
}

function stringAt(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end - 1)
  if (!raw.includes('\\')) return raw
  const value = unescape(text.slice(start, end))
  if (value.includes('\0')) throw new ApiProblem(422, 'bad_text', 'A text holds the character U+0000.')
  if (!value.isWellFormed()) throw new ApiProblem(422, 'bad_text', 'A text holds half of a surrogate pair.')
  return value
}

function unescape(literal: string): string {
  try {
    return JSON.parse(literal) as string
  } catch {
    throw invalid('A string holds a bad escape.')
  }
}

function addKey(frame: Frame, key: string, limits: JsonLimits): void {
  if (key === '__proto__') throw new ApiProblem(400, 'bad_key', 'The key "__proto__" is not accepted.')
  if (frame.firstKey === null) {
    frame.firstKey = key
    return
  }
  frame.keys ??= new Set([frame.firstKey])
  if (frame.keys.has(key))
    throw new ApiProblem(400, 'duplicate_key', `The key ${quote(key)} occurs twice in one object.`)
  if (frame.keys.add(key).size > limits.keysPerObject) throw tooManyKeys(limits.keysPerObject, 'an object')
}

const quote = (text: string): string => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
const invalid = (detail: string): ApiProblem => new ApiProblem(400, 'invalid_json', detail)
const tooDeep = (max: number): ApiProblem =>
  new ApiProblem(400, 'too_deep', `The body is nested deeper than ${String(max)} levels.`)
const tooManyKeys = (max: number, where: string): ApiProblem =>
  new ApiProblem(400, 'too_many_keys', `There are more than ${String(max)} keys in ${where}.`)
const notExact = (token: string): ApiProblem =>
  new ApiProblem(422, 'number_not_exact', `The number ${token.slice(0, 40)} cannot be kept exactly; send it as text.`)
