/**
 * Names of things: event ids that a replay makes again, and record keys.
 *
 * A record key is `tenant_id|rest`, tenant first, so that everything of one tenant is found by prefix and its data key
 * from the record alone. No id may hold the separator.
 */

import { createHash } from 'node:crypto'
import { BadRecord } from '../topology/errors.ts'
import type { KeyShape } from './envelope.ts'
import { keyFields } from './envelope.ts'

/** Root of all derived ids; for ever. UUIDv5 of `com.workflow.events` in RFC 9562's DNS namespace. */
const namespace = Buffer.from('3109be2e1b605cfc9383fa3b6418acea', 'hex')
const separator = '|'
const maxIdLength = 512

/** UUID version 5 (RFC 9562, 5.5): SHA-1 over a namespace and a name. */
export function uuidv5(name: string, space: Buffer = namespace): string {
  const bytes = createHash('sha1').update(space).update(name, 'utf8').digest()
  bytes[6] = (bytes[6]! & 0x0f) | 0x50
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.toString('hex', 0, 16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** Parts of a name, so joined that no two lists give the same text. */
function nameOf(kind: string, parts: readonly (string | number)[]): string {
  return JSON.stringify([kind, ...parts])
}

/** Id of the n-th event of this type that a processor emits because of `cause` (an event id). */
export function derivedEventId(of: { cause: string; processor: string; type: string; n: number }): string {
  return uuidv5(nameOf('event', [of.cause, of.processor, of.type, of.n]))
}

/** Id of the n-th event of this type that a processor emits because a timer of a key came due (`dueAt` in ms). */
export function timerEventId(of: {
  processor: string
  key: string
  timer: string
  dueAt: number
  type: string
  n: number
}): string {
  return uuidv5(nameOf('timer', [of.processor, of.key, of.timer, of.dueAt, of.type, of.n]))
}

/** Id of an event that a producer sends: which of its events about a record key it is. */
export function sentEventId(of: { producer: string; topic: string; key: string; sequence: number }): string {
  return uuidv5(nameOf('sent', [of.producer, of.topic, of.key, of.sequence]))
}

/** Id of an event that its sender names; no tenant can name another's. */
export function namedEventId(of: { producer: string; tenantId: string; id: string }): string {
  return uuidv5(nameOf('named', [of.producer, of.tenantId, of.id]))
}

export interface Placed {
  readonly tenant_id: string
  readonly organization_id: string
  readonly payload: Readonly<Record<string, unknown>>
}

/**
 * The key a record of this topic is written under.
 * @throws BadRecord `bad_key` when an id is missing, empty, longer than 512 characters or holds the separator
 */
export function recordKey(topic: { readonly name: string; readonly key: KeyShape }, placed: Placed): string {
  const tenant = keyPart('tenant_id', placed.tenant_id)
  if (topic.key === 'T') return tenant
  if (topic.key === 'O') return tenant + separator + keyPart('organization_id', placed.organization_id)
  const names = keyFields(topic)
  const name = names.find((candidate) => placed.payload[candidate] !== undefined) ?? names[0]!
  return tenant + separator + keyPart(name, placed.payload[name])
}

function keyPart(name: string, id: unknown): string {
  if (typeof id !== 'string' || id === '') throw new BadRecord('bad_key', `${name} is missing: it is part of the key`)
  if (id.length > maxIdLength) throw new BadRecord('bad_key', `${name} is longer than ${maxIdLength} characters`)
  if (id.includes(separator)) throw new BadRecord('bad_key', `${name} holds "${separator}", which separates keys`)
  if (!id.isWellFormed() || id.includes('\0')) throw new BadRecord('bad_key', `${name} is not clean text`)
  return id
}

/**
 * The parts of a record key; `id` is null for a key that is a tenant alone.
 * @throws BadRecord `bad_key`
 */
export function parseKey(key: string | Buffer): { readonly tenantId: string; readonly id: string | null } {
  const text = typeof key === 'string' ? key : key.toString('utf8')
  const parts = text.split(separator)
  if (parts.length > 2) throw new BadRecord('bad_key', 'a key has at most two parts')
  const tenantId = keyPart('tenant_id', parts[0])
  return { tenantId, id: parts.length === 1 ? null : keyPart('id', parts[1]) }
}

/** The tenant a record key begins with; null when there is none. The fast form of `parseKey`. */
export function tenantOfKey(key: Buffer | null): string | null {
  if (key === null) return null
  const end = key.indexOf(0x7c)
  return end === 0 || key.length === 0 ? null : key.toString('utf8', 0, end === -1 ? key.length : end)
}
