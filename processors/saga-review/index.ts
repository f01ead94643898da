/**
 * Reviews as the saga sees them. Research that waits for a person has no deadline any more. On the saga's own question
 * a person approves, and research is asked for once more, or rejects, and the lifecycle ends. It ends too when nobody
 * answers in time: there is no research to go on with.
 */

import { clientEvents, researchEvents, reviewEvents } from '../../schemas/index.ts'
import type { Step, StepContext } from '../define.ts'
import { defineProcessor, emit } from '../define.ts'
import { observed, researchDeadline } from '../lifecycle-saga/research-step.ts'
import type { SagaSettings } from '../lifecycle-saga/settings.ts'
import type { SagaState } from '../lifecycle-saga/state.ts'
import { sagaState } from '../lifecycle-saga/state.ts'

export const sagaReview = (settings: SagaSettings) =>
  defineProcessor({
    name: 'saga-review',
    reads: reviewEvents,
    writes: [clientEvents, researchEvents, reviewEvents],
    state: sagaState,
    handle(state, input, context) {
      switch (input.event_type) {
        case 'review_requested': {
          if (input.requester !== 'research') return { state }
          const outcome = { kind: 'in_review', at: input.timestamp, ref: input.subject_ref, reason: '' } as const
          return observed(settings, state, outcome, context)
        }
        case 'review_decided': {
          if (state?.review_id == null || state.review_id !== input.review_id) return { state }
          return input.decision === 'reject' ? aborted(state, 'research_rejected') : again(settings, state, context)
        }
        case 'review_expired': {
          if (state?.review_id == null || state.review_id !== input.review_id) return { state }
          return input.fallback === 'escalate' ? { state } : aborted(state, 'review_expired')
        }
        default:
          return { state }
      }
    },
  })

function again(settings: SagaSettings, state: SagaState, context: StepContext): Step<SagaState> {
  const deadline = context.time + settings.researchWithinMs
  const { company_name, domain = null } = state
  return {
    state: { ...state, status: 'running', deadline, attempts: state.attempts + 1, review_id: null },
    emit: [
      emit(clientEvents, 'step_started', { step: 'research', deadline }),
      emit(researchEvents, 'research_requested', {
        company_name,
        domain,
        depth: 'standard',
        reason: 'review_approved',
      }),
    ],
    timers: { [researchDeadline]: deadline },
  }
}

function aborted(state: SagaState, reason: 'research_rejected' | 'review_expired'): Step<SagaState> {
  return {
    state: { ...state, status: 'aborted', deadline: null, review_id: null },
    emit: [
      emit(clientEvents, 'lifecycle_aborted', { reason, compensated: [] }),
      emit(clientEvents, 'stage_changed', { from: 'researching', to: 'lost', reason }),
    ],
    timers: { [researchDeadline]: null },
  }
}
