/**
 * What the payment service's webhooks tell, as `stripe_event_received.object` carries it: the fields that decide, nothing
 * else. The words on the wire between the webhook's reader and the step. Times in ms, amounts in minor units.
 *
 *   subscription     customer.subscription.*    invoice          invoice.*
 *   charge           charge.refunded            invoice_payment  invoice_payment.paid
 */

import type { RecurringDiscount, RecurringItem } from './mrr.ts'
import { monthlyRevenue } from './mrr.ts'

export interface SubscriptionObject {
  readonly object: 'subscription'
  readonly id: string
  readonly customer: string
  readonly status: string
  readonly currency: string
  readonly plan: string
  readonly document_id: string | null
  readonly items: readonly RecurringItem[]
  readonly discount: RecurringDiscount | null
  readonly period_start: number
  readonly period_end: number
  readonly ended_at: number | null
  /** Our own word where we ended it, else the service's. */
  readonly cancel_reason: string | null
  /** How it was before, where the event is a change: only what differs. */
  readonly previous: { readonly status?: string; readonly items?: readonly RecurringItem[] } | null
}

export interface InvoiceObject {
  readonly object: 'invoice'
  readonly id: string
  readonly subscription: string | null
  readonly status: string
  readonly currency: string
  readonly amount_due: number
  readonly amount_paid: number
  readonly attempt_count: number
  readonly next_payment_attempt: number | null
  readonly decline_code: string | null
  readonly due_at: number
  readonly period_start: number
  readonly period_end: number
  readonly finalized_at: number | null
  readonly paid_at: number | null
  readonly voided_at: number | null
  readonly uncollectible_at: number | null
}

export interface ChargeObject {
  readonly object: 'charge'
  readonly id: string
  readonly payment_intent: string | null
  readonly currency: string
  readonly amount_refunded: number
  /** Before the refund that the event tells of. */
  readonly previously_refunded: number
}

export interface InvoicePaymentObject {
  readonly object: 'invoice_payment'
  readonly invoice: string
  readonly payment_intent: string
}

export type StripeObject = SubscriptionObject | InvoiceObject | ChargeObject | InvoicePaymentObject

/** One webhook: which event, when it happened there, and its object. */
export interface Told<T extends StripeObject = StripeObject> {
  readonly id: string
  readonly type: string
  readonly at: number
  readonly object: T
}

/** The object of an event, or null for one that says nothing here (another kind, or erased). The verifier shaped the rest. */
export function readObject(value: unknown): StripeObject | null {
  if (typeof value !== 'object' || value === null) return null
  const { object } = value as { readonly object?: unknown }
  const known = object === 'subscription' || object === 'invoice' || object === 'charge' || object === 'invoice_payment'
  return known ? (value as StripeObject) : null
}

export const mrrOf = (object: SubscriptionObject): number => monthlyRevenue(object.items, object.discount)

/** Which of two versions of the same second is the later one: statuses in the order in which they come. */
const subscriptionRanks = [
  'incomplete',
  'trialing',
  'active',
  'past_due',
  'unpaid',
  'paused',
  'incomplete_expired',
  'canceled',
]
const invoiceRanks = ['draft', 'open', 'uncollectible', 'void', 'paid']

export const subscriptionRank = (status: string): number => subscriptionRanks.indexOf(status)
export const invoiceRank = (status: string): number => invoiceRanks.indexOf(status)

interface Version {
  readonly version_at: number
  readonly rank: number
  readonly version_id: string
}

/** The later of two versions: by time, then by rank; equal ones in one order, whichever came first. */
export function isNewer(version: Version, than: Version): boolean {
  if (version.version_at !== than.version_at) return version.version_at > than.version_at
  if (version.rank !== than.rank) return version.rank > than.rank
  return version.version_id > than.version_id
}
