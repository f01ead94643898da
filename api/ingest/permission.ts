/** Who may say what: some public events are decisions of a person, whichever door they come through. */

import { personalDecisions } from '../../schemas/index.ts'
import type { Principal } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'

/**
 * AG5: an event of their own would stand in the tenant that is the agents' home, and not with a client.
 * @throws ApiProblem 403 `forbidden`
 */
export function requireSender(principal: Principal): void {
  if (principal.kind === 'user' && principal.userType === 'agent')
    throw new ApiProblem(403, 'forbidden', 'Agents send no events: a client does, or a program with its API key.')
}

/** An agent of ours decides reviews of the tenants assigned to them; owners and admins those of their own. */
export const mayReview = (principal: Principal): boolean =>
  principal.kind === 'user' &&
  (principal.userType === 'agent' || principal.role === 'owner' || principal.role === 'admin')

/** @throws ApiProblem 403 `forbidden` */
export function requirePermission(type: string, principal: Principal): void {
  if (personalDecisions.has(type) && !mayReview(principal))
    throw new ApiProblem(403, 'forbidden', 'Reviews are decided by an agent, an owner or an admin.')
}

/** Corrections go where the review is looked at: only there it is known what may be corrected. @throws ApiProblem 403 */
export function requireNoCorrection(type: string, { decision }: Readonly<Record<string, unknown>>): void {
  if (type === 'review_decision_requested' && decision === 'edit')
    throw new ApiProblem(403, 'forbidden', 'Corrections are sent to /api/v1/reviews/{review_id}/decision.')
}
