/** What people command about a review, judged. */

import { reviewEvents } from '../../schemas/index.ts'
import type { PayloadOf } from '../../schemas/index.ts'
import type { Step } from '../define.ts'
import { emit } from '../define.ts'
import type { ReviewQueueSettings } from './settings.ts'
import type { QueueState, Review } from './state.ts'
import { holderAt, isOpen, replaced } from './state.ts'

export type Decision = PayloadOf<typeof reviewEvents.events, 'review_decision_requested'>

export interface Command {
  readonly queue: QueueState
  readonly review_id: string
  /** What is known under that id. */
  readonly review: Review | undefined
  /** Who commands. */
  readonly by: string
  readonly time: number
}

export function claimed(settings: ReviewQueueSettings, { queue, review, review_id, by, time }: Command) {
  const reason = closedReason(review)
  if (review === undefined || reason !== null) return refused(queue, review_id, 'claim', reason ?? 'unknown')
  const holder = holderAt(review, time)
  if (holder !== null && holder !== by) return refused(queue, review_id, 'claim', 'held', review.lease)
  const lease = { holder: by, until: time + settings.leaseMs }
  const told = emit(reviewEvents, 'review_claimed', { review_id, human_agent_id: by, lease_until: lease.until })
  return { state: replaced(queue, { ...review, lease }), emit: [told] }
}

export function released({ queue, review, review_id, by, time }: Command): Step<QueueState> {
  const reason = closedReason(review)
  if (review === undefined || reason !== null) return refused(queue, review_id, 'release', reason ?? 'unknown')
  if (holderAt(review, time) !== by) return refused(queue, review_id, 'release', 'not_holder', review.lease)
  const told = emit(reviewEvents, 'review_released', { review_id, reason: 'asked' })
  return { state: replaced(queue, { ...review, lease: null }), emit: [told] }
}

export function decided(
  settings: ReviewQueueSettings,
  { queue, review, review_id, by, time }: Command,
  { decision, edits = null, comment = null }: Decision,
): Step<QueueState> {
  const holder = review === undefined ? null : holderAt(review, time)
  const reason = closedReason(review) ?? (holder !== null && holder !== by ? 'not_holder' : null)
  if (review === undefined || reason !== null) {
    const rejected = { review_id, reason: reason ?? 'unknown' } as const
    return { state: queue, emit: [emit(reviewEvents, 'review_decision_rejected', rejected)] }
  }
  if (decision === 'escalate') {
    const escalated = emit(reviewEvents, 'review_escalated', { review_id, to_queue: settings.escalateTo })
    return { state: replaced(queue, { ...review, lease: null }), emit: [escalated] }
  }
  const ms = Math.max(0, time - review.requested_at)
  const told = emit(reviewEvents, 'review_decided', { review_id, decision, edits, comment, by, ms })
  return { state: replaced(queue, { ...review, decided: true, lease: null }), emit: [told] }
}

const closedReason = (review: Review | undefined): 'unknown' | 'late' | null =>
  review === undefined ? 'unknown' : isOpen(review) ? null : 'late'

/** Who asked in vain is told who holds the review, and until when. */
function refused(
  queue: QueueState,
  review_id: string,
  command: 'claim' | 'release',
  reason: 'unknown' | 'late' | 'held' | 'not_holder',
  lease: Review['lease'] = null,
): Step<QueueState> {
  const held = { held_by: lease?.holder ?? null, lease_until: lease?.until ?? null }
  return { state: queue, emit: [emit(reviewEvents, 'review_claim_rejected', { review_id, command, reason, ...held })] }
}
