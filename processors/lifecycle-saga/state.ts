/** Where one client stands in its lifecycle, as the saga has observed it. */

import { array, instant, int, long, oneOf, optional, record, steps, string } from '../../schemas/index.ts'
import type { StateOf } from '../define.ts'
import { defineState } from '../define.ts'

const step = () => oneOf(...steps)

export const sagaState = defineState({
  store: 'lifecycles',
  version: 1,
  fields: {
    step: step(),
    /**
     * expected: facts came before the client did · running · in_review: the step's own service asked a person ·
     * failed, timed_out: the saga asked a person · completed · aborted
     */
    status: oneOf('expected', 'running', 'in_review', 'failed', 'timed_out', 'completed', 'aborted'),
    company_name: string(),
    domain: optional(string()),
    /** Of the first try of the step. */
    started_at: instant(),
    deadline: optional(instant()),
    done: array(record('Done', { step: step(), at: instant(), ms: long(), ref: string() })),
    attempts: int(),
    /** The saga's own open review. */
    review_id: optional(string()),
    /** Outcomes read before the client was; the newest few. */
    early: array(
      record('Early', {
        kind: oneOf('completed', 'failed', 'in_review'),
        at: instant(),
        ref: string(),
        reason: string(),
      }),
    ),
  },
  example: {
    step: 'research',
    status: 'running',
    company_name: 'Acme',
    domain: 'acme.example',
    started_at: 1_767_225_600_000,
    deadline: 1_767_225_900_000,
    done: [],
    attempts: 1,
    early: [],
  },
})

export type SagaState = StateOf<typeof sagaState>
