/** Each run of the research engine: how it went, what it found, what it cost. */

import { researchEvents } from '../../schemas/index.ts'
import { defineProjection } from '../projection.ts'
import { count, defineTable, double, instant, json, long, nullable, patch, put, text, uuid } from '../table.ts'

export const researchSessionsTable = defineTable('research_sessions', {
  key: { tenant_id: uuid, research_session_id: text },
  columns: {
    organization_id: uuid,
    /** started · completed · failed */
    status: text,
    plan: json,
    started_at: instant,
    ended_at: nullable(instant),
    findings_count: nullable(count),
    competitors_count: nullable(count),
    min_confidence: nullable(double),
    cost_microdollars: nullable(long),
    failure_reason: nullable(text),
    /** When its findings were declared too old, or taken back. */
    stale_at: nullable(instant),
  },
})

export const researchSessions = defineProjection({
  name: 'research-sessions',
  reads: researchEvents,
  tables: [researchSessionsTable],
  apply(event) {
    switch (event.event_type) {
      case 'research_started':
        return [
          put(researchSessionsTable, keyOf(event), {
            organization_id: event.organization_id,
            status: 'started',
            plan: event.plan,
            started_at: event.timestamp,
          }),
        ]
      case 'research_completed':
        return [
          patch(researchSessionsTable, keyOf(event), {
            status: 'completed',
            ended_at: event.timestamp,
            findings_count: event.findings_count,
            competitors_count: event.competitors_count,
            min_confidence: event.min_confidence,
            cost_microdollars: event.cost,
          }),
        ]
      case 'research_failed':
        return [
          patch(researchSessionsTable, keyOf(event), {
            status: 'failed',
            ended_at: event.timestamp,
            failure_reason: event.reason,
          }),
        ]
      case 'research_stale':
        return [patch(researchSessionsTable, keyOf(event), { stale_at: event.timestamp })]
      default:
        return []
    }
  },
})

const keyOf = (event: { readonly tenant_id: string; readonly research_session_id: string }) => ({
  tenant_id: event.tenant_id,
  research_session_id: event.research_session_id,
})
