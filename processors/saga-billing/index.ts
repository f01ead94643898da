/** A subscription became active, could not, or ended; and what its unpaid invoices do to a client that had paid. */

import { billingEvents, clientEvents, reviewEvents } from '../../schemas/index.ts'
import type { EventOf } from '../../schemas/index.ts'
import { defineProcessor } from '../define.ts'
import type { Fact } from '../lifecycle-saga/moves.ts'
import { observed } from '../lifecycle-saga/progress.ts'
import type { SagaSettings } from '../lifecycle-saga/settings.ts'
import { sagaState } from '../lifecycle-saga/state.ts'

export const sagaBilling = (settings: SagaSettings) =>
  defineProcessor({
    name: 'saga-billing',
    reads: billingEvents,
    writes: [clientEvents, reviewEvents],
    state: sagaState,
    handle(state, input, context) {
      const told = factOf(input)
      if (told === null || input.event_type === '$timer') return { state }
      const { timestamp: at, event_id } = input
      const isPaid = state?.status === 'completed'
      // A subscription that ends before it was ever paid for is the failure of the step.
      const kind = told.kind === 'canceled' && !isPaid ? 'failed' : told.kind
      return observed(settings, state, { ...told, kind, step: 'billing', at, event_id }, context)
    },
  })

const suspending: readonly string[] = ['suspended', 'canceled']

type Told = Pick<Fact, 'kind' | 'ref' | 'reason'>

function factOf(input: EventOf<typeof billingEvents.events> | { readonly event_type: '$timer' }): Told | null {
  switch (input.event_type) {
    case 'subscription_activated':
      return { kind: 'completed', ref: input.subscription_id, reason: '' }
    case 'subscription_failed':
      // The answer to our own wish where nothing was set up.
      return input.reason === 'compensation'
        ? { kind: 'undone', ref: input.document_id, reason: '' }
        : { kind: 'failed', ref: input.document_id, reason: input.reason }
    case 'subscription_canceled':
      return input.reason === 'compensation'
        ? { kind: 'undone', ref: input.subscription_id, reason: '' }
        : { kind: 'canceled', ref: input.subscription_id, reason: input.reason }
    // Of the first invoice: a client that had paid is suspended and let go by the stages of dunning.
    case 'invoice_uncollectible':
      return { kind: 'failed', ref: input.invoice_id, reason: 'uncollectible' }
    case 'dunning_stage_changed':
      if (input.to === 'suspended') return { kind: 'suspended', ref: input.invoice_id, reason: 'payment_failed' }
      // An invoice that suspended nobody gives nothing back when it is paid: another one may still be unpaid.
      return input.to === 'recovered' && suspending.includes(input.from)
        ? { kind: 'recovered', ref: input.invoice_id, reason: 'invoice_paid' }
        : null
    default:
      return null
  }
}
