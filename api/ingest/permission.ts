/** Who may say what: some public events are decisions of a person, whichever door they come through. */

import { deciderOf, personalDecisions } from '../../schemas/index.ts'
import type { Principal } from '../http/endpoint.ts'
import { isAgent } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'

/**
 * AG5: an event of their own would stand in the tenant that is the agents' home, and not with a client.
 * @throws ApiProblem 403 `forbidden`
 */
export function requireSender(principal: Principal): void {
  if (isAgent(principal))
    throw new ApiProblem(403, 'forbidden', 'Agents send no events: a client does, or a program with its API key.')
}

/**
 * Who may claim, give back and decide a review about this: `schemas/review-deciders.ts` has the table. Which clients an agent
 * looks after is not known here: row-level security shows an agent no other review (AG5).
 * @param subject the review's subject type; null when it is not known
 */
export const mayReview = (principal: Principal, subject: string | null): boolean =>
  isAgent(principal) || (isResponsible(principal) && deciderOf(subject) === 'client')

const isResponsible = (principal: Principal): boolean =>
  principal.kind === 'user' && (principal.role === 'owner' || principal.role === 'admin')

/** Before anything is known of the review: programs and members decide none. @throws ApiProblem 403 `forbidden` */
export function requirePermission(type: string, principal: Principal): void {
  if (personalDecisions.has(type) && !isAgent(principal) && !isResponsible(principal)) throw refused()
}

/** @param subject as for {@link mayReview} @throws ApiProblem 403 `forbidden`, or `sellers_decision` for what is not the client's */
export function requireReviewer(principal: Principal, subject: string | null): void {
  if (mayReview(principal, subject)) return
  if (!isResponsible(principal)) throw refused()
  throw new ApiProblem(403, 'sellers_decision', 'This waits for the seller: an agent who looks after you decides it.')
}

const refused = (): ApiProblem =>
  new ApiProblem(403, 'forbidden', 'Reviews are decided by an agent, an owner or an admin.')

/** Corrections go where the review is looked at: only there it is known what may be corrected. @throws ApiProblem 403 */
export function requireNoCorrection(type: string, { decision }: Readonly<Record<string, unknown>>): void {
  if (type === 'review_decision_requested' && decision === 'edit')
    throw new ApiProblem(403, 'forbidden', 'Corrections are sent to /api/v1/reviews/{review_id}/decision.')
}
