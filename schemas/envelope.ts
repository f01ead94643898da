/** The part all events share, the key that places them, and the types events are built from. */

import assert from 'node:assert/strict'
import type { Field, Fields, FieldsOf } from './fields.ts'
import { int, instant, oneOf, optional, personalJson, record, string } from './fields.ts'

export const actorTypes = ['system', 'user', 'human_agent', 'ai_agent', 'provider'] as const

/** Every record's first fields, in wire order. Times are event time in milliseconds. */
export const envelopeFields = {
  event_id: string(),
  event_type: string(),
  event_version: int(),
  timestamp: instant(),
  tenant_id: string(),
  organization_id: string(),
  /** The lifecycle instance this belongs to. */
  correlation_id: string(),
  /** The event that caused this one; empty for a first cause. */
  causation_id: string(),
  /** The service that wrote it. */
  source: string(),
  actor: record('Actor', { type: oneOf(...actorTypes), id: string() }),
} satisfies Fields

export type Envelope = FieldsOf<typeof envelopeFields>
export type Actor = Envelope['actor']

/** Who may send an event type: a client through ingest, a verified webhook, or only the platform itself. */
export type Visibility = 'public' | 'webhook' | 'internal'

/**
 * `O`: tenant_id|organization_id. `T`: tenant_id. Else tenant_id|<the named payload field>, which every type of the topic
 * declares, its calls included; types that do not are keyed by `orEntity`.
 */
export type KeyShape = 'O' | 'T' | { readonly entity: string; readonly orEntity?: string }

export interface EventDefinition<F extends Fields = Fields, V extends Visibility = Visibility> {
  readonly version: number
  readonly visibility: V
  readonly fields: F
  readonly example: FieldsOf<F>
}

/** An event type: `event({ fields }, 'internal', example)`. */
export function event<const F extends Fields, const V extends Visibility>(
  fields: F,
  visibility: V,
  example: FieldsOf<F>,
  version = 1,
): EventDefinition<F, V> {
  return Object.freeze({ version, visibility, fields, example })
}

export type EventDefinitions = Readonly<Record<string, EventDefinition>>

/** The tagged union of a topic's events: envelope and payload in one flat record, as on the wire. */
export type EventOf<D extends EventDefinitions> = {
  readonly [K in keyof D & string]: Omit<Envelope, 'event_type'> & { readonly event_type: K } & FieldsOf<D[K]['fields']>
}[keyof D & string]

export type PayloadOf<D extends EventDefinitions, K extends keyof D> = FieldsOf<D[K]['fields']>

/** One of the 18 topics, as data. */
export interface EventTopic<D extends EventDefinitions = EventDefinitions, N extends string = string> {
  readonly name: N
  readonly key: KeyShape
  readonly retention: 'forever' | '7d'
  readonly events: D
}

/** Declares a topic. Fails at load when a type hides a field of the envelope or lacks the field that places it. */
export function eventTopic<const N extends string, const D extends EventDefinitions>(
  topic: EventTopic<D, N>,
): EventTopic<D, N> {
  for (const [type, { fields }] of Object.entries(topic.events)) {
    for (const name of Object.keys(fields))
      assert(!Object.hasOwn(envelopeFields, name), `${topic.name}: ${type}.${name} hides the envelope's ${name}`)
    const placed = keyFields(topic).length === 0 || keyFields(topic).some((name) => Object.hasOwn(fields, name))
    assert(placed, `${topic.name}: ${type} must declare ${keyFields(topic).join(' or ')}, the topic's key`)
  }
  return Object.freeze(topic)
}

/** The payload fields a topic's key is made of, the preferred one first; none for `O` and `T`. */
export function keyFields(topic: { readonly key: KeyShape }): readonly string[] {
  if (typeof topic.key === 'string') return []
  return topic.key.orEntity === undefined ? [topic.key.entity] : [topic.key.entity, topic.key.orEntity]
}

/** A record of any topic, when its type is not known. */
export type AnyEvent = Envelope & { readonly [field: string]: unknown }

/**
 * The pair every topic carries for its owner's outside calls. `request` and `output` are encrypted whole.
 * Classes: ok · retry (408, 409, 429, 5xx, network; retry_at says when) · auth · quota · invalid.
 */
export const callEvents = {
  call_requested: event(
    {
      call_id: string(),
      provider: string(),
      operation: string(),
      attempt: int(),
      not_before: instant(),
      request: personalJson(),
    },
    'internal',
    { call_id: 'c1', provider: 'perplexity', operation: 'answer', attempt: 1, not_before: 0, request: {} },
  ),
  call_answered: event(
    {
      call_id: string(),
      provider: string(),
      operation: string(),
      attempt: int(),
      class: oneOf('ok', 'retry', 'auth', 'quota', 'invalid'),
      /** For class retry: not before this time. */
      retry_at: optional(instant()),
      status: int(),
      output: optional(personalJson()),
      output_ref: optional(string()),
      /** Plain words for class other than ok; never holds personal data. */
      error: optional(string()),
      cost_microdollars: int(),
      sandbox: oneOf('sandbox', 'live'),
    },
    'internal',
    {
      call_id: 'c1',
      provider: 'perplexity',
      operation: 'answer',
      attempt: 1,
      class: 'ok',
      status: 200,
      output: {},
      cost_microdollars: 0,
      sandbox: 'sandbox',
    },
  ),
}

/** The call pair for a topic keyed by an entity: request and answer carry the field that places them. */
export function callEventsKeyedBy<const N extends string>(field: N) {
  const { call_requested: requested, call_answered: answered } = callEvents
  const keyed = { [field]: string() } as { [K in N]: Field<string> }
  const example = { [field]: 'e1' } as { [K in N]: string }
  return {
    call_requested: {
      ...requested,
      fields: { ...keyed, ...requested.fields },
      example: { ...example, ...requested.example },
    },
    call_answered: {
      ...answered,
      fields: { ...keyed, ...answered.fields },
      example: { ...example, ...answered.example },
    },
  }
}
