/**
 * Money given back. A refund above the limit is a person's decision, and without one nothing is given back. A refund is
 * told once, by the answer to our own call or by the webhook of one that was made elsewhere: the charge's total after it
 * tells them apart.
 */

import { billingEvents, reviewEvents } from '../../schemas/index.ts'
import type { PayloadOf } from '../../schemas/index.ts'
import type { Emission, StepContext } from '../define.ts'
import { emit } from '../define.ts'
import { invoiceOf, withInvoice } from './invoices.ts'
import type { Move, Outcome } from './jobs.ts'
import { chained, enqueue, numberOf, still, textOf } from './jobs.ts'
import { unusedPart } from './mrr.ts'
import type { ChargeObject, Told } from './objects.ts'
import type { BillingSettings } from './settings.ts'
import type { BillingState, Invoice, Job } from './state.ts'
import { kept } from './state.ts'

const refundedOf = ({ refunds }: Invoice): number => Math.max(0, ...refunds)

/** The part of a paid invoice for days that had not begun when it was taken back. */
export function refundWanted(
  settings: BillingSettings,
  state: BillingState,
  invoice: Invoice,
  context: StepContext,
): Move {
  if (invoice.refund !== 'none') return still(state)
  if (invoice.refund_call != null) return still(refundAsked(state, invoice, invoice.refund_amount, context))
  const period = { start: invoice.period_start, end: invoice.period_end }
  const unused = unusedPart(invoice.amount_paid, period, state.compensation?.at ?? context.time)
  const amount = Math.min(unused, invoice.amount_paid - refundedOf(invoice))
  if (amount <= 0) return still(withInvoice(state, { ...invoice, refund: 'done' }))
  if (amount <= settings.refundLimit) return still(refundAsked(state, invoice, amount, context))
  const review_id = context.id(`refund:${invoice.id}`)
  const waiting: Invoice = { ...invoice, refund: 'review', review_id, refund_amount: amount }
  return { state: withInvoice(state, waiting), emit: [review(settings, waiting, context)] }
}

function review(settings: BillingSettings, invoice: Invoice, context: StepContext): Emission {
  const { id, currency, refund_amount: amount, amount_paid, review_id } = invoice
  return emit(reviewEvents, 'review_requested', {
    review_id: review_id ?? '',
    subject_type: 'refund',
    subject_ref: id,
    reason: `a refund of ${amount} is above the limit of ${settings.refundLimit} (${currency}, minor units)`,
    risk: 'high',
    proposed_action: { invoice_id: id, amount, currency, amount_paid },
    options: ['approve', 'reject', 'edit'],
    requester: 'billing',
    due_at: context.time + settings.reviewWithinMs,
  })
}

function refundAsked(state: BillingState, invoice: Invoice, amount: number, context: StepContext): BillingState {
  const wished = withInvoice(state, { ...invoice, refund: 'asked', refund_amount: amount })
  const details = { invoice_id: invoice.id, amount, currency: invoice.currency, reason: 'compensation' }
  const call_id = invoice.refund_call ?? undefined
  return enqueue(wished, { operation: 'refund', ref: invoice.id, details, call_id }, context)
}

type Decided = PayloadOf<typeof reviewEvents.events, 'review_decided'>

/** A person's word. An edit names a smaller amount; one that names none gives nothing back. */
export function reviewDecided(state: BillingState, decided: Decided, context: StepContext): Move | null {
  const invoice = waitingFor(state, decided.review_id)
  if (invoice === undefined || decided.decision === 'escalate') return null
  const amount = decided.decision === 'approve' ? invoice.refund_amount : editedAmount(decided, invoice)
  if (amount <= 0) return still(withInvoice(state, { ...invoice, refund: 'rejected' }))
  return still(refundAsked(state, invoice, amount, context))
}

function editedAmount({ decision, edits }: Decided, { refund_amount }: Invoice): number {
  if (decision !== 'edit' || typeof edits !== 'object' || edits === null) return 0
  const amount = numberOf(edits as Readonly<Record<string, unknown>>, 'amount')
  return amount === null ? 0 : Math.min(amount, refund_amount)
}

