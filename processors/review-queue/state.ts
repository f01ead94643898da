/** What the queue keeps of one organization: its reviews, who works on which, and what was commanded lately. */

import { array, boolean, instant, optional, record, string } from '../../schemas/index.ts'
import type { StateOf } from '../define.ts'
import { defineState } from '../define.ts'

const handled = () => array(string())

export const reviewQueueState = defineState({
  store: 'reviews',
  version: 2,
  fields: {
    /** Oldest first. */
    reviews: array(
      record('Review', {
        review_id: string(),
        requested_at: instant(),
        decided: boolean(),
        subject_type: optional(string()),
        /** When its fallback applies; null when it waits for as long as it takes. */
        due_at: optional(instant()),
        /** When a fallback closed it. */
        expired_at: optional(instant()),
        /** Who works on it, until when. */
        lease: optional(record('Lease', { holder: string(), until: instant() })),
      }),
    ),
    /** Commands handled, newest last, bounded: a command that comes again is not judged again. */
    handled: handled(),
    /** When the timer fired last: it is not armed at or before that. */
    fired_at: optional(instant()),
  },
  example: {
    reviews: [
      {
        review_id: 'r1',
        requested_at: 1_767_225_600_000,
        decided: false,
        subject_type: 'finding',
        due_at: 1_767_312_000_000,
        lease: { holder: 'h1', until: 1_767_226_500_000 },
      },
    ],
    handled: ['e1'],
    fired_at: 1_767_225_000_000,
  },
  earlier: [
    {
      fields: {
        reviews: array(record('Review', { review_id: string(), requested_at: instant(), decided: boolean() })),
        handled: handled(),
      },
      /** Neither subject nor due time was kept: what is open waits for a person for as long as it takes. */
      upcast: (value) => {
        const { reviews, handled } = value as unknown as VersionOne
        const unknown = { subject_type: null, due_at: null, expired_at: null, lease: null }
        return { handled, fired_at: null, reviews: reviews.map((review) => ({ ...review, ...unknown })) }
      },
    },
  ],
})

interface VersionOne {
  readonly reviews: readonly Readonly<Record<string, unknown>>[]
  readonly handled: readonly string[]
}

export type QueueState = StateOf<typeof reviewQueueState>
export type Review = QueueState['reviews'][number]

export const emptyQueue: QueueState = Object.freeze({ reviews: [], handled: [] })

export const isOpen = ({ decided, expired_at }: Review): boolean => !decided && expired_at == null

/** The queue with one of its reviews in its place. */
export const replaced = (queue: QueueState, review: Review): QueueState => ({
  ...queue,
  reviews: queue.reviews.map((known) => (known.review_id === review.review_id ? review : known)),
})

/** Who works on a review at a time; a lease counts until its end, and not at it. */
export const holderAt = ({ lease }: Review, time: number): string | null =>
  lease != null && time < lease.until ? lease.holder : null

/** When the queue has to look again: the first end of a lease, or due time, of what is open. */
export function nextLook(queue: QueueState): number | null {
  const times = queue.reviews
    .filter(isOpen)
    .flatMap(({ due_at, lease }) => [due_at ?? Infinity, lease?.until ?? Infinity])
  const first = Math.min(...times)
  return first === Infinity ? null : Math.max(first, (queue.fired_at ?? -1) + 1)
}
