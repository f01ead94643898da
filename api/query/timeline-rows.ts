/** Rows of the timeline as readers see them, in lists, in chains of causes and in streams. */

import { z } from 'zod'
import { withoutSellersFields } from '../../schemas/index.ts'
import type { Principal } from '../http/endpoint.ts'
import { isAgent } from '../http/endpoint.ts'
import { instant } from './responses.ts'

export const timelineItem = z.object({
  event_id: z.string(),
  organization_id: z.uuid(),
  topic: z.string().meta({ example: 'client_events' }),
  partition: z.int(),
  offset: z.string().meta({ description: 'Exact beyond 2^53, so text', example: '41' }),
  position: z.string().meta({ description: 'For `min_position`', example: 'client_events-1@41' }),
  event_type: z.string().meta({ example: 'stage_changed' }),
  occurred_at: instant,
  causation_id: z.string().nullable().meta({ description: 'The event that caused it; null for a first cause' }),
  correlation_id: z.string(),
  source: z.string().meta({ example: 'lifecycle-saga' }),
  actor: z.object({ type: z.string(), id: z.string() }),
  summary: z.record(z.string(), z.unknown()).meta({
    description: "The payload without personal and long fields, and for a client without what is the seller's alone",
  }),
})
export type TimelineItem = z.infer<typeof timelineItem>

export interface TimelineRow {
  readonly event_id: string
  readonly organization_id: string
  readonly src_topic: string
  readonly src_part: number
  readonly src_offset: string
  readonly event_type: string
  /** Event time: whole milliseconds. */
  readonly occurred_at: Date
  readonly causation_id: string
  readonly correlation_id: string
  readonly source: string
  readonly actor_type: string
  readonly actor_id: string
  readonly summary: Readonly<Record<string, unknown>>
}

export const timelineColumns = `event_id, organization_id, src_topic, src_part, src_offset, event_type, occurred_at, causation_id,
  correlation_id, source, actor_type, actor_id, summary`

/** As this reader may see it. */
export const shownItem = (row: TimelineRow, principal: Principal): TimelineItem => ({
  event_id: row.event_id,
  organization_id: row.organization_id,
  topic: row.src_topic,
  partition: row.src_part,
  offset: row.src_offset,
  position: `${row.src_topic}-${String(row.src_part)}@${row.src_offset}`,
  event_type: row.event_type,
  occurred_at: row.occurred_at.toISOString(),
  causation_id: row.causation_id === '' ? null : row.causation_id,
  correlation_id: row.correlation_id,
  source: row.source,
  actor: { type: row.actor_type, id: row.actor_id },
  summary: isAgent(principal) ? row.summary : withoutSellersFields(row.event_type, row.summary),
})
