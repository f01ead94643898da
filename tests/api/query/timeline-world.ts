/** Rows of the timeline, as a sink writes them. */

import { organizationOf } from '../http/world.ts'
import { now } from './world.ts'

interface EventRow {
  readonly topic: string
  readonly event_id: string
  readonly type: string
  readonly cause?: string
  readonly summary?: object
  readonly partition?: number
}

/** @param n its offset, and how many seconds after the world's time it happened */
export const eventRow = (
  tenant_id: string,
  n: number,
  { topic, event_id, type, cause = '', summary = {}, partition = 0 }: EventRow,
) => ({
  tenant_id,
  organization_id: organizationOf(tenant_id),
  event_id,
  event_type: type,
  occurred_at: new Date(now + n * 1_000).toISOString(),
  causation_id: cause,
  correlation_id: organizationOf(tenant_id),
  source: 'test',
  actor_type: 'system',
  actor_id: 'test',
  summary,
  src_topic: topic,
  src_part: partition,
  src_offset: n,
})
