/**
 * What happened to an organization, over all topics: every event that names one, without what is about a person. A row has
 * one source topic, so each of the 18 topics has a projection and a table of its own, made from the list of topics;
 * `lifecycle.timeline` is the view over them.
 *
 * Rows are kept for a time (`deploy/timeline-sweep.ts`), not for ever: the topics have the whole history.
 */

import { impersonalPayload, topics } from '../../schemas/index.ts'
import type { AnyEventTopic, Envelope, EventDefinition, Json } from '../../schemas/index.ts'
import { defineProjection } from '../projection.ts'
import type { AnyProjection } from '../projection.ts'
import { defineTable, instant, json, put, text, uuid } from '../table.ts'

/** A field whose JSON is longer is not in the summary, in characters. */
export const summaryFieldChars = 1_000

export const timelineTable = (topic: string) =>
  defineTable(`timeline_${topic}`, {
    key: { tenant_id: uuid, event_id: text },
    columns: {
      organization_id: uuid,
      event_type: text,
      occurred_at: instant,
      /** The event that caused it; empty for a first cause. */
      causation_id: text,
      correlation_id: text,
      source: text,
      actor_type: text,
      actor_id: text,
      /** The payload without its personal and its long fields. */
      summary: json,
    },
    appendOnly: true,
  })

export function timelineOf(topic: AnyEventTopic): AnyProjection {
  const table = timelineTable(topic.name)
  const definitions = topic.events as Readonly<Record<string, EventDefinition>>
  return defineProjection({
    name: `timeline-${topic.name.replaceAll('_', '-')}`,
    reads: topic,
    tables: [table],
    apply(read: unknown) {
      const event = read as Envelope
      const definition = definitions[event.event_type]
      // An event of the platform itself names no organization: it is on nobody's timeline.
      if (definition === undefined || !isUuid(event.tenant_id) || !isUuid(event.organization_id)) return []
      const { tenant_id, event_id, organization_id, event_type, causation_id, correlation_id, source, actor } = event
      return [
        put(
          table,
          { tenant_id, event_id },
          {
            organization_id,
            event_type,
            occurred_at: event.timestamp,
            causation_id,
            correlation_id,
            source,
            actor_type: actor.type,
            actor_id: actor.id,
            summary: summaryOf(definition, event),
          },
        ),
      ]
    },
  })
}

export const timelines: readonly AnyProjection[] = Object.freeze(topics.map(timelineOf))

function summaryOf(definition: EventDefinition, event: unknown): Readonly<Record<string, Json>> {
  const all = Object.entries(impersonalPayload(definition, event)).filter(([, value]) => value !== null)
  return Object.fromEntries(all.filter(([, value]) => JSON.stringify(value).length <= summaryFieldChars))
}

const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const isUuid = (id: string): boolean => uuidForm.test(id)
