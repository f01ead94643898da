/**
 * The outside calls of an organization, one at a time in each of two lanes: contracts and money wait for each other, usage
 * waits for usage only.
 *
 * Invariants
 * 1. The first job of a lane is the call in flight, or none is; only its own answer moves the lane.
 * 2. A job keeps its call id over retries: the payment service's idempotency key. A new wish is a new job with a new id.
 * 3. A job ends by a definite answer, or when its tries are used up; then the next one is asked.
 */

import type { PayloadOf } from '../../schemas/index.ts'
import { billingEvents } from '../../schemas/index.ts'
import type { Json } from '../../schemas/index.ts'
import type { Emission, StepContext } from '../define.ts'
import { emit } from '../define.ts'
import { retryTime } from '../retry.ts'
import type { BillingSettings } from './settings.ts'
import type { BillingState, Job, Operation } from './state.ts'

export interface Move {
  readonly state: BillingState
  readonly emit: readonly Emission[]
}

export const still = (state: BillingState): Move => ({ state, emit: [] })

/** Does one thing after another: each sees the state that the one before left. */
export function chained(state: BillingState, ...steps: readonly ((state: BillingState) => Move)[]): Move {
  return steps.reduce<Move>((move, step) => {
    const next = step(move.state)
    return { state: next.state, emit: [...move.emit, ...next.emit] }
  }, still(state))
}

export const laneOf = (operation: Operation): Job['lane'] => (operation === 'report_usage' ? 'usage' : 'contract')

/** Whether this wish stands in the queue already. */
export const isQueued = (state: BillingState, operation: Operation, ref: string): boolean =>
  state.jobs.some((job) => job.operation === operation && job.ref === ref)

/** Adds a job, unless the same one waits. */
export function enqueue(
  state: BillingState,
  wish: {
    readonly operation: Operation
    readonly ref: string
    readonly details?: Job['details']
    /** Of a call before that nobody answered. */
    readonly call_id?: string | undefined
  },
  context: StepContext,
): BillingState {
  const { operation, ref, details = {} } = wish
  if (isQueued(state, operation, ref)) return state
  const call_id = wish.call_id ?? context.id(`call:${operation}:${ref}`)
  return { ...state, jobs: [...state.jobs, { lane: laneOf(operation), operation, ref, details, call_id, attempt: 0 }] }
}

/** Asks for the first job of each lane that has not been asked for yet. */
export function pump(state: BillingState, context: StepContext): Move {
  return chained(
    state,
    (now) => pumpLane(now, 'contract', context),
    (now) => pumpLane(now, 'usage', context),
  )
}

function pumpLane(state: BillingState, lane: Job['lane'], context: StepContext): Move {
  const head = state.jobs.find((job) => job.lane === lane)
  if (head === undefined || head.attempt > 0) return still(state)
  return ask(state, { ...head, attempt: 1 }, context.time)
}

function ask(state: BillingState, job: Job, notBefore: number): Move {
  const call = {
    call_id: job.call_id,
    provider: 'stripe',
    operation: job.operation,
    attempt: job.attempt,
    not_before: notBefore,
    request: requestOf(state, job),
  }
  return {
    state: { ...state, jobs: state.jobs.map((each) => (each.call_id === job.call_id ? job : each)) },
    emit: [emit(billingEvents, 'call_requested', call)],
  }
}

/** What the job wants, with the customer as it is known when it is asked for. */
function requestOf(state: BillingState, { operation, details }: Job): Json {
  const needsCustomer = operation === 'create_subscription' || operation === 'report_usage'
  return needsCustomer ? { customer_id: state.customer_id ?? null, ...details } : { ...details }
}

export type CallAnswer = PayloadOf<typeof billingEvents.events, 'call_answered'>

/** How a job ended: the answer's output, or why there is none. */
export type Outcome =
  | { readonly ok: true; readonly output: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly reason: string }

/**
 * The answer to a call in flight: tried again, or ended.
 * @returns null for an answer that is late or not ours; `ended` null when the call is tried again
 */
export function answered(
  settings: BillingSettings,
  state: BillingState,
  answer: CallAnswer,
  context: StepContext,
): { readonly move: Move; readonly ended: { readonly job: Job; readonly outcome: Outcome } | null } | null {
  const job = state.jobs.find(({ call_id }) => call_id === answer.call_id)
  if (job === undefined || job.attempt !== answer.attempt) return null
  if (answer.class === 'retry' && job.attempt < settings.retry.attempts) {
    const notBefore = retryTime(settings.retry, {
      time: context.time,
      attempt: answer.attempt,
      retryAt: answer.retry_at ?? null,
      chance: context.id(`retry:${answer.call_id}`),
    })
    return { move: ask(state, { ...job, attempt: job.attempt + 1 }, notBefore), ended: null }
  }
  const left = { ...state, jobs: state.jobs.filter(({ call_id }) => call_id !== job.call_id) }
  return { move: still(left), ended: { job, outcome: outcomeOf(answer) } }
}

function outcomeOf(answer: CallAnswer): Outcome {
  if (answer.class !== 'ok') return { ok: false, reason: answer.class === 'retry' ? 'exhausted' : answer.class }
  const output = (typeof answer.output === 'object' ? answer.output : null) as Record<string, unknown> | null
  if (output === null) return { ok: false, reason: 'invalid' }
  const declined = output['declined']
  return typeof declined === 'string'
    ? { ok: false, reason: `declined: ${declined}`.slice(0, 100) }
    : { ok: true, output }
}

export const textOf = (output: Readonly<Record<string, unknown>>, name: string): string | null => {
  const value = output[name]
  return typeof value === 'string' && value !== '' ? value.slice(0, 255).toWellFormed() : null
}

export const numberOf = (output: Readonly<Record<string, unknown>>, name: string): number | null => {
  const value = output[name]
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : null
}
