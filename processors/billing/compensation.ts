/**
 * Taking back what is set up: cancel, void, refund. What there is to do follows from the state alone, so an answer or a
 * webhook that arrives after the saga's wish is taken back as well.
 *
 * Invariants
 * 1. A subscription of a contract that nobody wants any more is cancelled, its open invoices voided, and the part of its
 *    paid ones for days that had not begun is given back, each once.
 * 2. The saga hears of every wish: that a subscription is cancelled, or that nothing is set up.
 */

import { billingEvents } from '../../schemas/index.ts'
import type { StepContext } from '../define.ts'
import { emit } from '../define.ts'
import type { Move } from './jobs.ts'
import { chained, enqueue, still } from './jobs.ts'
import { withInvoice } from './invoices.ts'
import { orderOf } from './orders.ts'
import { refundWanted } from './refunds.ts'
import type { BillingSettings } from './settings.ts'
import { hasEnded, withSubscription } from './subscriptions.ts'
import type { BillingState, EndReason, Invoice, Job, Subscription } from './state.ts'

const makes: readonly Job['operation'][] = ['create_customer', 'create_subscription', 'update_subscription']

/** The saga's wish. A second one tries again what failed. */
export function compensationRequested(state: BillingState, attempt: number, context: StepContext): Move {
  const before = state.compensation
  if (before != null && attempt <= before.attempt) return still(state)
  const taken: BillingState = {
    ...state,
    compensation: { attempt, at: before?.at ?? context.time },
    orders: state.orders.map((order) => (order.status === 'failed' ? order : { ...order, status: 'compensated' })),
    jobs: state.jobs.filter((job) => job.attempt > 0 || !makes.includes(job.operation)),
    subscriptions: state.subscriptions.map((each) => (each.cancel === 'failed' ? { ...each, cancel: 'none' } : each)),
    invoices: state.invoices.map(triedAgain),
  }
  const pending =
    taken.jobs.some(({ operation }) => operation === 'create_subscription') ||
    taken.subscriptions.some((known) => isUnwanted(taken, known) && !known.canceled_told)
  if (pending) return still(taken)
  const document_id = taken.orders.at(-1)?.document_id ?? ''
  return { state: taken, emit: [emit(billingEvents, 'subscription_failed', { document_id, reason: 'compensation' })] }
}

function triedAgain(invoice: Invoice): Invoice {
  const again = <T extends string>(wish: T): T | 'none' => (wish === 'failed' ? 'none' : wish)
  return { ...invoice, void: again(invoice.void), refund: again(invoice.refund) }
}

/** Nobody expects it: its contract failed or was taken back. */
function isUnwanted(state: BillingState, { document_id }: Subscription): boolean {
  const status = orderOf(state, document_id)?.status
  return status === 'failed' || status === 'compensated'
}

/** 1: everything that is to be taken back and is not asked for yet. */
export function takeBack(settings: BillingSettings, state: BillingState, context: StepContext): Move {
  const unwanted = state.subscriptions.filter((known) => isUnwanted(state, known))
  return chained(
    state,
    ...unwanted.map(
      ({ id }) =>
        (now: BillingState) =>
          still(cancelled(now, id, 'compensation', context)),
    ),
    ...state.invoices
      .filter(({ subscription_id }) => unwanted.some(({ id }) => id === subscription_id))
      .map((invoice) => (now: BillingState) => invoiceTakenBack(settings, now, invoice, context)),
  )
}

/** Asks for the end of a subscription that has none yet. */
export function cancelled(state: BillingState, id: string, reason: EndReason, context: StepContext): BillingState {
  const known = state.subscriptions.find((each) => each.id === id)
  if (known === undefined || hasEnded(known) || known.cancel !== 'none') return state
  const wished = withSubscription(state, { ...known, cancel: 'asked', cancel_reason: reason })
  const details = { subscription_id: id, reason }
  return enqueue(wished, { operation: 'cancel_subscription', ref: id, details }, context)
}

function invoiceTakenBack(
  settings: BillingSettings,
  state: BillingState,
  invoice: Invoice,
  context: StepContext,
): Move {
  if (invoice.paid_at != null) return refundWanted(settings, state, invoice, context)
  const open = invoice.issued_at != null && invoice.voided_at == null && invoice.void === 'none'
  if (!open) return still(state)
  const wished = withInvoice(state, { ...invoice, void: 'asked' })
  const details = { invoice_id: invoice.id }
  return still(enqueue(wished, { operation: 'void_invoice', ref: invoice.id, details }, context))
}
