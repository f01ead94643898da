/**
 * The end of a lifecycle that cannot go on: what was begun is undone, the last first, one step at a time. Each service is asked
 * to undo its own step and says so with a fact; one that does not is asked again, and after so many times a person is.
 */

import { clientEvents, reviewEvents } from '../../schemas/index.ts'
import type { Emission, StepContext } from '../define.ts'
import { emit } from '../define.ts'
import type { Fact, Move } from './moves.ts'
import { sagaTimers, toStage } from './moves.ts'
import type { SagaSettings } from './settings.ts'
import type { SagaState } from './state.ts'
import type { SagaStep } from './steps.ts'

const deadlines = { [sagaTimers.research]: null, [sagaTimers.step]: null }

/** Ends the lifecycle for a reason. Research that was never done left nothing behind. */
export function abort(settings: SagaSettings, state: SagaState, reason: string, context: StepContext): Move {
  const begun: SagaStep[] = [...state.done.map(({ step }) => step), ...(state.step === 'research' ? [] : [state.step])]
  const to_undo = begun.toReversed()
  const ending: SagaState = {
    ...state,
    status: 'compensating',
    deadline: null,
    review_id: null,
    early: [],
    abort_reason: reason,
    to_undo,
    undo_attempt: 1,
    undone: [],
  }
  if (to_undo.length === 0) return ended(ending, deadlines)
  const started = emit(clientEvents, 'compensation_started', { from_step: state.step, reason })
  const asked = ask(settings, ending, context)
  return { ...asked, emit: [started, ...(asked.emit ?? [])], timers: { ...deadlines, ...asked.timers } }
}

function ask(settings: SagaSettings, state: SagaState, context: StepContext): Move {
  const [step] = state.to_undo
  if (step === undefined) return ended(state, {})
  const ref = state.done.find((done) => done.step === step)?.ref
  const refs: Readonly<Record<string, string>> = ref === undefined ? {} : { ref }
  return {
    state,
    emit: [emit(clientEvents, 'compensation_requested', { step, refs, attempt: state.undo_attempt })],
    timers: { [sagaTimers.undo]: context.time + settings.compensationWithinMs },
  }
}

/** A service says that its step is undone. */
export function undone(settings: SagaSettings, state: SagaState, fact: Fact, context: StepContext): Move {
  const [step, ...left] = state.to_undo
  if (fact.kind !== 'undone' || fact.step !== step) return { state }
  const told = emit(clientEvents, 'compensation_step_done', { step, fact_event_id: fact.event_id })
  const next: SagaState = {
    ...state,
    status: 'compensating',
    review_id: null,
    to_undo: left,
    undo_attempt: 1,
    undone: [...state.undone, step],
  }
  return after([told], left.length === 0 ? ended(next, { [sagaTimers.undo]: null }) : ask(settings, next, context))
}

/** Nobody said so in time. */
export function undoTimedOut(settings: SagaSettings, state: SagaState, context: StepContext): Move {
  const [step] = state.to_undo
  if (state.status !== 'compensating' || step === undefined) return { state }
  const attempt = state.undo_attempt
  const told = emit(clientEvents, 'compensation_step_failed', { step, attempt, class: 'timeout' })
  if (attempt < settings.compensationAttempts)
    return after([told], ask(settings, { ...state, undo_attempt: attempt + 1 }, context))
  const review_id = context.id('review')
  const review = emit(reviewEvents, 'review_requested', {
    review_id,
    subject_type: 'step',
    subject_ref: context.organizationId,
    reason: `${step} could not be undone`,
    risk: 'high',
    proposed_action: { undo_step: step },
    options: ['approve', 'reject'],
    requester: 'lifecycle-saga',
    due_at: context.time + settings.reviewWithinMs,
  })
  return { state: { ...state, status: 'stuck', review_id }, emit: [told, review] }
}

/** A person decided about what could not be undone: approve asks the service once more, reject leaves it as it is. */
export function undoDecided(settings: SagaSettings, state: SagaState, again: boolean, context: StepContext): Move {
  const going: SagaState = { ...state, status: 'compensating', review_id: null, undo_attempt: 1 }
  if (again) return ask(settings, going, context)
  const left: SagaState = { ...going, to_undo: state.to_undo.slice(1) }
  return left.to_undo.length === 0 ? ended(left, { [sagaTimers.undo]: null }) : ask(settings, left, context)
}

function ended(state: SagaState, timers: Readonly<Record<string, number | null>>): Move {
  const { abort_reason: reason, undone: compensated } = state
  const aborted = emit(clientEvents, 'lifecycle_aborted', { reason, compensated: [...compensated] })
  const staged = toStage({ ...state, status: 'aborted', to_undo: [] }, 'lost', reason)
  return { state: staged.state, emit: [aborted, ...staged.emit], timers }
}

const after = (first: readonly Emission[], move: Move): Move => ({ ...move, emit: [...first, ...(move.emit ?? [])] })
