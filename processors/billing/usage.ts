/**
 * Usage windows to meter events. A window is reported once; when analytics corrects it, the difference is reported under
 * an identifier of its own. A window said again as it is known changes nothing.
 *
 * Less than was reported is a negative difference. The payment service takes it, and lowers what it will invoice by it, down
 * to nothing; it corrects no invoice that is finalized. So where a difference cannot lower an invoice any more, or is
 * refused, a person is told: the client has paid too much.
 */

import { billingEvents, reviewEvents } from '../../schemas/index.ts'
import type { Emission, StepContext } from '../define.ts'
import { emit } from '../define.ts'
import type { Move, Outcome } from './jobs.ts'
import { enqueue, still } from './jobs.ts'
import type { BillingSettings } from './settings.ts'
import type { BillingState, Job, Window } from './state.ts'
import { kept } from './state.ts'

export interface Measured {
  readonly meter: string
  readonly window_start: number
  readonly quantity: number
}

export function measured(state: BillingState, { meter, window_start: start, quantity }: Measured): BillingState {
  const known = state.usage.find((each) => each.meter === meter && each.start === start)
  if (known === undefined && start <= state.usage_floor) return state
  const window = { ...(known ?? { meter, start, reported: 0, reports: 0 }), quantity }
  return bounded({ ...state, usage_blocked: false }, window)
}

function bounded(state: BillingState, window: Window): BillingState {
  const others = state.usage.filter((each) => each.meter !== window.meter || each.start !== window.start)
  const usage = [...others, window].sort((a, b) => a.start - b.start || (a.meter < b.meter ? -1 : 1))
  const closed = usage.slice(0, Math.max(0, usage.length - kept.windows))
  const usage_floor = Math.max(state.usage_floor, ...closed.map(({ start }) => start))
  return { ...state, usage: usage.slice(closed.length), usage_floor }
}

/** The next report that is due: the oldest window that differs from what was reported. */
export function nextReport(state: BillingState, context: StepContext): BillingState {
  if (
    state.customer_id == null ||
    state.usage_blocked ||
    state.jobs.some(({ operation }) => operation === 'report_usage')
  )
    return state
  const due = state.usage.find(({ quantity, reported }) => quantity !== reported)
  if (due === undefined) return state
  const { meter, start, quantity, reported, reports } = due
  const base = `${context.tenantId}|${meter}|${start}`
  const details = {
    meter,
    window_start: start,
    quantity: quantity - reported,
    identifier: reports === 0 ? base : `${base}|${reports}`,
  }
  return enqueue(state, { operation: 'report_usage', ref: `${meter}|${start}|${reports}`, details }, context)
}

/** What is refused for good is said and passed over; when nothing is taken at all, the next window tries again. */
export function reported(
  settings: BillingSettings,
  state: BillingState,
  job: Job,
  outcome: Outcome,
  context: StepContext,
): Move {
  const report = job.details as unknown as Report
  const { meter, window_start, quantity, identifier } = report
  if (!outcome.ok && outcome.reason !== 'invalid') return still({ ...state, usage_blocked: true })
  const known = state.usage.find((each) => each.meter === meter && each.start === window_start)
  const next =
    known === undefined
      ? state
      : bounded(state, { ...known, reported: known.reported + quantity, reports: known.reports + 1 })
  const told = { meter, quantity, window_start, identifier }
  const fact = outcome.ok
    ? emit(billingEvents, 'usage_reported', told)
    : emit(billingEvents, 'usage_refused', { ...told, reason: outcome.reason })
  const isTooLate = !outcome.ok || isInvoiced(settings, state, window_start, context.time)
  return { state: next, emit: quantity < 0 && isTooLate ? [fact, paidTooMuch(settings, report, context)] : [fact] }
}

interface Report extends Measured {
  readonly identifier: string
}

/** A later period has begun, and the invoice of the window's own is a draft no more. */
const isInvoiced = (settings: BillingSettings, state: BillingState, windowStart: number, now: number): boolean =>
  state.subscriptions.some(({ period_start }) => period_start > windowStart && now >= period_start + settings.draftMs)

function paidTooMuch(
  settings: BillingSettings,
  { meter, window_start, quantity }: Report,
  context: StepContext,
): Emission {
  return emit(reviewEvents, 'review_requested', {
    review_id: context.id(`usage:${meter}:${window_start}`),
    subject_type: 'refund',
    subject_ref: `${meter}|${window_start}`,
    reason: `${-quantity} less of ${meter} were used than the client was charged for, and no invoice will be lowered by it: give it back by hand`,
    risk: 'medium',
    proposed_action: { meter, window_start, quantity },
    options: ['approve', 'reject'],
    requester: 'billing',
    due_at: context.time + settings.reviewWithinMs,
  })
}
