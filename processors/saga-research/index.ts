/** Research ended, one way or the other. */

import { clientEvents, researchEvents, reviewEvents } from '../../schemas/index.ts'
import { defineProcessor } from '../define.ts'
import { observed } from '../lifecycle-saga/research-step.ts'
import type { SagaSettings } from '../lifecycle-saga/settings.ts'
import { sagaState } from '../lifecycle-saga/state.ts'

export const sagaResearch = (settings: SagaSettings) =>
  defineProcessor({
    name: 'saga-research',
    reads: researchEvents,
    writes: [clientEvents, reviewEvents],
    state: sagaState,
    handle(state, input, context) {
      switch (input.event_type) {
        case 'research_completed': {
          const outcome = {
            kind: 'completed',
            at: input.timestamp,
            ref: input.research_session_id,
            reason: '',
          } as const
          return observed(settings, state, outcome, context)
        }
        case 'research_failed': {
          const { timestamp, research_session_id, reason } = input
          return observed(settings, state, { kind: 'failed', at: timestamp, ref: research_session_id, reason }, context)
        }
        default:
          return { state }
      }
    },
  })
