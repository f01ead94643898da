/**
 * An invoice as the payment service tells of it, in whatever order.
 *
 * Invariants
 * 1. Its state is the newest version's. When it was finalized, paid, voided or given up is in every later version, so any
 *    of them says it.
 * 2. Facts come in their order and once each: issued, the failed attempts by their number, then how it ended. An attempt
 *    that is not told yet is waited for until `settle`.
 */

import { billingEvents } from '../../schemas/index.ts'
import type { Emission } from '../define.ts'
import { emit } from '../define.ts'
import { onEnd, onFailure, runs } from './dunning.ts'
import type { InvoiceObject, Told } from './objects.ts'
import { invoiceRank, isNewer } from './objects.ts'
import type { BillingSettings } from './settings.ts'
import type { BillingState, Failure, Invoice } from './state.ts'
import { kept, replaced } from './state.ts'

const unknown = {
  version_at: 0,
  rank: -1,
  version_id: '',
  status: 'unknown',
  currency: '',
  amount_due: 0,
  amount_paid: 0,
  attempt_count: 0,
  due_at: 0,
  period_start: 0,
  period_end: 0,
  told: '',
  failures: [],
  stage: 'none',
  refunds: [],
  void: 'none',
  refund: 'none',
  refund_amount: 0,
} as const

export const invoiceOf = (state: BillingState, id: string): Invoice =>
  state.invoices.find((known) => known.id === id) ?? { ...unknown, id }

/** Whether it is one that was forgotten already: it came too late. */
export const isForgotten = (state: BillingState, { object }: Told<InvoiceObject>): boolean =>
  state.invoice_floor > 0 &&
  !state.invoices.some(({ id }) => id === object.id) &&
  object.period_start <= state.invoice_floor

export function withInvoice(state: BillingState, invoice: Invoice): BillingState {
  const invoices = replaced(state.invoices, invoice)
  if (invoices.length <= kept.invoices) return { ...state, invoices }
  // One that only its payment is known of yet is the newest.
  const begunAt = ({ rank, period_start }: Invoice): number => (rank < 0 ? Number.MAX_SAFE_INTEGER : period_start)
  const oldest = [...invoices].sort((a, b) => Number(runs(a)) - Number(runs(b)) || begunAt(a) - begunAt(b))[0]
  const invoice_floor = Math.max(state.invoice_floor, oldest?.period_start ?? 0)
  return { ...state, invoice_floor, invoices: invoices.filter((each) => each !== oldest) }
}

/** Lays one event over what is known. */
export function learnt(settings: BillingSettings, known: Invoice, told: Told<InvoiceObject>): Invoice {
  const { object } = told
  const lasting: Invoice = {
    ...latest(known, told),
    subscription_id: known.subscription_id ?? object.subscription,
    issued_at: known.issued_at ?? object.finalized_at,
    paid_at: known.paid_at ?? object.paid_at,
    voided_at: known.voided_at ?? object.voided_at,
    uncollectible_at: known.uncollectible_at ?? object.uncollectible_at,
  }
  return told.type === 'invoice.payment_failed' ? failed(settings, lasting, told) : lasting
}

/** 1. */
function latest(known: Invoice, { id, at, object }: Told<InvoiceObject>): Invoice {
  const version = { version_at: at, rank: invoiceRank(object.status), version_id: id }
  if (!isNewer(version, known)) return known
  const { status, amount_due, amount_paid, due_at, period_start, period_end } = object
  const attempt_count = Math.max(known.attempt_count, object.attempt_count)
  const figures = { amount_due, amount_paid, attempt_count, due_at, period_start, period_end }
  return { ...known, ...version, ...figures, status, currency: object.currency.toUpperCase() }
}

function failed(settings: BillingSettings, known: Invoice, { at, object }: Told<InvoiceObject>): Invoice {
  const attempt = Math.max(1, object.attempt_count)
  if (known.failures.some((each) => each.attempt === attempt)) return known
  const { next_payment_attempt, decline_code } = object
  const hard = next_payment_attempt === null || settings.hardDeclines.includes(decline_code ?? '')
  const failure = { attempt, at, next_attempt_at: next_payment_attempt, decline_code, hard, told: false }
  const failures = [...known.failures, failure].sort((a, b) => a.attempt - b.attempt)
  return { ...known, failures: failures.slice(-kept.failures) }
}

