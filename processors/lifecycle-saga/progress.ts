/**
 * How a client goes from step to step. The saga starts no step itself: each service begins at the fact of the one before. The saga
 * watches the facts, keeps the deadlines, asks a person, and is the only one to order that steps are undone (`compensation.ts`).
 *
 * SG1  Facts come from several topics in any order: one about a step that has not begun is kept, and applied when it begins; the
 *      same facts lead to the same steps whatever the order they were read in.
 * SG2  A fact that comes again, or comes about a step that is over, changes nothing.
 */

import { clientEvents, reviewEvents } from '../../schemas/index.ts'
import type { Emission, StepContext } from '../define.ts'
import { emit } from '../define.ts'
import { abort, undone } from './compensation.ts'
import type { Fact, Move } from './moves.ts'
import { sagaTimers, toStage } from './moves.ts'
import type { SagaSettings } from './settings.ts'
import type { SagaState } from './state.ts'
import { waitingForClient } from './state.ts'
import type { SagaStep, Stage } from './steps.ts'
import { placeOf, stageWhenPaid, stepAfter, stepRules } from './steps.ts'

const timerOf = (step: SagaStep): string => (step === 'research' ? sagaTimers.research : sagaTimers.step)

const earlyRemembered = 40

/** A fact about a step: moves the client, or waits until its step begins (SG1). */
export function observed(settings: SagaSettings, state: SagaState | null, fact: Fact, context: StepContext): Move {
  const known = state ?? waitingForClient
  if (known.status === 'aborted') return { state }
  if (known.status === 'compensating' || known.status === 'stuck') return undone(settings, known, fact, context)
  if (known.status === 'completed') return afterPayment(known, fact)
  const isEarly = known.status === 'expected' || placeOf(fact.step) > placeOf(known.step)
  if (isEarly) return { state: { ...known, early: kept(known.early, fact) } }
  if (fact.step !== known.step) return { state }
  return current(settings, known, fact, context)
}

function kept(early: SagaState['early'], fact: Fact): SagaState['early'] {
  return early.some(({ event_id }) => event_id === fact.event_id) ? early : [...early, fact].slice(-earlyRemembered)
}

/** A fact about the step that is under way. */
function current(settings: SagaSettings, state: SagaState, fact: Fact, context: StepContext): Move {
  switch (fact.kind) {
    case 'completed':
      return completed(settings, state, fact, context)
    case 'in_review': // a person looks at it already: no deadline, no second review
      if (state.status !== 'running') return { state }
      return { state: { ...state, status: 'in_review', deadline: null }, timers: { [timerOf(state.step)]: null } }
    case 'failed':
      return failed(settings, state, fact, context)
    case 'declined':
      return abort(settings, state, fact.reason === '' ? 'declined' : fact.reason, context)
    case 'expired':
      return late(settings, state, { at: fact.at, ref: fact.ref }, context)
    default:
      return { state }
  }
}

function completed(settings: SagaSettings, state: SagaState, fact: Fact, context: StepContext): Move {
  const { step } = state
  const ms = Math.max(0, fact.at - state.started_at)
  const done = [...state.done, { step, at: fact.at, ms, ref: fact.ref }]
  const told = emit(clientEvents, 'step_completed', { step, ms })
  const next = stepAfter(step)
  const disarmed = { [timerOf(step)]: null }
  const over: SagaState = { ...state, done, deadline: null, review_id: null }
  if (next === null) {
    const staged = toStage({ ...over, status: 'completed' }, stageWhenPaid, 'subscription_activated')
    return { state: staged.state, emit: [told, ...staged.emit], timers: disarmed }
  }
  const begun = begin(settings, over, next, fact.at, `${step}_completed`)
  const move: Move = { state: begun.state, emit: [told, ...begun.emit], timers: { ...disarmed, ...begun.timers } }
  return withEarly(settings, move, context)
}

/** The next step is under way from the moment the one before was done. */
function begin(
  settings: SagaSettings,
  state: SagaState,
  step: SagaStep,
  at: number,
  reason: string,
): { readonly state: SagaState; readonly emit: readonly Emission[]; readonly timers: Record<string, number> } {
  const deadline = at + settings.withinMs[step]
  const staged = toStage(
    { ...state, step, status: 'running', started_at: at, deadline, attempts: 1 },
    stepRules[step].stage,
    reason,
  )
  return {
    state: staged.state,
    emit: [...staged.emit, emit(clientEvents, 'step_started', { step, deadline })],
    timers: { [timerOf(step)]: deadline },
  }
}

/** Applies what was read early about the step that has begun, in the order it happened (SG1). */
function withEarly(settings: SagaSettings, move: Move, context: StepContext): Move {
  const { state } = move
  if (state === null) return move
  const facts = state.early.filter(({ step }) => step === state.step).toSorted((a, b) => a.at - b.at)
  if (facts.length === 0) return move
  const waiting: SagaState = { ...state, early: state.early.filter(({ step }) => step !== state.step) }
  return facts.reduce<Move>(
    (before, fact) => {
      const next = observed(settings, before.state, fact, context)
      return {
        state: next.state,
        emit: [...(before.emit ?? []), ...(next.emit ?? [])],
        timers: { ...before.timers, ...next.timers },
      }
    },
    { ...move, state: waiting },
  )
}

