/**
 * What a client may send, and whether something sent is that: the judgement every door shares. Pure; a refusal names the field
 * and says in one sentence what is wrong.
 */

import type { Fields, FieldsOf } from './fields.ts'
import type { AnyEventTopic, KnownTopic } from './topics.ts'
import { topicByName } from './topics.ts'
import type { IssueCode } from './validate.ts'
import { checkPayload } from './validate.ts'

export type TopicName = KnownTopic['name']
type EventsIn<N extends TopicName> = Extract<KnownTopic, { readonly name: N }>['events']
type FieldsIn<D> = D extends { readonly fields: infer F extends Fields } ? F : never
/** The event types of a topic that a client may send; `never` when there are none. */
export type PublicType<N extends TopicName> = {
  [K in keyof EventsIn<N> & string]: EventsIn<N>[K] extends { readonly visibility: 'public' } ? K : never
}[keyof EventsIn<N> & string]
/** Type and payload of what a client may send on a topic: a union with the tag `type`. */
export type PublicEvent<N extends TopicName> = {
  [K in PublicType<N>]: { readonly type: K; readonly payload: FieldsOf<FieldsIn<EventsIn<N>[K]>> }
}[PublicType<N>]

/** Public events that are decisions of a person: no program sends them in its own name. */
export const personalDecisions: ReadonlySet<string> = new Set([
  'review_claim_requested',
  'review_release_requested',
  'review_decision_requested',
])

export type RefusalCode =
  'unknown_topic' | 'type_not_public' | 'missing_field' | 'invalid_field' | 'timestamp_out_of_range' | IssueCode

export interface Refusal {
  readonly ok: false
  readonly code: RefusalCode
  /** Of the event as it is sent: `topic`, `payload.contact_id`. */
  readonly field: string
  /** One sentence, the field in it. */
  readonly message: string
  /** Everything wrong with a payload, each with its place. */
  readonly issues?: readonly { readonly field: string; readonly code: IssueCode; readonly message: string }[]
}

export type Judged<T> = ({ readonly ok: true } & T) | Refusal

const refusal = (code: RefusalCode, field: string, message: string): Refusal => ({ ok: false, code, field, message })

/** The topic of an event that a client may send. */
export function judgeType(topicName: string, type: string): Judged<{ readonly topic: AnyEventTopic }> {
  const topic = topicByName(topicName)
  if (topic === undefined) return refusal('unknown_topic', 'topic', 'There is no such topic.')
  const events = topic.events as Readonly<Record<string, { readonly visibility: string }>>
  if (!Object.hasOwn(events, type)) return refusal('unknown_type', 'type', `${topic.name} has no such event type.`)
  if (events[type]!.visibility !== 'public')
    return refusal('type_not_public', 'type', `${type} is written by the platform, not by clients.`)
  return { ok: true, topic }
}

/** The payload built anew from its declared fields. */
export function judgePayload(
  topic: AnyEventTopic,
  type: string,
  payload: unknown,
): Judged<{ readonly payload: Readonly<Record<string, unknown>> }> {
  const checked = checkPayload(topic, type, payload)
  if (checked.ok) return judgeWish(type, checked.payload) ?? checked
  const issues = checked.issues.map(({ path, code, message }) => ({ field: inPayload(path), code, message }))
  const { field, code, message } = issues[0]!
  return { ...refusal(code, field, `${field}: ${message}.`), issues }
}

/** What a client may name when it asks for a document: what it needs. What that costs, and any discount, is ours to say. */
const wishes: readonly string[] = ['seats', 'conversations', 'interval']

/** Null for what may be asked for. */
function judgeWish(type: string, payload: Readonly<Record<string, unknown>>): Refusal | null {
  if (type !== 'document_requested') return null
  const other = Object.keys(payload['inputs'] as object).find((name) => !wishes.includes(name))
  if (other === undefined) return null
  const field = `payload.inputs.${other.slice(0, 40)}`
  const message = `${field}: ask for ${wishes.join(', ')} alone.`
  return { ...refusal('unknown_field', field, message), issues: [{ field, code: 'unknown_field', message }] }
}

const inPayload = (path: string): string => (path === '' ? 'payload' : `payload.${path}`)

/** How far from now an event's time may be. */
export interface EventTimeBounds {
  /** Ahead of our clock, in ms. */
  readonly futureMs: number
  /** Older than this is marked late, in ms. */
  readonly lateAfterMs: number
  /** The oldest that is taken, by the topic's retention, in ms. */
  readonly oldestMs: Readonly<Record<'forever' | '7d', number>>
}

const dayMs = 24 * 60 * 60 * 1000

export const eventTimeBounds: EventTimeBounds = Object.freeze({
  futureMs: 5 * 60 * 1000,
  lateAfterMs: dayMs,
  oldestMs: Object.freeze({ forever: 30 * dayMs, '7d': 7 * dayMs }),
})

/** Milliseconds, exact; [now − oldest, now + future], else a replayed year would be taken for today's news. */
export function judgeTime(
  timestamp: unknown,
  topic: AnyEventTopic,
  nowMs: number,
  bounds: EventTimeBounds,
): Judged<{ readonly timestamp: number; readonly late: boolean }> {
  if (typeof timestamp !== 'number' || !Number.isSafeInteger(timestamp))
    return refusal('invalid_field', 'timestamp', 'timestamp: expected milliseconds since 1970 as an integer.')
  if (timestamp > nowMs + bounds.futureMs || timestamp < nowMs - bounds.oldestMs[topic.retention])
    return refusal('timestamp_out_of_range', 'timestamp', 'timestamp: too far in the past or ahead of our clock.')
  return { ok: true, timestamp, late: timestamp < nowMs - bounds.lateAfterMs }
}

/** Which of its sender's events about one entity this is: of one producer, one topic and one record key they grow. */
export interface Numbered {
  /** The sender's durable name. */
  readonly producer: string
  readonly sequence: number
}

const producerForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

export function judgeNumbered(producer: unknown, sequence: unknown): Judged<{ readonly numbered: Numbered }> {
  if (producer === undefined) return refusal('missing_field', 'producer', 'producer: goes with a sequence.')
  if (sequence === undefined) return refusal('missing_field', 'sequence', 'sequence: goes with a producer.')
  if (typeof producer !== 'string' || !producerForm.test(producer))
    return refusal(
      'invalid_field',
      'producer',
      'producer: expected up to 100 letters, digits, dots, dashes or underscores.',
    )
  if (typeof sequence !== 'number' || !Number.isSafeInteger(sequence) || sequence < 1)
    return refusal('invalid_field', 'sequence', 'sequence: expected an integer from 1 on.')
  return { ok: true, numbered: { producer, sequence } }
}
