/** A new organization begins its lifecycle; the research step runs against its deadline. */

import { authEvents, clientEvents, reviewEvents } from '../../schemas/index.ts'
import { defineProcessor } from '../define.ts'
import { researchDeadline, started, timedOut } from '../lifecycle-saga/research-step.ts'
import type { SagaSettings } from '../lifecycle-saga/settings.ts'
import { sagaState } from '../lifecycle-saga/state.ts'

export const sagaStart = (settings: SagaSettings) =>
  defineProcessor({
    name: 'saga-start',
    reads: authEvents,
    writes: [clientEvents, reviewEvents],
    state: sagaState,
    timers: [researchDeadline],
    handle(state, input, context) {
      switch (input.event_type) {
        case '$timer':
          return state === null ? { state } : timedOut(settings, state, context)
        case 'organization_created': {
          const { company_name, domain, industry } = input
          return started(settings, state, { company_name, domain: domain ?? null, industry: industry ?? null }, context)
        }
        default:
          return { state }
      }
    },
  })
