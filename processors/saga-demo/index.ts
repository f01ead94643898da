/** A demo engaged its viewers, could not be made, ran out, or was taken down. */

import { clientEvents, demoEvents, reviewEvents } from '../../schemas/index.ts'
import { defineProcessor } from '../define.ts'
import type { Fact } from '../lifecycle-saga/moves.ts'
import { observed } from '../lifecycle-saga/progress.ts'
import type { SagaSettings } from '../lifecycle-saga/settings.ts'
import { sagaState } from '../lifecycle-saga/state.ts'

const kinds = {
  demo_engaged: 'completed',
  demo_generation_failed: 'failed',
  demo_expired: 'expired',
  demo_unpublished: 'undone',
} as const

export const sagaDemo = (settings: SagaSettings) =>
  defineProcessor({
    name: 'saga-demo',
    reads: demoEvents,
    writes: [clientEvents, reviewEvents],
    state: sagaState,
    handle(state, input, context) {
      switch (input.event_type) {
        case 'demo_engaged':
        case 'demo_generation_failed':
        case 'demo_expired':
        case 'demo_unpublished': {
          const { timestamp: at, demo_id: ref, event_id } = input
          const reason = 'reason' in input ? input.reason : ''
          const fact: Fact = { step: 'demo', kind: kinds[input.event_type], at, ref, reason, event_id }
          return observed(settings, state, fact, context)
        }
        default:
          return { state }
      }
    },
  })
