/** A person's decision about a refund above the limit; without one, nothing is given back. */

import { billingEvents, reviewEvents } from '../../schemas/index.ts'
import { reviewDecided, reviewExpired } from '../billing/refunds.ts'
import type { BillingSettings } from '../billing/settings.ts'
import { billingState } from '../billing/state.ts'
import { finish } from '../billing/step.ts'
import { defineProcessor } from '../define.ts'

export const billingReview = (settings: BillingSettings) =>
  defineProcessor({
    name: 'billing-review',
    reads: reviewEvents,
    writes: [billingEvents, reviewEvents],
    state: billingState,
    handle(state, input, context) {
      if (state === null || state.status === 'erased') return { state }
      switch (input.event_type) {
        case 'review_decided': {
          const move = reviewDecided(state, input, context)
          return move === null ? { state } : finish(settings, move, context)
        }
        case 'review_expired': {
          const move = input.fallback === 'escalate' ? null : reviewExpired(state, input.review_id)
          return move === null ? { state } : finish(settings, move, context)
        }
        default:
          return { state }
      }
    },
  })
