/** What a lifecycle that ends leaves armed: nothing of the steps, and of the compensation only what it waits for. */

import { describe, expect, test } from 'vitest'
import type { StepContext } from '../../processors/define.ts'
import { abort, undoDecided, undoTimedOut, undone } from '../../processors/lifecycle-saga/compensation.ts'
import type { Fact, Move } from '../../processors/lifecycle-saga/moves.ts'
import { observed, timedOut } from '../../processors/lifecycle-saga/progress.ts'
import { sagaDefaults as settings } from '../../processors/lifecycle-saga/settings.ts'
import type { SagaState } from '../../processors/lifecycle-saga/state.ts'
import { sagaState, waitingForClient } from '../../processors/lifecycle-saga/state.ts'
import type { SagaStep } from '../../processors/lifecycle-saga/steps.ts'
import { sagaReview } from '../../processors/saga-review/index.ts'

const start = 1_767_225_600_000
const at = (time: number): StepContext =>
  ({ time, organizationId: 'o1', id: (name: string) => `id of ${name}` }) as unknown as StepContext

const fact = (step: SagaStep, kind: Fact['kind'], time: number): Fact => ({
  step,
  kind,
  at: time,
  ref: `${step}-ref`,
  reason: '',
  event_id: `${step} ${kind} ${time}`,
})

const inNda: SagaState = {
  ...sagaState.example,
  step: 'nda',
  status: 'running',
  stage: 'negotiating',
  deadline: start + 1,
  done: (['research', 'demo'] as const).map((step) => ({ step, at: start, ms: 1, ref: `${step}-ref` })),
}

const stateOf = ({ state }: Move): SagaState => {
  expect(state).not.toBeNull()
  return state!
}
const said = ({ emit = [] }: Move): string[] =>
  emit.map(({ type, payload }) => [type, ...['step', 'attempt'].flatMap((name) => (payload as Record<string, unknown>)[name] ?? [])].join(' ')) // prettier-ignore

describe('compensation', () => {
  test('ends the deadlines of the steps, and arms that of the first to be undone', () => {
    const move = abort(settings, inNda, 'declined', at(start))
    expect(move.timers).toEqual({
      research_deadline: null,
      step_deadline: null,
      compensation_deadline: start + settings.compensationWithinMs,
    })
    expect(said(move)).toEqual(['compensation_started', 'compensation_requested nda 1'])
    expect(timedOut(settings, stateOf(move), at(start + 1))).toEqual({ state: stateOf(move) })
  })

  test('keeps nothing of what was read early: no step begins any more', () => {
    const early = [fact('pricing', 'completed', start)]
    expect(stateOf(abort(settings, { ...inNda, early }, 'declined', at(start))).early).toEqual([])
  })

  test('that a person was asked about waits without end, whatever becomes of the review', () => {
    const stuck: SagaState = { ...inNda, status: 'stuck', review_id: 'r1', to_undo: ['nda', 'demo'], undone: [] }
    for (const fallback of ['reject', 'escalate'] as const) {
      const input = { event_type: 'review_expired', review_id: 'r1', fallback, timestamp: start }
      expect(sagaReview(settings).handle(stuck, input as never, at(start)), fallback).toEqual({ state: stuck })
    }
  })

  test('with nothing to undo ends at once, and leaves nothing armed', () => {
    const research: SagaState = { ...inNda, step: 'research', stage: 'researching', done: [] }
    const move = abort(settings, research, 'research_rejected', at(start))
    expect(move.timers).toEqual({ research_deadline: null, step_deadline: null })
    expect(stateOf(move).status).toBe('aborted')
  })

  test('goes back step by step, each once, however often and in whatever order services speak', () => {
    let state = stateOf(abort(settings, inNda, 'declined', at(start)))
    const hear = (what: Fact): Move => {
      const move = observed(settings, state, what, at(what.at))
      state = stateOf(move)
      return move
    }
    expect(said(hear(fact('demo', 'undone', start + 1)))).toEqual([])
    expect(said(hear(fact('nda', 'completed', start + 2)))).toEqual([])
    expect(said(hear(fact('nda', 'undone', start + 3)))).toEqual(['compensation_step_done nda', 'compensation_requested demo 1']) // prettier-ignore
    expect(said(hear(fact('nda', 'undone', start + 4)))).toEqual([])
    expect(said(hear(fact('demo', 'undone', start + 5)))).toEqual(['compensation_step_done demo', 'compensation_requested research 1']) // prettier-ignore
    const last = hear(fact('research', 'undone', start + 6))
    expect(said(last)).toEqual(['compensation_step_done research', 'lifecycle_aborted', 'stage_changed'])
    expect(last.timers).toEqual({ compensation_deadline: null })
    expect(state).toMatchObject({ status: 'aborted', undone: ['nda', 'demo', 'research'], to_undo: [] })
    for (const step of ['research', 'demo', 'nda', 'billing'] as const)
      for (const kind of ['completed', 'undone', 'failed', 'canceled'] as const)
        expect(observed(settings, state, fact(step, kind, start + 7), at(start + 7))).toEqual({ state })
  })

  test('that nobody hears of is asked for again, as often as the settings say, then waits for a person and is not asked again', () => {
    let state = stateOf(abort(settings, inNda, 'declined', at(start)))
    for (let attempt = 1; attempt < settings.compensationAttempts; attempt++) {
      const move = undoTimedOut(settings, state, at(start + attempt))
      expect(said(move)).toEqual([`compensation_step_failed nda ${attempt}`, `compensation_requested nda ${attempt + 1}`]) // prettier-ignore
      state = stateOf(move)
    }
    const stuck = undoTimedOut(settings, state, at(start + 100))
    expect(said(stuck)).toEqual([`compensation_step_failed nda ${settings.compensationAttempts}`, 'review_requested'])
    state = stateOf(stuck)
    expect(undoTimedOut(settings, state, at(start + 101))).toEqual({ state })
    expect(said(undoDecided(settings, state, true, at(start + 102)))).toEqual(['compensation_requested nda 1'])
    const left = undoDecided(settings, state, false, at(start + 102))
    expect(said(left)).toEqual(['compensation_requested demo 1'])
    // The service speaks after all: its review is over, and the next step is asked for with its first attempt.
    const late = undone(settings, state, fact('nda', 'undone', start + 103), at(start + 103))
    expect(said(late)).toEqual(['compensation_step_done nda', 'compensation_requested demo 1'])
    expect(stateOf(late)).toMatchObject({ status: 'compensating', review_id: null })
  })

  test('ends with the last step that a person leaves as it is, and leaves nothing armed', () => {
    const stuck: SagaState = { ...inNda, status: 'stuck', review_id: 'r1', to_undo: ['demo'], undone: ['nda'] }
    const move = undoDecided(settings, stuck, false, at(start))
    expect(said(move)).toEqual(['lifecycle_aborted', 'stage_changed'])
    expect(move.timers).toEqual({ compensation_deadline: null })
    expect(stateOf(move).undone).toEqual(['nda'])
  })
})

