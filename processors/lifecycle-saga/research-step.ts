/**
 * The saga's research step. The saga starts nothing itself: it watches facts, keeps the deadline, and asks a person when
 * the step failed or ran out of time.
 *
 * Its facts come from three topics in any order, so an outcome that is read before the client is kept (`early`) and
 * applied when the client comes; the same facts lead to the same state and the same events whatever the order.
 */

import { clientEvents, reviewEvents } from '../../schemas/index.ts'
import type { Emission, Step, StepContext } from '../define.ts'
import { emit } from '../define.ts'
import type { SagaSettings } from './settings.ts'
import type { SagaState } from './state.ts'

export const researchDeadline = 'research_deadline'

/** What became of research. `ref` is the session. */
export interface Outcome {
  readonly kind: 'completed' | 'failed' | 'in_review'
  readonly at: number
  readonly ref: string
  readonly reason: string
}

const waitingForClient: SagaState = Object.freeze({
  step: 'research',
  status: 'expected',
  company_name: '',
  started_at: 0,
  done: [],
  attempts: 0,
  early: [],
})

const earlyRemembered = 10

/** A fact about research: moves the step, or waits for the client. */
export function observed(
  settings: SagaSettings,
  state: SagaState | null,
  outcome: Outcome,
  context: StepContext,
): Step<SagaState> {
  const known = state ?? waitingForClient
  if (known.status === 'expected') return { state: { ...known, early: kept(known.early, outcome) } }
  if (known.status === 'completed' || known.status === 'aborted') return { state }
  switch (outcome.kind) {
    case 'completed':
      return completed(known, outcome)
    case 'in_review': // a person looks at it already: no deadline, no second review
      if (known.status !== 'running') return { state }
      return { state: { ...known, status: 'in_review', deadline: null }, timers: { [researchDeadline]: null } }
    case 'failed':
      return failed(settings, known, outcome, context)
  }
}

function kept(early: readonly Outcome[], outcome: Outcome): readonly Outcome[] {
  const known = early.some(({ kind, at, ref }) => kind === outcome.kind && at === outcome.at && ref === outcome.ref)
  return known ? early : [...early, outcome].slice(-earlyRemembered)
}

function completed(state: SagaState, outcome: Outcome): Step<SagaState> {
  const ms = Math.max(0, outcome.at - state.started_at)
  const done = [...state.done, { step: 'research' as const, at: outcome.at, ms, ref: outcome.ref }]
  return {
    state: { ...state, status: 'completed', deadline: null, done, review_id: null },
    emit: [emit(clientEvents, 'step_completed', { step: 'research', ms })],
    timers: { [researchDeadline]: null },
  }
}

function failed(settings: SagaSettings, state: SagaState, outcome: Outcome, context: StepContext): Step<SagaState> {
  if (state.status === 'failed') return { state }
  const failure = emit(clientEvents, 'step_failed', {
    step: 'research',
    class: outcome.reason,
    attempt: state.attempts,
  })
  const asked =
    state.review_id == null ? askPerson(settings, context, outcome, `research failed: ${outcome.reason}`) : null
  return {
    state: { ...state, status: 'failed', deadline: null, review_id: asked?.review_id ?? state.review_id ?? null },
    emit: asked === null ? [failure] : [failure, asked.event],
    timers: { [researchDeadline]: null },
  }
}

export function timedOut(settings: SagaSettings, state: SagaState, context: StepContext): Step<SagaState> {
  if (state.status !== 'running') return { state }
  const asked = askPerson(
    settings,
    context,
    { at: context.time, ref: context.organizationId },
    'research did not finish in time',
  )
  return {
    state: { ...state, status: 'timed_out', deadline: null, review_id: asked.review_id },
    emit: [emit(clientEvents, 'step_timed_out', { step: 'research' }), asked.event],
  }
}

/** approve tries the step again, reject ends the lifecycle. */
function askPerson(
  settings: SagaSettings,
  context: StepContext,
  about: { readonly at: number; readonly ref: string },
  reason: string,
): { readonly review_id: string; readonly event: Emission } {
  const review_id = context.id('review')
  const event = emit(reviewEvents, 'review_requested', {
    review_id,
    subject_type: 'step',
    subject_ref: about.ref,
    reason,
    risk: 'medium',
    proposed_action: { retry_step: 'research' },
    options: ['approve', 'reject'],
    requester: 'lifecycle-saga',
    due_at: about.at + settings.reviewWithinMs,
  })
  return { review_id, event }
}

/** The client exists: its lifecycle begins with research, and what was read early is applied. */
export function started(
  settings: SagaSettings,
  state: SagaState | null,
  company: { readonly company_name: string; readonly domain: string | null; readonly industry: string | null },
  context: StepContext,
): Step<SagaState> {
  if (state !== null && state.status !== 'expected') return { state }
  const deadline = context.time + settings.researchWithinMs
  const running: SagaState = {
    ...waitingForClient,
    status: 'running',
    company_name: company.company_name,
    domain: company.domain,
    started_at: context.time,
    deadline,
    attempts: 1,
  }
  const begun = [
    emit(clientEvents, 'lifecycle_started', { template: settings.template, version: settings.templateVersion }),
    emit(clientEvents, 'client_created', company),
    emit(clientEvents, 'stage_changed', { from: 'researching', to: 'researching', reason: 'organization_created' }),
    emit(clientEvents, 'step_started', { step: 'research', deadline }),
  ]
  const early = (state?.early ?? []).toSorted((a, b) => a.at - b.at)
  if (early.length === 0) return { state: running, emit: begun, timers: { [researchDeadline]: deadline } }
  return early.reduce<Step<SagaState>>(
    (step, outcome) => {
      const next = observed(settings, step.state, outcome, context)
      return { state: next.state, emit: [...(step.emit ?? []), ...(next.emit ?? [])] }
    },
    { state: running, emit: begun }, // no deadline: every outcome ends the wait for one
  )
}
