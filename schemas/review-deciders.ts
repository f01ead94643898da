/**
 * Who decides a review, by what it is about. This table is the rule, and every door asks it: what is true of a company its own
 * owner and admins may say; what we charge, give back, build or try again is decided by people of ours alone.
 */

import type { PayloadOf } from './envelope.ts'
import type { reviewEvents } from './events/review-events.ts'

export type ReviewSubject = PayloadOf<typeof reviewEvents.events, 'review_requested'>['subject_type']

/** `client`: an owner or admin of the client, or an agent of ours · `seller`: an agent of ours, and nobody else. */
export type Decider = 'client' | 'seller'

export const reviewDeciders: Readonly<Record<ReviewSubject, Decider>> = Object.freeze({
  finding: 'client',
  document: 'seller',
  refund: 'seller',
  step: 'seller',
  prd: 'seller',
  config: 'seller',
  agent_interrupt: 'seller',
  message: 'seller',
  answer: 'seller',
})

/** @param subject the review's subject type; one that is not in the table, or not known, is the seller's */
export function deciderOf(subject: string | null | undefined): Decider {
  const known: Readonly<Record<string, Decider>> = reviewDeciders
  return subject != null && Object.hasOwn(known, subject) ? known[subject]! : 'seller'
}
