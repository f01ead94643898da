/** A new organization begins its lifecycle; every step runs against its deadline; a deleted one ends it. */

import { authEvents, clientEvents, reviewEvents } from '../../schemas/index.ts'
import { defineProcessor } from '../define.ts'
import { undoTimedOut } from '../lifecycle-saga/compensation.ts'
import { sagaTimers } from '../lifecycle-saga/moves.ts'
import { closed } from '../lifecycle-saga/closing.ts'
import { started, timedOut } from '../lifecycle-saga/progress.ts'
import type { SagaSettings } from '../lifecycle-saga/settings.ts'
import { sagaState } from '../lifecycle-saga/state.ts'

export const sagaStart = (settings: SagaSettings) =>
  defineProcessor({
    name: 'saga-start',
    reads: authEvents,
    writes: [clientEvents, reviewEvents],
    state: sagaState,
    timers: Object.values(sagaTimers),
    handle(state, input, context) {
      switch (input.event_type) {
        case '$timer':
          if (state === null) return { state }
          return input.timer === sagaTimers.undo
            ? undoTimedOut(settings, state, context)
            : timedOut(settings, state, context)
        case 'organization_created': {
          const { company_name, domain, industry } = input
          return started(settings, state, { company_name, domain: domain ?? null, industry: industry ?? null }, context)
        }
        case 'organization_deleted':
          return closed(state, input.mode)
        default:
          return { state }
      }
    },
  })
