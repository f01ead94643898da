/**
 * From a step to events: ids, times and tenancy of what a processor emits follow from what it was given, so that a
 * replay makes equal bytes.
 */

import type { AnyEvent } from '../schemas/index.ts'
import { derivedEventId, parseKey, recordKey, timerEventId, uuidv5 } from '../schemas/index.ts'
import type { AnyProcessor, AnyTopic, Emission, StepContext, TimerFired } from './define.ts'

/** What is known of an input, event or timer, beside its content. */
export interface Cause {
  /** The record key as text: tenant_id|… */
  readonly key: string
  readonly input: AnyEvent | TimerFired
}

/** An event ready to be encoded, its topic and its key. */
export interface CompletedEvent {
  readonly topic: AnyTopic
  readonly key: string
  readonly event: AnyEvent
}

export const isTimer = (input: AnyEvent | TimerFired): input is TimerFired => input.event_type === '$timer'

/** Identity of one firing: the cause of what it emits. */
function firingId(processor: AnyProcessor, key: string, timer: TimerFired): string {
  return timerEventId({ processor: processor.name, key, timer: timer.timer, dueAt: timer.due_at, type: '$timer', n: 0 })
}

/** A timer belongs to an organization only where the key says which; a step on another topic keeps it in its state. */
const organizationOf = (processor: AnyProcessor, key: string): string =>
  processor.reads.key === 'O' ? (parseKey(key).id ?? '') : ''

export function contextOf(processor: AnyProcessor, cause: Cause): StepContext {
  const { input, key } = cause
  const eventId = isTimer(input) ? firingId(processor, key, input) : input.event_id
  return {
    time: isTimer(input) ? input.due_at : input.timestamp,
    tenantId: isTimer(input) ? parseKey(key).tenantId : input.tenant_id,
    organizationId: isTimer(input) ? organizationOf(processor, key) : input.organization_id,
    key,
    eventId,
    correlationId: isTimer(input) ? organizationOf(processor, key) : input.correlation_id,
    id: (name) => uuidv5(JSON.stringify(['step', eventId, processor.name, name])),
  }
}

/** Completes what a step emits, in order. @throws Error when a topic is not declared; BadRecord for a bad key */
export function completeEmissions(
  service: string,
  processor: AnyProcessor,
  cause: Cause,
  context: StepContext,
  emissions: readonly Emission[],
): CompletedEvent[] {
  const counts = new Map<string, number>()
  return emissions.map(({ topic, type, payload, organizationId }) => {
    if (!processor.writes.some((declared) => declared.name === topic.name))
      throw new Error(
        `processor "${processor.name}" emits ${type} to ${topic.name}, which it does not declare in writes`,
      )
    const definition = topic.events[type]
    if (definition === undefined)
      throw new Error(`processor "${processor.name}" emits ${type}, which ${topic.name} does not have`)
    const n = counts.get(type) ?? 0
    counts.set(type, n + 1)
    const organization = organizationId ?? context.organizationId
    const event: AnyEvent = {
      event_id: idOf(processor, cause, type, n),
      event_type: type,
      event_version: definition.version,
      timestamp: context.time,
      tenant_id: context.tenantId,
      organization_id: organization,
      correlation_id: context.correlationId,
      causation_id: context.eventId,
      source: service,
      actor: { type: 'system', id: processor.name },
      ...payload,
    }
    const key = recordKey(topic, { tenant_id: context.tenantId, organization_id: organization, payload })
    return { topic, key, event }
  })
}

function idOf(processor: AnyProcessor, cause: Cause, type: string, n: number): string {
  const { input, key } = cause
  if (!isTimer(input)) return derivedEventId({ cause: input.event_id, processor: processor.name, type, n })
  return timerEventId({ processor: processor.name, key, timer: input.timer, dueAt: input.due_at, type, n })
}