describe('a step', () => {
  test('that is done closes the question that was asked about it, and one that is tried again too', () => {
    const asked: SagaState = { ...inNda, status: 'timed_out', deadline: null, review_id: 'r1' }
    expect(stateOf(observed(settings, asked, fact('nda', 'completed', start), at(start))).review_id).toBeNull()
  })

  test('that was timed out and fails asks no second time', () => {
    const asked: SagaState = { ...inNda, status: 'timed_out', deadline: null, review_id: 'r1' }
    const move = observed(settings, asked, fact('nda', 'failed', start), at(start))
    expect(said(move)).toEqual([`step_failed nda ${inNda.attempts}`])
    expect(stateOf(move)).toMatchObject({ status: 'failed', review_id: 'r1' })
  })

  test('of a client that has paid moves it by its payments alone', () => {
    const paid: SagaState = { ...inNda, step: 'billing', status: 'completed', stage: 'scoping', deadline: null }
    for (const step of ['demo', 'nda', 'contract'] as const)
      for (const kind of ['suspended', 'canceled', 'failed', 'completed'] as const)
        expect(observed(settings, paid, fact(step, kind, start), at(start)), `${step} ${kind}`).toEqual({ state: paid })
    expect(stateOf(observed(settings, paid, fact('billing', 'suspended', start), at(start))).stage).toBe('suspended')
  })

  test('whose deadline came while a person looks at it, or after it ended, changes nothing', () => {
    for (const status of [
      'in_review',
      'failed',
      'timed_out',
      'compensating',
      'stuck',
      'completed',
      'aborted',
    ] as const) {
      const state: SagaState = { ...inNda, status }
      expect(timedOut(settings, state, at(start)), status).toEqual({ state })
    }
  })

  test('is not begun by facts that came before the client, which are kept once and for the newest few', () => {
    let state: SagaState = waitingForClient
    for (let n = 0; n < 50; n++) {
      const told = fact('demo', 'completed', start + n)
      for (let twice = 0; twice < 2; twice++) state = stateOf(observed(settings, state, told, at(start)))
    }
    expect(state.status).toBe('expected')
    expect(state.early.map((early) => early.at)).toEqual(Array.from({ length: 40 }, (_, n) => start + 10 + n))
  })
})
