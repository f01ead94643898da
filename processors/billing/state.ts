/** What billing remembers of one organization: its contracts, what the payment service told, and what is being asked of it. */

import { array, boolean, instant, int, json, long, oneOf, optional, record, string } from '../../schemas/index.ts'
import type { Json } from '../../schemas/index.ts'
import type { StateOf } from '../define.ts'
import { defineState } from '../define.ts'

const stages = [
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
export type DunningStage = (typeof stages)[number]

const reasons = ['voluntary', 'payment_failed', 'compensation', 'never_paid'] as const
export type EndReason = (typeof reasons)[number]

export const operations = [
  'create_customer',
  'create_subscription',
  'update_subscription',
  'cancel_subscription',
  'void_invoice',
  'refund',
  'report_usage',
] as const
export type Operation = (typeof operations)[number]

/** A wish and how it went. `done` and `failed` are the payment service's definite answers. */
const wish = () => oneOf('none', 'asked', 'done', 'failed')

const change = () =>
  record('Change', {
    id: string(),
    at: instant(),
    old_mrr: long(),
    new_mrr: long(),
    reason: oneOf('terms', 'unpaid', 'paused', 'resumed'),
    told: boolean(),
  })

const invoiceOfOne = {
  id: string(),
  subscription_id: optional(string()),
  version_at: instant(),
  rank: int(),
  version_id: string(),
  status: string(),
  currency: string(),
  amount_due: long(),
  amount_paid: long(),
  attempt_count: int(),
  due_at: instant(),
  period_start: instant(),
  period_end: instant(),
  issued_at: optional(instant()),
  paid_at: optional(instant()),
  voided_at: optional(instant()),
  uncollectible_at: optional(instant()),
  /** What is told of it, as letters: i(ssued) p(aid) v(oided) u(ncollectible). */
  told: string(),
  failures: array(
    record('Failure', {
      attempt: int(),
      at: instant(),
      next_attempt_at: optional(instant()),
      decline_code: optional(string()),
      hard: boolean(),
      told: boolean(),
    }),
  ),
  stage: oneOf(...stages),
  /** The stage of dunning that comes next, and when. */
  next_stage: optional(oneOf(...stages)),
  next_stage_at: optional(instant()),
  payment_intent: optional(string()),
  /** Money given back: the charge's total after each refund. */
  refunds: array(long()),
  void: wish(),
  refund: oneOf('none', 'asked', 'review', 'done', 'failed', 'rejected'),
  review_id: optional(string()),
  refund_amount: long(),
}

const invoiceOfTwo = {
  ...invoiceOfOne,
  /** The call of a refund that nobody answered: it may have been made, and is asked for again under this key alone. */
  refund_call: optional(string()),
}

const fieldsWith = <I extends typeof invoiceOfOne>(invoice: I) => ({
  /** erased: forgotten for good; what still has to be cancelled stands in `jobs`. */
  status: oneOf('open', 'erased'),
  company: optional(string()),
  customer_id: optional(string()),
  /** Documents that were ordered, newest last. */
  contracts: array(string()),
  /** Signed contracts, by document, oldest first. */
  orders: array(
    record('Order', {
      document_id: string(),
      plan: string(),
      quantity: int(),
      interval: oneOf('month', 'year'),
      currency: string(),
      amount: long(),
      signed_at: instant(),
      /** waiting: for the client's name · asked · set · failed: nobody expects it any more · compensated: taken back */
      status: oneOf('waiting', 'asked', 'set', 'failed', 'compensated'),
      subscription_id: optional(string()),
    }),
  ),
  /** The newest wish of the saga to take back what is set up. */
  compensation: optional(record('Compensation', { attempt: int(), at: instant() })),
  /** Outside calls in the order they are made, one at a time in each lane. */
  jobs: array(
    record('Job', {
      lane: oneOf('contract', 'usage'),
      operation: oneOf(...operations),
      /** What it is about: a document, a subscription, an invoice, a window. */
      ref: string(),
      details: json<{ readonly [name: string]: Json }>(),
      call_id: string(),
      /** 0: not asked yet. */
      attempt: int(),
    }),
  ),
  subscriptions: array(
    record('Subscription', {
      id: string(),
      document_id: optional(string()),
      /** The newest version that was told of: its time, its rank, its event. */
      version_at: instant(),
      rank: int(),
      version_id: string(),
      status: string(),
      plan: string(),
      currency: string(),
      mrr: long(),
      customer_id: string(),
      period_start: instant(),
      period_end: instant(),
      /** What it began as; null until somebody told. */
      creation: optional(record('Creation', { status: string(), plan: string() })),
      created_told: boolean(),
      activation: optional(
        record('Activation', {
          plan: string(),
          mrr: long(),
          at: instant(),
          period_start: instant(),
          period_end: instant(),
        }),
      ),
      activated_told: boolean(),
      changes: array(change()),
      ending: optional(record('Ending', { mrr: long(), at: instant(), reason: oneOf(...reasons) })),
      canceled_told: boolean(),
      cancel: wish(),
      cancel_reason: optional(oneOf(...reasons)),
    }),
  ),
  invoices: array(record('Invoice', invoice)),
  /** Refunds whose invoice is not known yet, or is being refunded by us at this moment. */
  early_refunds: array(
    record('EarlyRefund', {
      charge: string(),
      payment_intent: string(),
      total: long(),
      amount: long(),
      currency: string(),
    }),
  ),
  /** When what is still unsaid is said as well as it is known. */
  settle_at: optional(instant()),
  /** When each timer fired last: it is armed later than that. */
  settle_fired_at: instant(),
  dunning_fired_at: instant(),
  /** Usage windows, oldest first. */
  usage: array(
    record('Window', {
      meter: string(),
      start: instant(),
      /** As it is known, and as much of it as was reported. */
      quantity: long(),
      reported: long(),
      /** Reports made, the first included. */
      reports: int(),
    }),
  ),
  /** The payment service takes no reports at the moment; the next window tries again. */
  usage_blocked: boolean(),
  /** Windows up to here are closed: a correction comes too late. */
  usage_floor: instant(),
  /** Invoices made up to here are settled and forgotten. */
  invoice_floor: instant(),
})

export const billingState = defineState({
  store: 'billing',
  version: 2,
  fields: fieldsWith(invoiceOfTwo),
  example: {
    status: 'open',
    company: 'Acme',
    customer_id: 'cus_1',
    contracts: ['doc1'],
    orders: [
      {
        document_id: 'doc1',
        plan: 'growth',
        quantity: 40,
        interval: 'month',
        currency: 'USD',
        amount: 168_000,
        signed_at: 1_767_312_000_000,
        status: 'set',
        subscription_id: 'sub_1',
      },
    ],
    jobs: [],
    subscriptions: [],
    invoices: [],
    early_refunds: [],
    settle_fired_at: 0,
    dunning_fired_at: 0,
    usage: [{ meter: 'messages', start: 1_767_312_000_000, quantity: 1_200, reported: 1_200, reports: 1 }],
    usage_blocked: false,
    usage_floor: 0,
    invoice_floor: 0,
  },
  earlier: [
    {
      fields: fieldsWith(invoiceOfOne),
      upcast: (value) => {
        const invoices = value['invoices'] as readonly Readonly<Record<string, unknown>>[]
        return { ...value, invoices: invoices.map((invoice) => ({ ...invoice, refund_call: null })) }
      },
    },
  ],
})

export type BillingState = StateOf<typeof billingState>
export type Order = BillingState['orders'][number]
export type Job = BillingState['jobs'][number]
export type Subscription = BillingState['subscriptions'][number]
export type Invoice = BillingState['invoices'][number]
export type Failure = Invoice['failures'][number]
export type Window = BillingState['usage'][number]

export const nothingYet: BillingState = Object.freeze({
  status: 'open',
  contracts: [],
  orders: [],
  jobs: [],
  subscriptions: [],
  invoices: [],
  early_refunds: [],
  settle_fired_at: 0,
  dunning_fired_at: 0,
  usage: [],
  usage_blocked: false,
  usage_floor: 0,
  invoice_floor: 0,
})

/** All that is left of an erased client: that it was, and what must still be cancelled for it. */
export const erasedState = (jobs: BillingState['jobs']): BillingState => ({ ...nothingYet, status: 'erased', jobs })

/** Bounds of the lists; what a list loses first is settled. */
export const kept = Object.freeze({
  orders: 10,
  subscriptions: 12,
  changes: 40,
  invoices: 40,
  failures: 24,
  refunds: 24,
  earlyRefunds: 24,
  windows: 300,
})

/** Puts a value into a list that is sorted by id. */
export function replaced<T extends { readonly id: string }>(list: readonly T[], value: T): readonly T[] {
  const others = list.filter(({ id }) => id !== value.id)
  return [...others, value].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
}
