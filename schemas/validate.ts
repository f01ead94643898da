/**
 * Judges a payload that somebody sent: parsed JSON against the fields of an event type. Everything wrong is said, each
 * with its place, up to a bound; nothing is rounded, trimmed or dropped. What comes back is built anew from declared
 * fields, so that no hidden property travels on.
 */

import type { EventTopic } from './envelope.ts'
import type { Field, Fields } from './fields.ts'
import { jsonProblem, maxItems, textProblem } from './json-value.ts'
import { maxEventBytes } from './limits.ts'

export type IssueCode =
  | 'unknown_type'
  | 'unknown_field'
  | 'missing_field'
  | 'wrong_type'
  | 'out_of_range'
  | 'inexact'
  | 'not_one_of'
  | 'bad_text'
  | 'bad_key'
  | 'too_long'
  | 'too_deep'
  | 'too_large'

export interface Issue {
  /** `citations[2].url`; empty for the payload itself. */
  readonly path: string
  readonly code: IssueCode
  readonly message: string
}

export type Checked =
  | { readonly ok: true; readonly payload: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly issues: readonly Issue[] }

const maxIssues = 50

/** Texts are at most 64 KiB, arrays and maps 10,000 items, an event 512 KiB. */
export function checkPayload(topic: EventTopic, type: string, payload: unknown): Checked {
  const definition = Object.hasOwn(topic.events, type) ? topic.events[type] : undefined
  if (definition === undefined)
    return { ok: false, issues: [{ path: '', code: 'unknown_type', message: `${topic.name} has no such event type` }] }
  const check = new PayloadCheck()
  const checked = check.record(definition.fields, payload, '')
  if (check.bytes > maxEventBytes) check.issue('', 'too_large', `an event is at most ${maxEventBytes} bytes`)
  if (check.issues.length > 0 || checked === undefined) return { ok: false, issues: check.issues }
  return { ok: true, payload: checked }
}

class PayloadCheck {
  readonly issues: Issue[] = []
  /** About what the values take on the wire. */
  bytes = 0

  issue(path: string, code: IssueCode, message: string): undefined {
    if (this.issues.length < maxIssues) this.issues.push({ path, code, message })
    return undefined
  }

  record(fields: Fields, value: unknown, path: string): Record<string, unknown> | undefined {
    if (!isPlainObject(value)) return this.issue(path, 'wrong_type', 'expected an object')
    for (const name of Object.keys(value)) {
      if (this.issues.length >= maxIssues) break
      if (!Object.hasOwn(fields, name))
        this.issue(at(path, name.slice(0, 64)), 'unknown_field', 'this field is not part of the event')
    }
    const checked: Record<string, unknown> = {}
    for (const [name, field] of Object.entries(fields)) {
      if (Object.hasOwn(value, name)) checked[name] = this.value(field, value[name], at(path, name))
      else if (field.default === undefined) this.issue(at(path, name), 'missing_field', 'this field is required')
      else checked[name] = field.default
    }
    return checked
  }

  /** The value as it goes on; undefined when an issue was noted. */
  value(field: Field<unknown>, value: unknown, path: string): unknown {
    switch (field.kind) {
      case 'optional':
        return value === null ? null : this.value(field.of!, value, path)
      case 'array':
        return this.#array(field.of!, value, path)
      case 'map':
        return this.#map(field.of!, value, path)
      case 'record':
        return this.record(field.fields!, value, path)
      case 'json':
      case 'personal-json':
        return this.#json(value, path)
      case 'personal':
        return this.#text(value, path)
      case 'plain':
        return this.#plain(field, value, path)
    }
  }

  #array(of: Field<unknown>, value: unknown, path: string): unknown {
    if (!Array.isArray(value)) return this.issue(path, 'wrong_type', 'expected an array')
    if (value.length > maxItems) return this.issue(path, 'too_long', `more than ${maxItems} items`)
    return value.map((item: unknown, index) => this.value(of, item, `${path}[${index}]`))
  }

  #map(of: Field<unknown>, value: unknown, path: string): unknown {
    if (!isPlainObject(value)) return this.issue(path, 'wrong_type', 'expected an object')
    const entries = Object.entries(value)
    if (entries.length > maxItems) return this.issue(path, 'too_long', `more than ${maxItems} keys`)
    const checked = Object.create(null) as Record<string, unknown>
    for (const [key, item] of entries) {
      const place = at(path, key.slice(0, 64))
      if (key === '__proto__') this.issue(place, 'bad_key', 'this key is not allowed')
      else if (this.#text(key, place) !== undefined) checked[key] = this.value(of, item, place)
    }
    return checked
  }

  #json(value: unknown, path: string): unknown {
    const problem = jsonProblem(value, true, path)
    if (problem !== null) return this.issue(problem.path, problem.code, problem.message)
    const text = JSON.stringify(value)
    this.bytes += Buffer.byteLength(text)
    return value
  }

  #text(value: unknown, path: string): string | undefined {
    if (typeof value !== 'string') return this.issue(path, 'wrong_type', 'expected a string')
    const problem = textProblem(value, path)
    if (problem !== null) return this.issue(path, problem.code, problem.message)
    this.bytes += Buffer.byteLength(value) + 2
    return value
  }

  #plain(field: Field<unknown>, value: unknown, path: string): unknown {
    this.bytes += 8
    const { type, oneOf } = described(field)
    switch (type) {
      case 'boolean':
        return typeof value === 'boolean' ? value : this.issue(path, 'wrong_type', 'expected true or false')
      case 'int':
        return this.#integer(value, path, 0x7fff_ffff)
      case 'long':
        return this.#integer(value, path, Number.MAX_SAFE_INTEGER)
      case 'double':
        return Number.isFinite(value)
          ? positiveZero(value as number)
          : this.issue(path, 'wrong_type', 'expected a number')
    }
    const text = this.#text(value, path)
    if (text === undefined || oneOf === undefined || oneOf.includes(text)) return text
    return this.issue(path, 'not_one_of', `expected one of ${oneOf.join(', ')}`)
  }

  #integer(value: unknown, path: string, max: number): number | undefined {
    if (typeof value !== 'number' || !Number.isInteger(value))
      return this.issue(path, 'wrong_type', 'expected an integer')
    if (!Number.isSafeInteger(value)) return this.issue(path, 'inexact', 'beyond ±(2^53−1) a number is not exact')
    if (value > max || value < -max - 1) return this.issue(path, 'out_of_range', 'does not fit 32 bits')
    return positiveZero(value)
  }
}

function described(field: Field<unknown>): { readonly type: string; readonly oneOf?: readonly string[] } {
  return typeof field.avro === 'string' ? { type: field.avro } : (field.avro as unknown as { type: string })
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** −0 is 0. */
function positiveZero(value: number): number {
  return value === 0 ? 0 : value
}

function at(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}
