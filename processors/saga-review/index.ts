/**
 * Reviews as the saga sees them. Research that waits for a person has no deadline any more. On the saga's own question
 * a person approves, and the step is asked for once more, or rejects, and the lifecycle ends. It ends too when nobody answers in
 * time: there is nothing to go on with.
 */

import { clientEvents, demoEvents, documentEvents, researchEvents, reviewEvents } from '../../schemas/index.ts'
import type { Emission, StepContext } from '../define.ts'
import { defineProcessor, emit } from '../define.ts'
import { abort, undoDecided } from '../lifecycle-saga/compensation.ts'
import type { Fact, Move } from '../lifecycle-saga/moves.ts'
import { observed, triedAgain } from '../lifecycle-saga/progress.ts'
import type { SagaSettings } from '../lifecycle-saga/settings.ts'
import type { SagaState } from '../lifecycle-saga/state.ts'
import { sagaState } from '../lifecycle-saga/state.ts'

export const sagaReview = (settings: SagaSettings) =>
  defineProcessor({
    name: 'saga-review',
    reads: reviewEvents,
    writes: [clientEvents, demoEvents, documentEvents, researchEvents, reviewEvents],
    state: sagaState,
    handle(state, input, context) {
      switch (input.event_type) {
        case 'review_requested': {
          if (input.requester !== 'research') return { state }
          const { timestamp: at, subject_ref: ref, event_id } = input
          const fact: Fact = { step: 'research', kind: 'in_review', at, ref, reason: '', event_id }
          return observed(settings, state, fact, context)
        }
        case 'review_decided': {
          if (state?.review_id == null || state.review_id !== input.review_id) return { state }
          return decided(settings, state, input.decision !== 'reject', context)
        }
        case 'review_expired': {
          if (state?.review_id == null || state.review_id !== input.review_id) return { state }
          return expired(settings, state, input.fallback === 'escalate', context)
        }
        default:
          return { state }
      }
    },
  })

function decided(settings: SagaSettings, state: SagaState, again: boolean, context: StepContext): Move {
  if (state.status === 'stuck') return undoDecided(settings, state, again, context)
  if (!again) return abort(settings, state, `${state.step}_rejected`, context)
  return triedAgain(settings, state, requestOf(state), context)
}

/** Nobody decided in time. What could not be undone waits for a person without end: it is money, or a client's data. */
function expired(settings: SagaSettings, state: SagaState, escalates: boolean, context: StepContext): Move {
  if (escalates || state.status === 'stuck') return { state }
  return abort(settings, state, 'review_expired', context)
}

/** How the service of the step is asked to begin it again. */
function requestOf({ step, company_name, domain = null, done }: SagaState): Emission | null {
  const reason = 'review_approved'
  switch (step) {
    case 'research':
      return emit(researchEvents, 'research_requested', { company_name, domain, depth: 'standard', reason })
    case 'demo': {
      const research_session_id = done.find((known) => known.step === 'research')?.ref ?? ''
      return emit(demoEvents, 'demo_requested', { research_session_id, reason })
    }
    case 'billing':
      return null
    default:
      return emit(documentEvents, 'document_requested', { document_type: step, inputs: {}, reason })
  }
}
