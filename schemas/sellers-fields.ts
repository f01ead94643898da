/**
 * What is the seller's alone: margins, costs, what was said to a provider and what came back, and the reasons of our own decisions.
 * Agents of ours read it; a client does not, neither its people nor its programs, whichever way they look. This is the list.
 */

import { deciderOf } from './review-deciders.ts'

type Named = Readonly<Record<string, unknown>>

/** In any event and in any row. */
const everywhere: readonly string[] = ['margin_basis_points', 'cost', 'cost_microdollars', 'unit_cost']

/** By event type. Whose review was decided its decision does not say, so what was said with it is read at the review. */
const ofEvent: Readonly<Record<string, readonly string[]>> = {
  call_requested: ['request'],
  call_answered: ['output', 'output_ref', 'error'],
  document_rejected: ['reason'],
  review_decision_requested: ['edits', 'comment'],
  review_decided: ['edits', 'comment'],
  context_updated: ['fields'],
  suggestion_made: ['text_ref', 'sources', 'confidence'],
  action_requested: ['args'],
}

/** Of a review that the seller decides: what is proposed and why, and what was said with the decision. */
const ofSellersReview: readonly string[] = ['reason', 'proposed_action', 'edits', 'comment']

/** @returns names of the fields of an event that no client reads @param fields the payload, or as much of it as is known */
export function sellersFields(eventType: string, fields: Named): ReadonlySet<string> {
  const review = eventType === 'review_requested' ? sellersReviewFields(fields['subject_type']) : []
  return new Set([...everywhere, ...(Object.hasOwn(ofEvent, eventType) ? ofEvent[eventType]! : []), ...review])
}

/** @returns names of what no client reads of a review about this */
export const sellersReviewFields = (subject: unknown): readonly string[] =>
  deciderOf(typeof subject === 'string' ? subject : null) === 'seller' ? ofSellersReview : []

/** The payload without what no client reads. */
export function withoutSellersFields(eventType: string, fields: Named): Named {
  const hidden = sellersFields(eventType, fields)
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !hidden.has(name)))
}

/** A row with null for what no client reads. @param more names that this row hides besides */
export function nullSellersFields<T extends object>(row: T, more: readonly string[] = []): T {
  const hidden = new Set([...everywhere, ...more])
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, hidden.has(name) ? null : value])) as T
}
