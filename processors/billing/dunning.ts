/**
 * The clock of an unpaid invoice: stages by days since its first failed payment, each entered once. The payment service
 * tries again by its own clock; what it tells only begins ours and ends it.
 *
 * Invariants
 * 1. A stage is entered once, and never after a later one. A stage whose time had passed when the failure was told is
 *    left out.
 * 2. What comes next stands in the invoice from when its stage was entered; no other event moves it.
 */

import { billingEvents } from '../../schemas/index.ts'
import type { Emission } from '../define.ts'
import { emit } from '../define.ts'
import type { BillingSettings } from './settings.ts'
import type { BillingState, DunningStage, Invoice } from './state.ts'
import { replaced } from './state.ts'

const dayMs = 24 * 60 * 60 * 1000

/** D0: the first failure that is known. */
const beganAt = ({ failures }: Invoice): number => Math.min(...failures.map(({ at }) => at))

const placeOf = (settings: BillingSettings, stage: DunningStage): number =>
  settings.stages.findIndex((each) => each.stage === stage)

/** Whether the clock runs: begun, and neither ended nor at its last stage. */
export const runs = (invoice: Invoice): boolean => invoice.next_stage_at != null

export interface Entered {
  readonly invoice: Invoice
  readonly emit: readonly Emission[]
}

/** A failure begins the clock; one that no retry can help goes on at once to where a new method is asked for. */
export function onFailure(settings: BillingSettings, invoice: Invoice, hard: boolean, now: number): Entered {
  if (invoice.told.includes('v')) return unmoved(invoice)
  const first = settings.stages[0]
  const begins = invoice.stage === 'none' && first !== undefined
  const begun = begins ? enter(settings, invoice, first.stage, 0, now) : unmoved(invoice)
  const place = placeOf(settings, begun.invoice.stage)
  if (!hard || place < 0 || place >= placeOf(settings, settings.hardStage)) return begun
  const asked = enter(settings, begun.invoice, settings.hardStage, 0, now)
  return { invoice: asked.invoice, emit: [...begun.emit, ...asked.emit] }
}

/** Nothing is owed any more: paid, or not wanted any more. */
export function onEnd(settings: BillingSettings, invoice: Invoice, to: 'recovered' | 'none', at: number): Entered {
  if (invoice.stage === 'none' || invoice.stage === 'recovered') return unmoved(invoice)
  return enter(settings, invoice, to, Math.max(0, Math.floor((at - beganAt(invoice)) / dayMs)), at)
}

const unmoved = (invoice: Invoice): Entered => ({ invoice, emit: [] })

function enter(settings: BillingSettings, invoice: Invoice, to: DunningStage, day: number, now: number): Entered {
  const told = { invoice_id: invoice.id, from: invoice.stage, to, day }
  const place = placeOf(settings, to)
  const next = settings.stages.find(
    (each, later) => place >= 0 && later > place && beganAt(invoice) + each.day * dayMs > now,
  )
  const moved: Invoice = {
    ...invoice,
    stage: to,
    next_stage: next?.stage ?? null,
    next_stage_at: next === undefined ? null : beganAt(invoice) + next.day * dayMs,
  }
  return { invoice: moved, emit: [emit(billingEvents, 'dunning_stage_changed', told)] }
}

/** When the next stage of any invoice begins; null when none does. */
export function nextStageAt({ invoices }: BillingState): number | null {
  const times = invoices.flatMap(({ next_stage_at }) => (next_stage_at == null ? [] : [next_stage_at]))
  return times.length === 0 ? null : Math.min(...times)
}

/** The timer: every stage that is due. @returns also the invoices that reached the last one */
export function onTimer(
  settings: BillingSettings,
  state: BillingState,
  time: number,
): { readonly state: BillingState; readonly emit: readonly Emission[]; readonly over: readonly Invoice[] } {
  let invoices = state.invoices
  const said: Emission[] = []
  const over: Invoice[] = []
  for (const invoice of state.invoices) {
    const { next_stage, next_stage_at } = invoice
    if (next_stage == null || next_stage_at == null || next_stage_at > time) continue
    const day = settings.stages[placeOf(settings, next_stage)]?.day ?? 0
    const entered = enter(settings, invoice, next_stage, day, next_stage_at)
    said.push(...entered.emit)
    invoices = replaced(invoices, entered.invoice)
    if (!runs(entered.invoice)) over.push(entered.invoice)
  }
  return { state: { ...state, invoices }, emit: said, over }
}
