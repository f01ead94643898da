/** What a person commands about a review: an event on its topic, in the tenant of the review. The queue judges it there. */

import { z } from 'zod'
import { checkPayload, reviewEvents } from '../../schemas/index.ts'
import type { Answer, RequestContext, UserPrincipal } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'
import type { Ingest } from '../ingest/index.ts'
import { actorOf, requireReviewer } from '../ingest/index.ts'
import type { ReadQuery } from './parameters.ts'
import type { Reader } from './reader.ts'
import type { ReviewRow } from './reviews.ts'
import { visibleReview } from './reviews.ts'

export const commandAnswer = z.object({ review_id: z.string(), event_id: z.uuid(), position: z.string() })

export interface ReviewCommands {
  readonly reader: Reader
  readonly ingest: Ingest
  /** Event time in ms. */
  time(): number
}

export type ReviewCommand = 'review_claim_requested' | 'review_release_requested' | 'review_decision_requested'

/**
 * @param check refuses what is plainly in vain; what slips past it the queue refuses
 * @throws ApiProblem
 */
export async function commandReview<B extends object>(
  { reader, ingest, time }: ReviewCommands,
  type: ReviewCommand,
  { principal, query, params, header }: Omit<RequestContext<unknown, ReadQuery, UserPrincipal>, 'body'>,
  body: B,
  check: (review: ReviewRow) => void,
): Promise<Answer> {
  const review = await reader.read(principal, query, ['review-queue'], (client) =>
    visibleReview(client, params.review_id ?? '', time()),
  )
  requireReviewer(principal, review.subject_type)
  if (!review.is_acting)
    throw new ApiProblem(403, 'forbidden', 'You observe this client: you may read, and decide nothing.')
  check(review)
  const { review_id } = review
  const receipt = await ingest.command(
    {
      draft: {
        topic: reviewEvents,
        type,
        payload: payloadOf(type, review_id, body),
        tenantId: review.tenant_id,
        organizationId: review.organization_id,
        actor: actorOf(principal),
      },
      request: { type, review_id, ...body },
    },
    header('idempotency-key'),
  )
  const position = receipt.positions[0]!
  return {
    status: 202,
    body: { review_id, event_id: receipt.eventIds[0]!, position },
    headers: { Position: position },
  }
}

/** @throws ApiProblem 409 `already_decided`, or `held_by_another` with who holds it and until when */
export function refuseClosedOrHeld(review: ReviewRow, principal: UserPrincipal): void {
  if (review.status === 'decided' || review.status === 'expired')
    throw new ApiProblem(409, 'already_decided', 'This review is closed.')
  const { status, claimed_by, claimed_by_name, lease_until } = review
  if (status === 'claimed' && claimed_by !== principal.userId)
    throw new ApiProblem(409, 'held_by_another', `${claimed_by_name ?? 'Somebody else'} is working on this review.`, {
      extra: { held_by: claimed_by, held_by_name: claimed_by_name, lease_until: lease_until?.toISOString() ?? null },
    })
}

function payloadOf(type: ReviewCommand, review_id: string, body: object): Readonly<Record<string, unknown>> {
  const checked = checkPayload(reviewEvents, type, { review_id, ...body })
  if (checked.ok) return checked.payload
  const { path, code, message } = checked.issues[0]!
  throw new ApiProblem(422, code, `${path}: ${message}.`)
}
