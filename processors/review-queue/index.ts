/**
 * Decisions that wait for a person. Any service puts a question (`review_requested`); what a person does is a command,
 * and this processor makes it a fact. Invariants:
 *
 * RQ1 A review is closed once: by the first decision on it, or by its due time. What comes later is rejected, `late`.
 * RQ2 At any time one person at most holds a review. Until the lease ends nobody else claims, releases or decides it;
 *     without a holder anybody may decide.
 * RQ3 One timer per organization stands at the first end of a lease or due time of what is open, and does all that is
 *     due by then, in the order of those times. It moves only when that time does.
 * RQ4 A command counts once, by its event id.
 *
 * `escalate`, a person's or the fallback's, closes nothing: the review stays open for the queue above, held by nobody,
 * and without a due time once that has passed.
 */

import { reviewEvents } from '../../schemas/index.ts'
import type { Emission, Step, StepContext } from '../define.ts'
import { defineProcessor, defineService, emit } from '../define.ts'
import { handledOnce } from '../handled.ts'
import type { Command, Decision } from './commands.ts'
import { claimed, decided, released } from './commands.ts'
import type { ReviewQueueSettings } from './settings.ts'
import { reviewQueueDefaults } from './settings.ts'
import type { QueueState, Review } from './state.ts'
import { emptyQueue, isOpen, nextLook, replaced, reviewQueueState } from './state.ts'

export type { Fallback, ReviewQueueSettings } from './settings.ts'
export { reviewQueueDefaults } from './settings.ts'

const timer = 'review_due'
const commandsRemembered = 50

export const reviewQueue = (settings: ReviewQueueSettings) =>
  defineProcessor({
    name: 'review-queue',
    reads: reviewEvents,
    writes: [reviewEvents],
    state: reviewQueueState,
    timers: [timer],
    handle(state, input, context) {
      const queue = state ?? emptyQueue
      switch (input.event_type) {
        case '$timer':
          return timed(null, looked(settings, queue, context.time))
        case 'review_requested': {
          const { review_id, subject_type, due_at } = input
          const review: Review = { review_id, requested_at: context.time, decided: false, subject_type, due_at }
          return timed(state, { state: listed(settings, queue, review) })
        }
        case 'review_claim_requested':
          return commanded(state, input, context, (command) => claimed(settings, command))
        case 'review_release_requested':
          return commanded(state, input, context, released)
        case 'review_decision_requested': {
          const decision: Decision = input
          return commanded(state, input, context, (command) => decided(settings, command, decision))
        }
        default:
          return { state }
      }
    },
  })

/** RQ4. */
function commanded(
  state: QueueState | null,
  input: { readonly review_id: string; readonly actor: { readonly id: string } },
  context: StepContext,
  judge: (command: Command) => Step<QueueState>,
): Step<QueueState> {
  const known = state ?? emptyQueue
  const queue = handledOnce(known, context.eventId, commandsRemembered)
  if (queue === null) return { state }
  const review = queue.reviews.find(({ review_id }) => review_id === input.review_id)
  return timed(state, judge({ queue, review, review_id: input.review_id, by: input.actor.id, time: context.time }))
}

function listed(settings: ReviewQueueSettings, queue: QueueState, review: Review): QueueState {
  if (queue.reviews.some(({ review_id }) => review_id === review.review_id)) return queue
  const reviews = [...queue.reviews, review]
  if (reviews.length <= settings.remembered) return { ...queue, reviews }
  const oldest = Math.max(
    0,
    reviews.findIndex((known) => !isOpen(known)),
  )
  return { ...queue, reviews: reviews.toSpliced(oldest, 1) }
}

/** RQ3: a due time goes before the end of a lease at the same moment. */
function looked(settings: ReviewQueueSettings, queue: QueueState, time: number): Step<QueueState> {
  const open = queue.reviews.filter(isOpen)
  const due = [
    ...open.map((review) => ({ review, at: review.due_at ?? Infinity, end: expired })),
    ...open.map((review) => ({ review, at: review.lease?.until ?? Infinity, end: leaseEnded })),
  ]
  let state: QueueState = { ...queue, fired_at: time }
  const told: Emission[] = []
  for (const { review, end } of due.filter(({ at }) => at <= time).sort((a, b) => a.at - b.at)) {
    const now = state.reviews.find(({ review_id }) => review_id === review.review_id)
    if (now === undefined) continue
    const after = end(settings, now, time)
    if (after === null) continue
    state = replaced(state, after.review)
    told.push(...after.emit)
  }
  return { state, emit: told }
}

type Ended = { readonly review: Review; readonly emit: readonly Emission[] } | null

function leaseEnded(_: ReviewQueueSettings, review: Review): Ended {
  if (!isOpen(review) || review.lease == null) return null
  const { review_id } = review
  const event = emit(reviewEvents, 'review_released', { review_id, reason: 'lease_expired' })
  return { review: { ...review, lease: null }, emit: [event] }
}

function expired(settings: ReviewQueueSettings, review: Review, time: number): Ended {
  const { review_id } = review
  const fallback = settings.fallbacks[review.subject_type ?? ''] ?? 'escalate'
  const event = emit(reviewEvents, 'review_expired', { review_id, fallback })
  if (fallback !== 'escalate') return { review: { ...review, expired_at: time, lease: null }, emit: [event] }
  const escalated = emit(reviewEvents, 'review_escalated', { review_id, to_queue: settings.escalateTo })
  return { review: { ...review, due_at: null, lease: null }, emit: [event, escalated] }
}

/** RQ3. After a firing (`before` is null) nothing is armed. */
function timed(before: QueueState | null, step: Step<QueueState>): Step<QueueState> {
  const [was, is] = [before, step.state].map((queue) => (queue === null ? null : nextLook(queue)))
  return was === is ? step : { ...step, timers: { [timer]: is ?? null } }
}

export const reviewQueueService = (settings: ReviewQueueSettings = reviewQueueDefaults) =>
  defineService('review-queue', [reviewQueue(settings)])
