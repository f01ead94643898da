/**
 * A customer of the payment service with all that is its: one record, so that a kill leaves it as it was before an act or
 * as it is after. Times are seconds, as the service tells them.
 */

export interface Price {
  readonly id: string
  readonly currency: string
  readonly product: string
  readonly unit_amount: number
  readonly interval: 'month' | 'year'
}

export interface Subscription {
  readonly id: string
  readonly created: number
  readonly currency: string
  readonly metadata: Readonly<Record<string, string>>
  readonly price: Price
  readonly quantity: number
  readonly status: 'incomplete' | 'incomplete_expired' | 'active' | 'past_due' | 'unpaid' | 'canceled'
  readonly period_start: number
  readonly period_end: number
  readonly latest_invoice: string
  readonly canceled_at: number | null
  readonly ended_at: number | null
  readonly comment: string | null
  /** Why the service itself ended it. */
  readonly reason: string | null
  /** Of changes within a period, for the next invoice; minor units. */
  readonly prorated: number
}

export interface Invoice {
  readonly id: string
  readonly created: number
  readonly subscription: string
  readonly metadata: Readonly<Record<string, string>>
  readonly currency: string
  readonly billing_reason: 'subscription_create' | 'subscription_cycle'
  readonly status: 'open' | 'paid' | 'uncollectible' | 'void'
  readonly amount_due: number
  readonly amount_paid: number
  readonly credited: number
  readonly attempt_count: number
  readonly next_payment_attempt: number | null
  readonly period_start: number
  readonly period_end: number
  readonly finalized_at: number
  readonly paid_at: number | null
  readonly voided_at: number | null
  readonly marked_uncollectible_at: number | null
  readonly payment_intent: string
  readonly charge: string
  readonly refunded: number
  readonly refund_ids: readonly string[]
}

/** A call of an idempotency key. What a kill kept from being answered is done again under the same seed. */
export interface Kept {
  readonly fingerprint: string
  /** Ids of what the call makes come of it; a key that is used anew after its day has another. */
  readonly seed: string
  readonly answer: KeptAnswer | null
}

export interface KeptAnswer {
  readonly status: number
  readonly body: string
}

export interface Account {
  readonly id: string
  readonly created: number
  readonly name: string
  readonly email: string
  readonly metadata: Readonly<Record<string, string>>
  subscriptions: Record<string, Subscription>
  invoices: Record<string, Invoice>
  /** Acts so far: ids and events are named after it. */
  acts: number
}

export const customerObject = ({ id, created, name, email, metadata }: Account) => ({
  id,
  object: 'customer',
  created,
  name,
  email,
  metadata,
  livemode: false,
})

export const priceObject = ({ id, currency, product, unit_amount, interval }: Price) => ({
  id,
  object: 'price',
  active: true,
  currency,
  product,
  type: 'recurring',
  unit_amount,
  unit_amount_decimal: String(unit_amount),
  recurring: { interval, interval_count: 1, usage_type: 'licensed', meter: null },
  livemode: false,
})

const list = (url: string, data: readonly unknown[]) => ({ object: 'list', url, has_more: false, data })

export const itemsObject = ({ id, created, price, quantity, period_start, period_end }: Subscription) =>
  list(`/v1/subscription_items?subscription=${id}`, [
    {
      id: id.replace('sub_', 'si_'),
      object: 'subscription_item',
      created,
      subscription: id,
      price: priceObject(price),
      quantity,
      current_period_start: period_start,
      current_period_end: period_end,
    },
  ])

export const subscriptionObject = (account: Account, subscription: Subscription) => ({
  id: subscription.id,
  object: 'subscription',
  created: subscription.created,
  start_date: subscription.created,
  customer: account.id,
  currency: subscription.currency,
  status: subscription.status,
  items: itemsObject(subscription),
  discounts: [],
  collection_method: 'charge_automatically',
  cancel_at_period_end: false,
  canceled_at: subscription.canceled_at,
  ended_at: subscription.ended_at,
  cancellation_details: { comment: subscription.comment, feedback: null, reason: subscription.reason },
  latest_invoice: subscription.latest_invoice,
  metadata: subscription.metadata,
  trial_end: null,
  livemode: false,
})

export const invoiceObject = (account: Account, invoice: Invoice) => ({
  id: invoice.id,
  object: 'invoice',
  created: invoice.created,
  customer: account.id,
  currency: invoice.currency,
  billing_reason: invoice.billing_reason,
  collection_method: 'charge_automatically',
  status: invoice.status,
  amount_due: invoice.amount_due,
  amount_paid: invoice.amount_paid,
  amount_remaining: invoice.status === 'paid' ? 0 : invoice.amount_due,
  post_payment_credit_notes_amount: invoice.credited,
  attempt_count: invoice.attempt_count,
  attempted: invoice.attempt_count > 0,
  next_payment_attempt: invoice.next_payment_attempt,
  due_date: null,
  hosted_invoice_url: `https://invoice.sandbox.example/i/${invoice.id}`,
  total: invoice.amount_due,
  lines: list(`/v1/invoices/${invoice.id}/lines`, [
    {
      object: 'line_item',
      amount: invoice.amount_due,
      currency: invoice.currency,
      period: { start: invoice.period_start, end: invoice.period_end },
    },
  ]),
  parent: {
    type: 'subscription_details',
    subscription_details: { subscription: invoice.subscription, metadata: invoice.metadata },
  },
  status_transitions: {
    finalized_at: invoice.finalized_at,
    paid_at: invoice.paid_at,
    voided_at: invoice.voided_at,
    marked_uncollectible_at: invoice.marked_uncollectible_at,
  },
  metadata: {},
  livemode: false,
})

export const chargeObject = (account: Account, invoice: Invoice) => ({
  id: invoice.charge,
  object: 'charge',
  created: invoice.paid_at ?? invoice.created,
  customer: account.id,
  payment_intent: invoice.payment_intent,
  currency: invoice.currency,
  amount: invoice.amount_paid,
  amount_refunded: invoice.refunded,
  refunded: invoice.refunded === invoice.amount_paid,
  metadata: {},
  livemode: false,
})

export const invoicePaymentObject = (invoice: Invoice) => ({
  id: invoice.id.replace('in_', 'inpay_'),
  object: 'invoice_payment',
  created: invoice.paid_at ?? invoice.created,
  invoice: invoice.id,
  currency: invoice.currency,
  amount_requested: invoice.amount_due,
  amount_paid: invoice.paid_at === null ? null : invoice.amount_paid,
  is_default: true,
  status: invoice.paid_at === null ? 'open' : 'paid',
  payment: { type: 'payment_intent', payment_intent: invoice.payment_intent },
  livemode: false,
})
