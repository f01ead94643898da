/** Subscriptions, invoices, dunning and revenue. Amounts in minor units of their currency. */

import { callEvents, event, eventTopic } from '../envelope.ts'
import { boolean, instant, int, long, oneOf, optional, personalJson, string } from '../fields.ts'

export const dunningStages = [
  'none',
  'grace',
  'reminder_1',
  'reminder_2',
  'final_notice',
  'restricted',
  'suspended',
  'canceled',
  'recovered',
] as const
const dunningStage = () => oneOf(...dunningStages)
const interval = () => oneOf('month', 'year')

export const billingEvents = eventTopic({
  name: 'billing_events',
  key: 'O',
  retention: 'forever',
  events: {
    subscription_requested: event(
      {
        document_id: string(),
        plan: string(),
        quantity: int(),
        interval: interval(),
        currency: string(),
        amount: long(),
        start: instant(),
      },
      'internal',
      {
        document_id: 'doc1',
        plan: 'growth',
        quantity: 40,
        interval: 'month',
        currency: 'USD',
        amount: 168_000,
        start: 1_767_312_000_000,
      },
    ),
    /** As the payment service told it, checked and appended once per event id. `object` holds the fields that decide. */
    stripe_event_received: event(
      { stripe_event_id: string(), type: string(), object_id: string(), created: instant(), object: personalJson() },
      'webhook',
      {
        stripe_event_id: 'evt_1',
        type: 'invoice.paid',
        object_id: 'in_1',
        created: 1_767_312_060_000,
        object: { status: 'paid', amount_paid: 168_000, currency: 'usd', subscription: 'sub_1' },
      },
    ),
    subscription_created: event(
      {
        subscription_id: string(),
        customer_id: string(),
        plan: string(),
        status: string(),
        document_id: optional(string()),
      },
      'internal',
      {
        subscription_id: 'sub_1',
        customer_id: 'cus_1',
        plan: 'growth',
        status: 'incomplete',
        document_id: 'doc1',
      },
    ),
    /** `mrr` is the month's share of what recurs: no tax, nothing one-off, nothing metered. */
    subscription_activated: event(
      {
        subscription_id: string(),
        plan: string(),
        currency: string(),
        mrr: long(),
        period_start: instant(),
        period_end: instant(),
        /** When it happened there, in ms; the event itself may be told later. */
        effective_at: optional(instant()),
      },
      'internal',
      {
        subscription_id: 'sub_1',
        plan: 'growth',
        currency: 'USD',
        mrr: 168_000,
        period_start: 1_767_312_000_000,
        period_end: 1_769_990_400_000,
        effective_at: 1_767_312_060_000,
      },
    ),
    subscription_changed: event(
      {
        subscription_id: string(),
        currency: string(),
        old_mrr: long(),
        new_mrr: long(),
        movement: oneOf('expansion', 'contraction'),
        /** terms: other figures were agreed · unpaid, paused: it does not count any more · resumed: it counts again */
        reason: optional(oneOf('terms', 'unpaid', 'paused', 'resumed')),
        effective_at: optional(instant()),
      },
      'internal',
      {
        subscription_id: 'sub_1',
        currency: 'USD',
        old_mrr: 168_000,
        new_mrr: 210_000,
        movement: 'expansion',
        reason: 'terms',
        effective_at: 1_767_400_000_000,
      },
    ),
    subscription_canceled: event(
      {
        subscription_id: string(),
        currency: string(),
        mrr: long(),
        reason: oneOf('voluntary', 'payment_failed', 'compensation', 'never_paid'),
        effective_at: optional(instant()),
      },
      'internal',
      {
        subscription_id: 'sub_1',
        currency: 'USD',
        mrr: 168_000,
        reason: 'payment_failed',
        effective_at: 1_769_990_400_000,
      },
    ),
    /** Nothing could be set up: the step of the lifecycle failed. */
    subscription_failed: event({ document_id: string(), reason: string() }, 'internal', {
      document_id: 'doc1',
      reason: 'exhausted',
    }),

    invoice_issued: event(
      {
        invoice_id: string(),
        subscription_id: optional(string()),
        currency: string(),
        amount_due: long(),
        due_at: instant(),
      },
      'internal',
      {
        invoice_id: 'in_1',
        subscription_id: 'sub_1',
        currency: 'USD',
        amount_due: 168_000,
        due_at: 1_767_312_000_000,
      },
    ),
    invoice_paid: event({ invoice_id: string(), currency: string(), amount_paid: long() }, 'internal', {
      invoice_id: 'in_1',
      currency: 'USD',
      amount_paid: 168_000,
    }),
    payment_failed: event(
      {
        invoice_id: string(),
        attempt_count: int(),
        next_attempt_at: optional(instant()),
        decline_code: optional(string()),
        /** No retry can help: a new method of payment is needed. */
        hard: boolean(),
      },
      'internal',
      {
        invoice_id: 'in_1',
        attempt_count: 1,
        next_attempt_at: 1_767_571_200_000,
        decline_code: 'expired_card',
        hard: true,
      },
    ),
    dunning_stage_changed: event(
      { invoice_id: string(), from: dunningStage(), to: dunningStage(), day: int() },
      'internal',
      { invoice_id: 'in_1', from: 'grace', to: 'reminder_1', day: 3 },
    ),
    invoice_uncollectible: event({ invoice_id: string(), currency: string(), amount: long() }, 'internal', {
      invoice_id: 'in_1',
      currency: 'USD',
      amount: 168_000,
    }),
    invoice_voided: event({ invoice_id: string() }, 'internal', { invoice_id: 'in_1' }),
    refund_issued: event(
      { refund_id: string(), invoice_id: string(), currency: string(), amount: long(), reason: string() },
      'internal',
      { refund_id: 're_1', invoice_id: 'in_1', currency: 'USD', amount: 84_000, reason: 'compensation' },
    ),
    /**
     * `identifier` is the provider's key for this window; a correction of it is the difference, negative where less was used,
     * and has one of its own.
     */
    usage_reported: event(
      { meter: string(), quantity: long(), window_start: instant(), identifier: string() },
      'internal',
      { meter: 'messages', quantity: 1_200, window_start: 1_767_312_000_000, identifier: 't1|messages|1767312000000' },
    ),
    /** What the payment service refused for good (it takes windows of the last 35 days): this much is not charged, or not given back. */
    usage_refused: event(
      { meter: string(), quantity: long(), window_start: instant(), identifier: string(), reason: string() },
      'internal',
      {
        meter: 'messages',
        quantity: -30,
        window_start: 1_767_312_000_000,
        identifier: 't1|messages|1767312000000|1',
        reason: 'invalid',
      },
    ),
    ...callEvents,
  },
})