/** Nobody decided: money stays where it is. */
export function reviewExpired(state: BillingState, reviewId: string): Move | null {
  const invoice = waitingFor(state, reviewId)
  return invoice === undefined ? null : still(withInvoice(state, { ...invoice, refund: 'rejected' }))
}

const waitingFor = (state: BillingState, reviewId: string): Invoice | undefined =>
  state.invoices.find(({ review_id, refund }) => review_id === reviewId && refund === 'review')

/** The answer to our own refund. */
export function refundMade(state: BillingState, job: Job, outcome: Outcome): Move {
  const invoice = invoiceOf(state, job.ref)
  if (!outcome.ok) {
    const refund_call = outcome.reason === 'exhausted' ? job.call_id : null
    return heldRefunds(withInvoice(state, { ...invoice, refund: 'failed', refund_call }), invoice.id)
  }
  const amount = numberOf(outcome.output, 'amount') ?? invoice.refund_amount
  const total = numberOf(outcome.output, 'amount_refunded') ?? refundedOf(invoice) + amount
  const refund_id = textOf(outcome.output, 'refund_id') ?? job.call_id
  const { currency } = invoice
  const refunds = invoice.refunds.includes(total) ? invoice.refunds : totals(invoice, total)
  const payment_intent = invoice.payment_intent ?? textOf(outcome.output, 'payment_intent')
  const given = withInvoice(state, { ...invoice, refund: 'done', refund_call: null, refunds, payment_intent })
  // The payment service may have told of it while nobody answered.
  if (invoice.refunds.includes(total)) return heldRefunds(given, invoice.id)
  const told = { refund_id, invoice_id: invoice.id, currency, amount, reason: String(job.details['reason']) }
  const held = heldRefunds(given, invoice.id)
  return { state: held.state, emit: [emit(billingEvents, 'refund_issued', told), ...held.emit] }
}

const totals = ({ refunds }: Invoice, total: number): readonly number[] =>
  [...refunds, total].sort((a, b) => a - b).slice(-kept.refunds)

/** A refund that the payment service tells of: kept until its invoice is known and no refund of ours is on its way. */
export function chargeRefunded(state: BillingState, { object }: Told<ChargeObject>): Move {
  const { id: charge, payment_intent, amount_refunded: total, previously_refunded, currency } = object
  if (payment_intent === null || state.early_refunds.some((each) => each.charge === charge && each.total === total))
    return still(state)
  const early = { charge, payment_intent, total, amount: total - previously_refunded, currency: currency.toUpperCase() }
  const early_refunds = [...state.early_refunds, early]
    .sort((a, b) => (a.charge < b.charge ? -1 : a.charge > b.charge ? 1 : a.total - b.total))
    .slice(-kept.earlyRefunds)
  const invoice = state.invoices.find((known) => known.payment_intent === payment_intent)
  return heldRefunds({ ...state, early_refunds }, invoice?.id ?? '')
}

/** An invoice's payment is known now. */
export function paymentLinked(state: BillingState, invoiceId: string, payment_intent: string): Move {
  const invoice = invoiceOf(state, invoiceId)
  if (invoice.payment_intent != null) return still(state)
  return heldRefunds(withInvoice(state, { ...invoice, payment_intent }), invoiceId)
}

/** Says the refunds that waited for this invoice. */
function heldRefunds(state: BillingState, invoiceId: string): Move {
  const { payment_intent, refund } = invoiceOf(state, invoiceId)
  if (payment_intent == null || refund === 'asked') return still(state)
  const held = state.early_refunds.filter((each) => each.payment_intent === payment_intent)
  const early_refunds = state.early_refunds.filter((each) => !held.includes(each))
  return chained(
    { ...state, early_refunds },
    ...held.map(({ charge, total, amount, currency }) => (now: BillingState): Move => {
      const invoice = invoiceOf(now, invoiceId)
      if (invoice.refunds.includes(total)) return still(now)
      const told = { refund_id: `${charge}:${total}`, invoice_id: invoiceId, currency, amount, reason: 'elsewhere' }
      const given = withInvoice(now, { ...invoice, refunds: totals(invoice, total) })
      return { state: given, emit: [emit(billingEvents, 'refund_issued', told)] }
    }),
  )
}
