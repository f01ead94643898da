/** Answers when the log cannot take events now. Never a 2xx, never an unbounded wait: try again later. */

import { ApiProblem } from '../http/problem.ts'

const later = { 'Retry-After': '1' }

export const logUnavailable = (): ApiProblem =>
  new ApiProblem(503, 'log_unavailable', 'Nothing was written; try again.', { headers: later })

/** The commit was sent and no answer came. */
export const outcomeUnknown = (): ApiProblem =>
  new ApiProblem(
    503,
    'outcome_unknown',
    'The events may or may not have been written; a retry with the same Idempotency-Key writes them once.',
    { headers: later },
  )

export const overloaded = (): ApiProblem =>
  new ApiProblem(503, 'overloaded', 'Too much is waiting to be written; try again.', { headers: later })
