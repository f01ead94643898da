/** Research ended, one way or the other, or its findings were given up. */

import { clientEvents, researchEvents, reviewEvents } from '../../schemas/index.ts'
import { defineProcessor } from '../define.ts'
import type { Fact } from '../lifecycle-saga/moves.ts'
import { observed } from '../lifecycle-saga/progress.ts'
import type { SagaSettings } from '../lifecycle-saga/settings.ts'
import { sagaState } from '../lifecycle-saga/state.ts'

const kinds = { research_completed: 'completed', research_failed: 'failed', research_stale: 'undone' } as const

export const sagaResearch = (settings: SagaSettings) =>
  defineProcessor({
    name: 'saga-research',
    reads: researchEvents,
    writes: [clientEvents, reviewEvents],
    state: sagaState,
    handle(state, input, context) {
      switch (input.event_type) {
        case 'research_completed':
        case 'research_failed':
        case 'research_stale': {
          const { timestamp: at, research_session_id: ref, event_id } = input
          const reason = input.event_type === 'research_failed' ? input.reason : ''
          const fact: Fact = { step: 'research', kind: kinds[input.event_type], at, ref, reason, event_id }
          return observed(settings, state, fact, context)
        }
        default:
          return { state }
      }
    },
  })
