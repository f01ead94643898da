/** What was used is reported to the payment service, window by window. */

import { analyticsEvents, billingEvents, reviewEvents } from '../../schemas/index.ts'
import { still } from '../billing/jobs.ts'
import type { BillingSettings } from '../billing/settings.ts'
import { billingState, nothingYet } from '../billing/state.ts'
import { finish } from '../billing/step.ts'
import { measured } from '../billing/usage.ts'
import { defineProcessor } from '../define.ts'

export const billingUsage = (settings: BillingSettings) =>
  defineProcessor({
    name: 'billing-usage',
    reads: analyticsEvents,
    writes: [billingEvents, reviewEvents],
    state: billingState,
    handle(state, input, context) {
      const known = state ?? nothingYet
      if (input.event_type !== 'usage_aggregated' || known.status === 'erased') return { state }
      return finish(settings, still(measured(known, input)), context)
    },
  })
