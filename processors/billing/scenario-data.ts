/** Words the scenarios of billing share: a contract, what the payment service answers and tells of it. */

import { analyticsEvents, billingEvents, clientEvents, documentEvents, reviewEvents } from '../../schemas/index.ts'
import type { Expected, ScenarioInput, ScenarioStep } from '../define.ts'
import type { ChargeObject, InvoiceObject, StripeObject, SubscriptionObject } from './objects.ts'

/** Midnight of 1 January 2026. */
export const start = 1_767_225_600_000
export const dayMs = 24 * 60 * 60 * 1_000
export const seconds = (n: number): number => start + n * 1_000
export const days = (n: number): number => start + n * dayMs

const ref = { bucket: 'b', key: 'k', version_id: 'v', sha256: 's', bytes: 1 }
export const terms = { plan: 'growth', quantity: 40, interval: 'month', currency: 'USD', amount: 80_000 } as const

export const clientCreated = (at = start): ScenarioInput => ({
  topic: clientEvents,
  type: 'client_created',
  payload: { company_name: 'Acme' },
  at,
})

export const signed = (at: number, more: Readonly<Record<string, unknown>> = {}): ScenarioInput => ({
  topic: documentEvents,
  type: 'document_signed',
  payload: {
    document_id: 'doc1',
    document_type: 'contract',
    version: 1,
    envelope_id: 'env1',
    signed_ref: ref,
    certificate_ref: ref,
    signed_at: at,
    terms,
    ...more,
  },
  at,
})

export const subscription = (status: string, more: Partial<SubscriptionObject> = {}): SubscriptionObject => ({
  object: 'subscription',
  id: 'sub_1',
  customer: 'cus_1',
  status,
  currency: 'usd',
  plan: 'growth',
  document_id: 'doc1',
  items: [{ unit_amount: 2_000, quantity: 40, interval: 'month', interval_count: 1, metered: false }],
  discount: null,
  period_start: start,
  period_end: days(30),
  ended_at: null,
  cancel_reason: null,
  previous: null,
  ...more,
})

/** The items of another number of seats. */
export const seats = (quantity: number): SubscriptionObject['items'] =>
  subscription('active').items.map((item) => ({ ...item, quantity }))

export const invoice = (status: string, more: Partial<InvoiceObject> = {}): InvoiceObject => ({
  object: 'invoice',
  id: 'in_1',
  subscription: 'sub_1',
  status,
  currency: 'usd',
  amount_due: 80_000,
  amount_paid: status === 'paid' ? 80_000 : 0,
  attempt_count: status === 'paid' ? 1 : 0,
  next_payment_attempt: null,
  decline_code: null,
  due_at: seconds(2),
  period_start: start,
  period_end: days(30),
  finalized_at: status === 'draft' ? null : seconds(2),
  paid_at: status === 'paid' ? seconds(3) : null,
  voided_at: status === 'void' ? seconds(3) : null,
  uncollectible_at: status === 'uncollectible' ? seconds(3) : null,
  ...more,
})

export const charge = (amount_refunded: number, previously_refunded: number): ChargeObject => ({
  object: 'charge',
  id: 'ch_1',
  payment_intent: 'pi_1',
  currency: 'usd',
  amount_refunded,
  previously_refunded,
})

/** A webhook; its id follows from what it says, so that saying it again is a redelivery. */
export const webhook = (type: string, object: StripeObject, at: number, createdAt = at): ScenarioInput => ({
  topic: billingEvents,
  type: 'stripe_event_received',
  payload: {
    stripe_event_id: `evt_${type}_${createdAt}`,
    type,
    object_id: 'id' in object ? object.id : object.invoice,
    created: createdAt,
    object,
  },
  at,
})

export const failing = (attempt: number, at: number, more: Partial<InvoiceObject> = {}): ScenarioInput =>
  webhook(
    'invoice.payment_failed',
    invoice('open', { attempt_count: attempt, next_payment_attempt: at + 2 * dayMs, ...more }),
    at,
  )

export const answer = (
  at: number,
  output: Readonly<Record<string, unknown>>,
  more: Readonly<Record<string, unknown>> = {},
): ScenarioInput => ({ answer: { output, ...more }, at })

export const refusal = (at: number, as: 'retry' | 'auth' | 'quota' | 'invalid'): ScenarioInput => ({
  answer: { class: as, status: as === 'retry' ? 503 : 400, error: 'refused' },
  at,
})

export const compensation = (at: number, attempt = 1): ScenarioInput => ({
  topic: clientEvents,
  type: 'compensation_requested',
  payload: { step: 'billing', refs: {}, attempt },
  at,
})

export const usage = (at: number, quantity: number, windowStart = start): ScenarioInput => ({
  topic: analyticsEvents,
  type: 'usage_aggregated',
  payload: {
    meter: 'messages',
    window_start: windowStart,
    window_end: windowStart + 3_600_000,
    quantity,
    unit_cost: 0,
  },
  at,
})

export const reviewed = (
  type: 'review_decided' | 'review_expired',
  payload: Readonly<Record<string, unknown>>,
  at: number,
): ScenarioInput => ({
  topic: reviewEvents,
  type,
  payload: { review_id: { $last: ['review_requested', 'review_id'] }, ...payload },
  at,
})

export const called = (operation: string, request: Readonly<Record<string, unknown>> = {}): Expected => ({
  type: 'call_requested',
  payload: { provider: 'stripe', operation, request },
})

export const fact = (type: string, payload: Readonly<Record<string, unknown>> = {}): Expected => ({ type, payload })

/** Signed, set up, paid: 80,000 a month. */
export const live: readonly ScenarioStep[] = [
  { when: clientCreated() },
  {
    when: signed(start),
    then: [
      fact('subscription_requested', { document_id: 'doc1', amount: 80_000 }),
      called('create_customer', { company: 'Acme' }),
    ],
  },
  {
    when: answer(seconds(1), { customer_id: 'cus_1' }),
    then: [called('create_subscription', { customer_id: 'cus_1', document_id: 'doc1', amount: 80_000 })],
  },
  {
    when: answer(seconds(2), { subscription_id: 'sub_1', status: 'incomplete', invoice_id: 'in_1' }),
    then: [fact('subscription_created', { subscription_id: 'sub_1', customer_id: 'cus_1', status: 'incomplete' })],
  },
  {
    when: webhook('invoice.finalized', invoice('open'), seconds(2)),
    then: [fact('invoice_issued', { invoice_id: 'in_1', amount_due: 80_000, currency: 'USD' })],
  },
  {
    when: webhook('invoice.paid', invoice('paid'), seconds(3)),
    then: [fact('invoice_paid', { invoice_id: 'in_1', amount_paid: 80_000 })],
  },
  {
    when: webhook(
      'customer.subscription.updated',
      subscription('active', { previous: { status: 'incomplete' } }),
      seconds(4),
    ),
    then: [fact('subscription_activated', { subscription_id: 'sub_1', mrr: 80_000, currency: 'USD' })],
  },
]
