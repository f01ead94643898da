/** Deciding a review: a command on the topic. The first decision wins there; what is plainly too late is refused here. */

import { z } from 'zod'
import type { Endpoint } from '../http/endpoint.ts'
import { endpoint } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'
import { readQuery } from './parameters.ts'
import { read404 } from './responses.ts'
import type { ReviewCommands } from './review-command.ts'
import { forbidden } from './review-claim.ts'
import { commandAnswer, commandReview, refuseClosedOrHeld } from './review-command.ts'

const decision = z.strictObject({
  decision: z.enum(['approve', 'reject', 'edit', 'escalate']),
  edits: z.record(z.string(), z.unknown()).optional().meta({ description: 'What to change, for `edit`' }),
  comment: z.string().min(1).max(4_000).optional(),
})

export function reviewDecisionEndpoint(commands: ReviewCommands): Endpoint {
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
        schema: commandAnswer,
      },
      forbidden,
      { status: 409, description: '`already_decided`, or `held_by_another` person: `held_by`, until `lease_until`' },
      { status: 422, description: '`not_an_option` of this review' },
      ...read404,
    ],
    handler: (context) =>
      commandReview(commands, 'review_decision_requested', context, context.body, (review) => {
        refuseClosedOrHeld(review, context.principal)
        const { options } = review
        if (!options.includes(context.body.decision))
          throw new ApiProblem(422, 'not_an_option', `This review takes: ${options.join(', ')}.`)
      }),
  })
}
