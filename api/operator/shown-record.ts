/**
 * A record as an operator sees it: what happened to whom, never what is said about a person of somebody else's tenant.
 * Only events are decoded; state, and what services send themselves, is theirs.
 */

import { z } from 'zod'
import type { AnyEvent, Envelope, EventDefinition } from '../../schemas/index.ts'
import { envelopeFields, isUnknown, personalShown, topicByName } from '../../schemas/index.ts'
import type { Serde } from '../../topology/index.ts'
import { BadRecord } from '../../topology/errors.ts'
import type { UserPrincipal } from '../http/endpoint.ts'
import type { LogRecord } from './log-reader.ts'
import { timeText } from './log-reader.ts'

export type CodecOf = (topic: { readonly name: string }) => Required<Serde<AnyEvent>>

const deadLetterEnd = '.dlq'

export const shownRecord = z.object({
  topic: z.string(),
  partition: z.int(),
  offset: z.string(),
  timestamp: z.iso.datetime(),
  key: z.string().nullable().meta({ description: 'Text, or hexadecimal after `0x`' }),
  bytes: z.int().meta({ description: 'Of the value' }),
  headers: z.array(z.object({ key: z.string(), value: z.string() })),
  kind: z.enum(['event', 'unknown_event', 'undecodable', 'tombstone', 'internal']),
  event: z
    .object({ envelope: z.record(z.string(), z.unknown()), payload: z.record(z.string(), z.unknown()) })
    .nullable(),
  hidden: z.array(z.string()).meta({ description: 'Personal fields of a tenant that is not yours' }),
  erased: z.array(z.string()),
  why: z.string().nullable().meta({ description: 'Why it cannot be decoded' }),
})
export type ShownRecord = z.infer<typeof shownRecord>

/** Whether the reader may see what is said about persons of this tenant. */
export const mayReadPersonal = ({ tenantId, userType, role }: UserPrincipal, tenant: string): boolean =>
  userType === 'client' && tenantId === tenant && (role === 'owner' || role === 'admin')

/** Of one topic. Loads keys and schemas first, then decodes. */
export async function shownRecords(
  records: readonly LogRecord[],
  codecOf: CodecOf,
  reader: UserPrincipal,
): Promise<readonly ShownRecord[]> {
  const [first] = records
  if (first === undefined) return []
  const topic = topicByName(
    first.topic.endsWith(deadLetterEnd) ? first.topic.slice(0, -deadLetterEnd.length) : first.topic,
  )
  if (topic === undefined) return records.map((record) => ({ ...outside(record), kind: kindWithoutCodec(record) }))
  const codec = codecOf(topic)
  await codec.prepare(records)
  const definitions = topic.events as Readonly<Record<string, EventDefinition>>
  return records.map((record) => ({ ...outside(record), ...inside(record, codec, definitions, reader) }))
}

const kindWithoutCodec = ({ value }: LogRecord): 'tombstone' | 'internal' => (value === null ? 'tombstone' : 'internal')

const nothingInside = { event: null, hidden: [], erased: [], why: null }

function outside(record: LogRecord): Omit<ShownRecord, 'kind'> {
  return {
    topic: record.topic,
    partition: record.partition,
    offset: String(record.offset),
    timestamp: timeText(record.timestamp),
    key: record.key === null ? null : readable(record.key),
    bytes: record.value?.length ?? 0,
    headers: record.headers.map(({ key, value }) => ({ key, value: readable(value) })),
    ...nothingInside,
  }
}

function inside(
  { key, value }: LogRecord,
  codec: Required<Serde<AnyEvent>>,
  definitions: Readonly<Record<string, EventDefinition>>,
  reader: UserPrincipal,
): Pick<ShownRecord, 'kind'> & Partial<ShownRecord> {
  if (value === null) return { kind: 'tombstone' }
  let event: AnyEvent
  try {
    event = codec.deserialize(value, key)
  } catch (error) {
    if (error instanceof BadRecord) return { kind: 'undecodable', why: `${error.reason}: ${error.message}` }
    throw error
  }
  const definition = definitions[event.event_type]
  if (isUnknown(event) || definition === undefined)
    return { kind: 'unknown_event', why: `this version does not know ${event.event_type}` }
  const { payload, hidden, erased } = personalShown(definition, event, mayReadPersonal(reader, event.tenant_id))
  return { kind: 'event', event: { envelope: envelopeOf(event), payload }, hidden: [...hidden], erased: [...erased] }
}

function envelopeOf(event: Envelope): Readonly<Record<string, unknown>> {
  const names = Object.keys(envelopeFields) as (keyof Envelope)[]
  return Object.fromEntries(names.map((name) => [name, event[name]]))
}

const longestText = 2_000

function readable(bytes: Buffer): string {
  const text = bytes.toString('utf8')
  const isText = Buffer.from(text, 'utf8').equals(bytes) && !/[\u0000-\u0008\u000e-\u001f]/.test(text)
  const shown = isText ? text : `0x${bytes.subarray(0, longestText / 2).toString('hex')}`
  return shown.length > longestText ? `${shown.slice(0, longestText)}…` : shown
}