function failed(settings: SagaSettings, state: SagaState, fact: Fact, context: StepContext): Move {
  if (state.status === 'failed') return { state }
  const { step } = state
  const rule = stepRules[step].failed
  const told = emit(clientEvents, 'step_failed', { step, class: fact.reason, attempt: state.attempts })
  if (rule !== 'person') {
    const move = abort(settings, state, rule.abort, context)
    return { ...move, emit: [told, ...(move.emit ?? [])] }
  }
  const asked =
    state.review_id == null ? askPerson(settings, state, fact, `${step} failed: ${fact.reason}`, context) : null
  return {
    state: { ...state, status: 'failed', deadline: null, review_id: asked?.review_id ?? state.review_id ?? null },
    emit: asked === null ? [told] : [told, asked.event],
    timers: { [timerOf(step)]: null },
  }
}

/** The deadline of the step has come. */
export function timedOut(settings: SagaSettings, state: SagaState, context: StepContext): Move {
  const { status } = state
  if (status === 'nurturing') return abort(settings, state, 'no_engagement', context)
  if (status !== 'running') return { state }
  return late(settings, state, { at: context.time, ref: context.organizationId }, context)
}

/** Not done in time, by the saga's own deadline or by the service's: what the step's rule says. */
function late(
  settings: SagaSettings,
  state: SagaState,
  about: { readonly at: number; readonly ref: string },
  context: StepContext,
): Move {
  const { step } = state
  if (state.status === 'nurturing') return { state }
  const told = emit(clientEvents, 'step_timed_out', { step })
  const rule = stepRules[step].late
  if (rule === 'nurture') {
    const deadline = about.at + settings.nurtureMs
    return { state: { ...state, status: 'nurturing', deadline }, emit: [told], timers: { [timerOf(step)]: deadline } }
  }
  if (rule === 'person') {
    const asked = askPerson(settings, state, about, `${step} did not finish in time`, context)
    const next: SagaState = { ...state, status: 'timed_out', deadline: null, review_id: asked.review_id }
    return { state: next, emit: [told, asked.event], timers: { [timerOf(step)]: null } }
  }
  const move = abort(settings, state, rule.abort, context)
  return { ...move, emit: [told, ...(move.emit ?? [])] }
}

/** approve tries the step again, reject ends the lifecycle. */
function askPerson(
  settings: SagaSettings,
  { step }: SagaState,
  about: { readonly at: number; readonly ref: string },
  reason: string,
  context: StepContext,
): { readonly review_id: string; readonly event: Emission } {
  const review_id = context.id('review')
  const event = emit(reviewEvents, 'review_requested', {
    review_id,
    subject_type: 'step',
    subject_ref: about.ref,
    reason,
    risk: 'medium',
    proposed_action: { retry_step: step },
    options: ['approve', 'reject'],
    requester: 'lifecycle-saga',
    due_at: about.at + settings.reviewWithinMs,
  })
  return { review_id, event }
}

/** A person wants the step tried again: against a new deadline, and its service is asked. */
export function triedAgain(
  settings: SagaSettings,
  state: SagaState,
  request: Emission | null,
  context: StepContext,
): Move {
  const { step } = state
  const deadline = context.time + settings.withinMs[step]
  return {
    state: { ...state, status: 'running', deadline, attempts: state.attempts + 1, review_id: null },
    emit: [emit(clientEvents, 'step_started', { step, deadline }), ...(request === null ? [] : [request])],
    timers: { [timerOf(step)]: deadline },
  }
}

/** The client exists: its lifecycle begins with research, and what was read early is applied. */
export function started(
  settings: SagaSettings,
  state: SagaState | null,
  company: { readonly company_name: string; readonly domain: string | null; readonly industry: string | null },
  context: StepContext,
): Move {
  if (state !== null && state.status !== 'expected') return { state }
  const deadline = context.time + settings.withinMs.research
  const { company_name, domain } = company
  const running: SagaState = {
    ...waitingForClient,
    status: 'running',
    company_name,
    domain,
    begun_at: context.time,
    started_at: context.time,
    deadline,
    attempts: 1,
    early: state?.early ?? [],
  }
  const begun = [
    emit(clientEvents, 'lifecycle_started', { template: settings.template, version: settings.templateVersion }),
    emit(clientEvents, 'client_created', company),
    emit(clientEvents, 'stage_changed', { from: 'researching', to: 'researching', reason: 'organization_created' }),
    emit(clientEvents, 'step_started', { step: 'research', deadline }),
  ]
  return withEarly(settings, { state: running, emit: begun, timers: { [sagaTimers.research]: deadline } }, context)
}

/**
 * Of a client that had paid: what its payments do to it later. It has left with the subscription it pays for, no other one,
 * and comes back with another: an invoice of the one that ended, paid late or never, moves nobody who has left.
 */
function afterPayment(state: SagaState, fact: Fact): Move {
  if (fact.step !== 'billing') return { state }
  switch (fact.kind) {
    case 'completed': {
      const done = state.done.map((each) => (each.step === 'billing' ? { ...each, ref: fact.ref } : each))
      return state.stage === 'churned'
        ? moved({ ...state, done }, stageWhenPaid, 'subscription_activated')
        : { state: { ...state, done } }
    }
    case 'suspended':
      return state.stage === 'churned' ? { state } : moved(state, 'suspended', fact.reason)
    case 'recovered':
      return state.stage === 'churned' ? { state } : moved(state, stageWhenPaid, fact.reason)
    case 'canceled':
      return state.done.some(({ step, ref }) => step === 'billing' && ref !== fact.ref)
        ? { state }
        : moved(state, 'churned', fact.reason)
    default:
      return { state }
  }
}

function moved(state: SagaState, stage: Stage, reason: string): Move {
  const staged = toStage(state, stage, reason)
  return { state: staged.state, emit: staged.emit }
}
