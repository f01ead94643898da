/** Where one client stands in its lifecycle, as the saga has observed it. */

import {
  array,
  instant,
  int,
  long,
  oneOf,
  optional,
  record,
  stages,
  steps,
  string,
  withDefault,
} from '../../schemas/index.ts'
import type { StateOf } from '../define.ts'
import { defineState } from '../define.ts'
import { sagaSteps } from './steps.ts'

const step = () => oneOf(...sagaSteps)
const anyStep = () => oneOf(...steps)

/** Of version 1, which watched research alone. */
const research = {
  step: anyStep(),
  status: oneOf('expected', 'running', 'in_review', 'failed', 'timed_out', 'completed', 'aborted'),
  company_name: string(),
  domain: optional(string()),
  started_at: instant(),
  deadline: optional(instant()),
  done: array(record('Done', { step: anyStep(), at: instant(), ms: long(), ref: string() })),
  attempts: int(),
  review_id: optional(string()),
  early: array(
    record('Early', {
      kind: oneOf('completed', 'failed', 'in_review'),
      at: instant(),
      ref: string(),
      reason: string(),
    }),
  ),
}

/**
 * completed: done · failed · in_review: its service asked a person · declined, expired: ended from outside · undone: compensated ·
 * suspended, recovered, canceled: of a client that had paid
 */
export const factKinds = [
  'completed',
  'failed',
  'in_review',
  'declined',
  'expired',
  'undone',
  'suspended',
  'recovered',
  'canceled',
] as const

export const sagaState = defineState({
  store: 'lifecycles',
  version: 2,
  fields: {
    step: step(),
    /**
     * expected: facts came before the client did · running · in_review: the step's own service asked a person · failed,
     * timed_out: the saga asked a person · nurturing: a demo ran out, the prospect may still come · compensating · stuck:
     * a compensation failed for good and a person was asked · completed: paid · aborted
     */
    status: oneOf(
      'expected',
      'running',
      'in_review',
      'failed',
      'timed_out',
      'nurturing',
      'compensating',
      'stuck',
      'completed',
      'aborted',
    ),
    stage: withDefault(oneOf(...stages), 'researching'),
    company_name: string(),
    domain: optional(string()),
    /** Of the lifecycle, and of the first try of the step. */
    begun_at: withDefault(instant(), 0),
    started_at: instant(),
    deadline: optional(instant()),
    done: array(record('Done', { step: step(), at: instant(), ms: long(), ref: string() })),
    attempts: int(),
    /** The saga's own open review. */
    review_id: optional(string()),
    /** Facts read before their step began; the newest few. */
    early: array(
      record('Early', {
        step: withDefault(step(), 'research'),
        kind: oneOf(...factKinds),
        at: instant(),
        ref: string(),
        reason: string(),
        event_id: withDefault(string(), ''),
      }),
    ),
    /** Why the lifecycle ends, what is still to be undone (the first is being), and what was. */
    abort_reason: withDefault(string(), ''),
    to_undo: withDefault(array(step()), []),
    undo_attempt: withDefault(int(), 0),
    undone: withDefault(array(step()), []),
  },
  example: {
    step: 'demo',
    status: 'running',
    stage: 'demo',
    company_name: 'Acme',
    domain: 'acme.example',
    begun_at: 1_767_225_600_000,
    started_at: 1_767_225_604_000,
    deadline: 1_768_435_204_000,
    done: [{ step: 'research', at: 1_767_225_604_000, ms: 4_000, ref: 's1' }],
    attempts: 1,
    early: [],
    abort_reason: '',
    to_undo: [],
    undo_attempt: 0,
    undone: [],
  },
  earlier: [{ fields: research, upcast: fromResearchAlone }],
})

export type SagaState = StateOf<typeof sagaState>

/** A client whose research was done has its demo before it; when that ends is told by the demo's own facts. */
function fromResearchAlone(before: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const early = before['early'] as readonly Readonly<Record<string, unknown>>[]
  const done = before['status'] === 'completed'
  return {
    ...before,
    step: done ? 'demo' : 'research',
    status: done ? 'running' : before['status'],
    stage: done ? 'demo' : before['status'] === 'aborted' ? 'lost' : 'researching',
    begun_at: before['started_at'],
    early: early.map((fact) => ({ ...fact, step: 'research', event_id: '' })),
    abort_reason: '',
    to_undo: [],
    undo_attempt: 0,
    undone: [],
  }
}

/** Facts came, and the client has not. */
export const waitingForClient: SagaState = Object.freeze({
  step: 'research',
  status: 'expected',
  stage: 'researching',
  company_name: '',
  begun_at: 0,
  started_at: 0,
  done: [],
  attempts: 0,
  early: [],
  abort_reason: '',
  to_undo: [],
  undo_attempt: 0,
  undone: [],
})
