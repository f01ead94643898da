/** From what a sender said to the record it becomes: the envelope completed, the key derived, the headers. Every door writes it so. */

import { eventSchema } from './avro.ts'
import type { Actor, AnyEvent, EventDefinition } from './envelope.ts'
import { recordKey } from './ids.ts'
import type { Numbered } from './public-events.ts'
import type { AnyEventTopic } from './topics.ts'
import { hasPersonal } from './wire/personal-shape.ts'
import { parseSchema } from './wire/shape.ts'

/** An event to be: judged, not yet placed. */
export interface SubmittedEvent {
  readonly topic: AnyEventTopic
  readonly type: string
  readonly payload: Readonly<Record<string, unknown>>
  /** Event time in ms. */
  readonly timestamp: number
  readonly late: boolean
  readonly tenantId: string
  readonly organizationId: string
  readonly actor: Actor
  readonly numbered?: Numbered | undefined
}

/** @param source the service that writes it */
export function completeEvent(submitted: SubmittedEvent, eventId: string, source: string): AnyEvent {
  return {
    ...submitted.payload,
    event_id: eventId,
    event_type: submitted.type,
    event_version: definitionOf(submitted.topic, submitted.type).version,
    timestamp: submitted.timestamp,
    tenant_id: submitted.tenantId,
    organization_id: submitted.organizationId,
    correlation_id: submitted.organizationId,
    causation_id: '',
    source,
    actor: submitted.actor,
  }
}

/** @throws BadRecord `bad_key` */
export function submittedKey({ topic, tenantId, organizationId, payload }: SubmittedEvent): Buffer {
  return Buffer.from(recordKey(topic, { tenant_id: tenantId, organization_id: organizationId, payload }))
}

interface RecordHeader {
  readonly key: string
  readonly value: Buffer
}

const late: RecordHeader = Object.freeze({ key: 'late', value: Buffer.from('true') })
const none: readonly RecordHeader[] = Object.freeze([])

/** `late`, and whose how-manieth it is: `producer` and `sequence`, as text. */
export function submittedHeaders(submitted: SubmittedEvent): readonly RecordHeader[] {
  const { numbered } = submitted
  if (numbered === undefined) return submitted.late ? [late] : none
  const numbers = [
    { key: 'producer', value: Buffer.from(numbered.producer) },
    { key: 'sequence', value: Buffer.from(String(numbered.sequence)) },
  ]
  return submitted.late ? [late, ...numbers] : numbers
}

/** Whether events of this type hold personal fields, which are written under the tenant's key only. */
export function holdsPersonal(topic: AnyEventTopic, type: string): boolean {
  return hasPersonal(parseSchema(eventSchema(type, definitionOf(topic, type))))
}

function definitionOf(topic: AnyEventTopic, type: string): EventDefinition {
  return (topic.events as Readonly<Record<string, EventDefinition>>)[type]!
}
