/** Who the demo is for, and when it has to go: the client is compensated, or erased. */

import { clientEvents, demoEvents } from '../../schemas/index.ts'
import { defineProcessor, emit } from '../define.ts'
import type { DemoSettings } from '../demo/settings.ts'
import { demoState, disarmed, erasedDemo, noDemo } from '../demo/state.ts'
import { begin, takenDown } from '../demo/studio.ts'

export const demoClient = (settings: DemoSettings) =>
  defineProcessor({
    name: 'demo-client',
    reads: clientEvents,
    writes: [demoEvents],
    state: demoState,
    handle(state, input, context) {
      if (state?.status === 'erased') return { state }
      const known = state ?? noDemo
      switch (input.event_type) {
        case 'client_created': {
          if (known.company != null) return { state }
          const { company_name, domain = null, industry = null } = input
          return begin(settings, { ...known, company: { company_name, domain, industry } }, context)
        }
        case 'compensation_requested':
          return input.step === 'demo' ? takenDown(settings, known, 'compensation', context) : { state }
        case 'client_erased':
          return known.keys.length === 0 && known.call == null
            ? { state: erasedDemo, emit: gone(known.demo_id), timers: disarmed }
            : takenDown(settings, { ...known, exports: [], export_call: null, exporting: 0 }, 'erased', context)
        default:
          return { state }
      }
    },
  })

/** Of a demo that was taken down before: what was projected of it goes as well. */
const gone = (demo_id: string) =>
  demo_id === '' ? [] : [emit(demoEvents, 'demo_unpublished', { demo_id, reason: 'erased' })]
