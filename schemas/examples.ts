/** Whole events made of the declared examples, for tests and documentation. */

import type { AnyEvent, EventTopic } from './envelope.ts'
import { derivedEventId, recordKey } from './ids.ts'

export interface Example {
  readonly event: AnyEvent
  readonly key: Buffer
}

/** The declared example of a type as an event of this tenant, with its record key. Deterministic. */
export function exampleEvent(topic: EventTopic, type: string, tenantId = 't1', organizationId = 'o1'): Example {
  const definition = topic.events[type]
  if (definition === undefined) throw new TypeError(`${topic.name} has no event type ${type}`)
  const payload = definition.example as Readonly<Record<string, unknown>>
  const event: AnyEvent = {
    event_id: derivedEventId({ cause: tenantId, processor: 'example', type, n: 0 }),
    event_type: type,
    event_version: definition.version,
    timestamp: 1_767_225_600_000,
    tenant_id: tenantId,
    organization_id: organizationId,
    correlation_id: organizationId,
    causation_id: '',
    source: 'example',
    actor: { type: 'system', id: 'example' },
    ...payload,
  }
  return {
    event,
    key: Buffer.from(recordKey(topic, { tenant_id: tenantId, organization_id: organizationId, payload })),
  }
}
