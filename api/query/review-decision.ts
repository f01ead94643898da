/** Deciding a review: a command on the topic. The first decision wins there; what is plainly too late is refused here. */

import { z } from 'zod'
import { checkPayload, reviewEvents } from '../../schemas/index.ts'
import type { Endpoint, UserPrincipal } from '../http/endpoint.ts'
import { endpoint } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'
import type { Ingest } from '../ingest/index.ts'
import { actorOf, requirePermission } from '../ingest/index.ts'
import { readQuery } from './parameters.ts'
import type { Reader } from './reader.ts'
import { read404 } from './responses.ts'
import type { ReviewRow } from './reviews.ts'
import { visibleReview } from './reviews.ts'

const decision = z.strictObject({
  decision: z.enum(['approve', 'reject', 'edit', 'escalate']),
  edits: z.record(z.string(), z.unknown()).optional().meta({ description: 'What to change, for `edit`' }),
  comment: z.string().min(1).max(4_000).optional(),
})
type Decision = z.infer<typeof decision>

const answer = z.object({ review_id: z.string(), event_id: z.uuid(), position: z.string() })
const type = 'review_decision_requested'

export function reviewDecisionEndpoint(reader: Reader, ingest: Ingest, time: () => number): Endpoint {
  return endpoint({
    method: 'post',
    path: '/reviews/:review_id/decision',
    summary: 'Decide a review. One decision counts: the first that reaches the queue.',
    tag: 'reviews',
    auth: 'bearer',
    request: decision,
    query: readQuery,
    response: [
      {
        status: 202,
        description: 'Written; read the review with `min_position` to see what came of it',
        schema: answer,
      },
      { status: 403, description: '`forbidden`: for agents, owners and admins' },
      { status: 409, description: '`already_decided`, or `held_by_another` person' },
      { status: 422, description: '`not_an_option` of this review' },
      ...read404,
    ],
    handler: async ({ principal, query, params, body, header }) => {
      const review = await reader.read(principal, query, ['review-queue'], (client) =>
        visibleReview(client, params.review_id ?? '', time()),
      )
      requirePermission(type, principal)
      checkOpen(review, principal, body)
      const { review_id } = review
      const receipt = await ingest.command(
        {
          draft: {
            topic: reviewEvents,
            type,
            payload: payloadOf(review_id, body),
            tenantId: review.tenant_id,
            organizationId: review.organization_id,
            actor: actorOf(principal),
          },
          request: { review_id, ...body },
        },
        header('idempotency-key'),
      )
      const position = receipt.positions[0]!
      return {
        status: 202,
        body: { review_id, event_id: receipt.eventIds[0]!, position },
        headers: { Position: position },
      }
    },
  })
}

function checkOpen(review: ReviewRow, principal: UserPrincipal, body: Decision): void {
  if (review.status === 'decided' || review.status === 'expired')
    throw new ApiProblem(409, 'already_decided', 'This review is closed.')
  if (review.status === 'claimed' && review.claimed_by !== principal.userId)
    throw new ApiProblem(409, 'held_by_another', 'Somebody else is working on this review.')
  if (!review.options.includes(body.decision))
    throw new ApiProblem(422, 'not_an_option', `This review takes: ${review.options.join(', ')}.`)
}

function payloadOf(review_id: string, body: Decision): Readonly<Record<string, unknown>> {
  const checked = checkPayload(reviewEvents, type, { review_id, ...body })
  if (checked.ok) return checked.payload
  const { path, code, message } = checked.issues[0]!
  throw new ApiProblem(422, code, `${path}: ${message}.`)
}
