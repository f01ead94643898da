/** A checked webhook of the payment service, laid over what is known of its object. */

import type { PayloadOf } from '../../schemas/index.ts'
import type { billingEvents } from '../../schemas/index.ts'
import type { Move } from './jobs.ts'
import { still } from './jobs.ts'
import { invoiceOf, isForgotten, learnt as invoiceLearnt, withInvoice } from './invoices.ts'
import type { InvoiceObject, SubscriptionObject, Told } from './objects.ts'
import { readObject } from './objects.ts'
import { chargeRefunded, paymentLinked } from './refunds.ts'
import type { BillingSettings } from './settings.ts'
import type { BillingState } from './state.ts'
import { learnt as subscriptionLearnt, subscriptionOf, withSubscription } from './subscriptions.ts'

type Received = PayloadOf<typeof billingEvents.events, 'stripe_event_received'>

export function received(settings: BillingSettings, state: BillingState, webhook: Received): Move {
  const object = readObject(webhook.object)
  if (object === null) return still(state)
  const { stripe_event_id: id, type, created: at } = webhook
  switch (object.object) {
    case 'subscription':
      return aboutSubscription(state, { id, type, at, object })
    case 'invoice':
      return aboutInvoice(settings, state, { id, type, at, object })
    case 'charge':
      return chargeRefunded(state, { id, type, at, object })
    case 'invoice_payment':
      return paymentLinked(state, object.invoice, object.payment_intent)
  }
}

function aboutSubscription(state: BillingState, told: Told<SubscriptionObject>): Move {
  const { customer } = told.object
  const known = { ...state, customer_id: state.customer_id ?? customer }
  return still(withSubscription(known, subscriptionLearnt(subscriptionOf(known, told.object.id), told)))
}

function aboutInvoice(settings: BillingSettings, state: BillingState, told: Told<InvoiceObject>): Move {
  if (isForgotten(state, told)) return still(state)
  return still(withInvoice(state, invoiceLearnt(settings, invoiceOf(state, told.object.id), told)))
}
