/** Claiming a review, so that nobody else works on it meanwhile, and giving it back: commands on the topic. */

import type { Endpoint } from '../http/endpoint.ts'
import { endpoint } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'
import { readQuery } from './parameters.ts'
import { read404 } from './responses.ts'
import type { ReviewCommands } from './review-command.ts'
import { commandAnswer, commandReview, refuseClosedOrHeld } from './review-command.ts'

const written = (description: string) => [{ status: 202, description, schema: commandAnswer }]
export const forbidden = {
  status: 403,
  description:
    '`forbidden`: for agents who do more than observe and, about findings, owners and admins; `sellers_decision`: for agents alone',
}

export function reviewClaimEndpoints(commands: ReviewCommands): readonly Endpoint[] {
  return [
    endpoint({
      method: 'post',
      path: '/reviews/:review_id/claim',
      summary: 'Claim a review for a quarter of an hour; claiming again prolongs it. Of two at once the first wins.',
      tag: 'reviews',
      auth: 'bearer',
      query: readQuery,
      response: [
        ...written('Written; read the review with `min_position` to see who holds it'),
        forbidden,
        { status: 409, description: '`already_decided`, or `held_by_another` person: `held_by`, until `lease_until`' },
        ...read404,
      ],
      handler: (context) =>
        commandReview(commands, 'review_claim_requested', context, {}, (review) =>
          refuseClosedOrHeld(review, context.principal),
        ),
    }),
    endpoint({
      method: 'post',
      path: '/reviews/:review_id/release',
      summary: 'Give a claimed review back to the queue',
      tag: 'reviews',
      auth: 'bearer',
      query: readQuery,
      response: [
        ...written('Written; read the review with `min_position` to see it open'),
        forbidden,
        { status: 409, description: '`already_decided`, `not_claimed`, or `held_by_another` person' },
        ...read404,
      ],
      handler: (context) =>
        commandReview(commands, 'review_release_requested', context, {}, (review) => {
          refuseClosedOrHeld(review, context.principal)
          if (review.status !== 'claimed') throw new ApiProblem(409, 'not_claimed', 'Nobody holds this review.')
        }),
    }),
  ]
}
