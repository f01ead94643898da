/** Decisions that wait for a person, and those that were taken. Priority depends on the hour, so it is made when read. */

import { reviewEvents } from '../../schemas/index.ts'
import { defineProjection } from '../projection.ts'
import { defineTable, instant, json, long, nullable, patch, personal, put, text, uuid } from '../table.ts'
import { known } from './known.ts'

export const reviewQueueTable = defineTable('review_queue', {
  key: { tenant_id: uuid, review_id: text },
  columns: {
    organization_id: uuid,
    /** open · claimed · decided · expired. A claim counts until lease_until only. */
    status: text,
    subject_type: text,
    subject_ref: text,
    reason: text,
    risk: text,
    proposed_action: personal(json),
    options: json,
    requester: text,
    requested_at: instant,
    due_at: instant,
    queue: nullable(text),
    claimed_by: nullable(text),
    lease_until: nullable(instant),
    decision: nullable(text),
    edits: personal(json),
    comment: personal(text),
    decided_by: nullable(text),
    decided_at: nullable(instant),
    ms: nullable(long),
    fallback: nullable(text),
  },
})

export const reviewQueue = defineProjection({
  name: 'review-queue',
  reads: reviewEvents,
  tables: [reviewQueueTable],
  apply(event) {
    switch (event.event_type) {
      case 'review_requested':
        return [
          put(reviewQueueTable, keyOf(event), {
            organization_id: event.organization_id,
            status: 'open',
            subject_type: event.subject_type,
            subject_ref: event.subject_ref,
            reason: event.reason,
            risk: event.risk,
            proposed_action: known(event.proposed_action),
            options: event.options,
            requester: event.requester,
            requested_at: event.timestamp,
            due_at: event.due_at,
          }),
        ]
      case 'review_claimed':
        return [
          patch(reviewQueueTable, keyOf(event), {
            status: 'claimed',
            claimed_by: event.human_agent_id,
            lease_until: event.lease_until,
          }),
        ]
      case 'review_released':
        return [patch(reviewQueueTable, keyOf(event), { status: 'open', claimed_by: null, lease_until: null })]
      case 'review_decided':
        return [
          patch(reviewQueueTable, keyOf(event), {
            status: 'decided',
            decision: event.decision,
            edits: known(event.edits),
            comment: known(event.comment),
            decided_by: event.by,
            decided_at: event.timestamp,
            ms: event.ms,
          }),
        ]
      case 'review_expired':
        return [
          patch(reviewQueueTable, keyOf(event), {
            status: 'expired',
            fallback: event.fallback,
            decided_at: event.timestamp,
            claimed_by: null,
            lease_until: null,
          }),
        ]
      case 'review_escalated':
        return [
          patch(reviewQueueTable, keyOf(event), {
            status: 'open',
            queue: event.to_queue,
            claimed_by: null,
            lease_until: null,
            decided_at: null,
          }),
        ]
      default:
        return []
    }
  },
})

const keyOf = (event: { readonly tenant_id: string; readonly review_id: string }) => ({
  tenant_id: event.tenant_id,
  review_id: event.review_id,
})