/** 2: what can be said now; with `settled`, what is known is said as it stands. */
export function say(
  settings: BillingSettings,
  known: Invoice,
  settled: boolean,
  now: number,
): { readonly invoice: Invoice; readonly emit: readonly Emission[] } {
  let invoice = known
  const said: Emission[] = []
  const once = (letter: string, fact: Emission): boolean => {
    if (invoice.told.includes(letter)) return false
    said.push(fact)
    invoice = { ...invoice, told: [...invoice.told, letter].sort().join('') }
    return true
  }
  const entered = (move: { readonly invoice: Invoice; readonly emit: readonly Emission[] }): void => {
    invoice = move.invoice
    said.push(...move.emit)
  }
  if (invoice.issued_at == null) return { invoice, emit: [] }
  once('i', issuedFact(invoice))
  for (const failure of sayable(invoice, settled)) {
    said.push(failedFact(invoice, failure))
    invoice = {
      ...invoice,
      failures: invoice.failures.map((each) => (each === failure ? { ...each, told: true } : each)),
    }
    entered(onFailure(settings, invoice, failure.hard, now))
  }
  // Paid by hand, and only then told that an attempt had failed.
  if (invoice.told.includes('p')) entered(onEnd(settings, invoice, 'recovered', invoice.paid_at ?? now))
  if (!settled && missesAttempts(invoice)) return { invoice, emit: said }
  if (invoice.uncollectible_at != null) once('u', uncollectibleFact(invoice))
  if (invoice.paid_at != null && once('p', paidFact(invoice)))
    entered(onEnd(settings, invoice, 'recovered', invoice.paid_at))
  if (invoice.voided_at != null && once('v', emit(billingEvents, 'invoice_voided', { invoice_id: invoice.id })))
    entered(onEnd(settings, invoice, 'none', invoice.voided_at))
  return { invoice, emit: said }
}

/** The failures that come next: by their number without a gap, all of them when there is nothing to wait for. */
function sayable({ failures }: Invoice, settled: boolean): Failure[] {
  return failures.filter(({ told, attempt }, place) => !told && (settled || attempt === place + 1))
}

/** All attempts of an invoice that was given up have failed; of one that was paid all before the last. */
function missesAttempts({ failures, attempt_count, paid_at }: Invoice): boolean {
  const told = failures.filter((each) => each.told).length
  return (
    told < Math.min(attempt_count - (paid_at == null ? 0 : 1), kept.failures) || failures.some((each) => !each.told)
  )
}

/** Nothing more is said of it as long as nothing more comes. */
export function isSettled({ issued_at, paid_at, voided_at, uncollectible_at, told, failures }: Invoice): boolean {
  if (issued_at == null) return paid_at == null && failures.length === 0
  const ends = [
    [paid_at, 'p'],
    [voided_at, 'v'],
    [uncollectible_at, 'u'],
  ] as const
  return failures.every((each) => each.told) && ends.every(([at, letter]) => at == null || told.includes(letter))
}

function issuedFact({ id, subscription_id, currency, amount_due, due_at }: Invoice): Emission {
  const figures = { currency, amount_due, due_at }
  return emit(billingEvents, 'invoice_issued', { invoice_id: id, subscription_id: subscription_id ?? null, ...figures })
}

const paidFact = ({ id, currency, amount_paid }: Invoice): Emission =>
  emit(billingEvents, 'invoice_paid', { invoice_id: id, currency, amount_paid })

const uncollectibleFact = ({ id, currency, amount_due }: Invoice): Emission =>
  emit(billingEvents, 'invoice_uncollectible', { invoice_id: id, currency, amount: amount_due })

function failedFact({ id }: Invoice, { attempt, next_attempt_at, decline_code, hard }: Failure): Emission {
  const told = { attempt_count: attempt, next_attempt_at: next_attempt_at ?? null, decline_code: decline_code ?? null }
  return emit(billingEvents, 'payment_failed', { invoice_id: id, ...told, hard })
}
