/**
 * Decisions that wait for a person. Any service puts a question (`review_requested`); a person's decision is a command,
 * and this processor makes it a fact: the first one on a known review wins, any other is rejected with its reason.
 * `escalate` is no decision: the review stays open, for somebody else.
 */

import { array, boolean, instant, record, reviewEvents, string } from '../../schemas/index.ts'
import type { PayloadOf } from '../../schemas/index.ts'
import type { StateOf, Step, StepContext } from '../define.ts'
import { defineProcessor, defineService, defineState, emit } from '../define.ts'

export interface ReviewQueueSettings {
  /** Reviews remembered per organization; the oldest decided ones are forgotten first, then the oldest. */
  readonly remembered: number
  readonly escalateTo: string
}

export const reviewQueueDefaults: ReviewQueueSettings = Object.freeze({ remembered: 500, escalateTo: 'supervisors' })

const reviewQueueState = defineState({
  store: 'reviews',
  version: 1,
  fields: {
    /** Oldest first. */
    reviews: array(record('Review', { review_id: string(), requested_at: instant(), decided: boolean() })),
    /** Commands handled, newest last, bounded: a command that comes again is not judged again. */
    handled: array(string()),
  },
  example: { reviews: [{ review_id: 'r1', requested_at: 1_767_225_600_000, decided: false }], handled: ['e1'] },
})

type State = StateOf<typeof reviewQueueState>
const empty: State = Object.freeze({ reviews: [], handled: [] })
const commandsRemembered = 50

export const reviewQueue = (settings: ReviewQueueSettings) =>
  defineProcessor({
    name: 'review-queue',
    reads: reviewEvents,
    writes: [reviewEvents],
    state: reviewQueueState,
    handle(state, input, context) {
      const queue = state ?? empty
      switch (input.event_type) {
        case 'review_requested':
          return { state: listed(settings, queue, input.review_id, context.time) }
        case 'review_decision_requested': {
          if (queue.handled.includes(context.eventId)) return { state }
          const handled = [...queue.handled, context.eventId].slice(-commandsRemembered)
          return judged(settings, { ...queue, handled }, input, input.actor.id, context)
        }
        default:
          return { state }
      }
    },
  })

function listed(settings: ReviewQueueSettings, queue: State, review_id: string, time: number): State {
  if (queue.reviews.some((review) => review.review_id === review_id)) return queue
  const reviews = [...queue.reviews, { review_id, requested_at: time, decided: false }]
  if (reviews.length <= settings.remembered) return { ...queue, reviews }
  const oldest = Math.max(
    0,
    reviews.findIndex((review) => review.decided),
  )
  return { ...queue, reviews: reviews.toSpliced(oldest, 1) }
}

function judged(
  settings: ReviewQueueSettings,
  queue: State,
  command: PayloadOf<typeof reviewEvents.events, 'review_decision_requested'>,
  by: string,
  context: StepContext,
): Step<State> {
  const { review_id, decision, edits = null, comment = null } = command
  const review = queue.reviews.find((known) => known.review_id === review_id)
  if (review === undefined || review.decided) {
    const reason = review === undefined ? 'unknown' : 'late'
    return { state: queue, emit: [emit(reviewEvents, 'review_decision_rejected', { review_id, reason })] }
  }
  if (decision === 'escalate') {
    const escalated = emit(reviewEvents, 'review_escalated', { review_id, to_queue: settings.escalateTo })
    return { state: queue, emit: [escalated] }
  }
  const ms = Math.max(0, context.time - review.requested_at)
  const reviews = queue.reviews.map((known) => (known === review ? { ...known, decided: true } : known))
  const decided = emit(reviewEvents, 'review_decided', { review_id, decision, edits, comment, by, ms })
  return { state: { ...queue, reviews }, emit: [decided] }
}

export const reviewQueueService = (settings: ReviewQueueSettings = reviewQueueDefaults) =>
  defineService('review-queue', [reviewQueue(settings)])
