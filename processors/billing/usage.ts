/**
 * Usage windows to meter events. A window is reported once; when analytics corrects it, the difference is reported under
 * an identifier of its own. A window said again as it is known changes nothing.
 */

import { billingEvents } from '../../schemas/index.ts'
import type { StepContext } from '../define.ts'
import { emit } from '../define.ts'
import type { Move, Outcome } from './jobs.ts'
import { enqueue, still } from './jobs.ts'
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

/** What is refused for good is passed over; when nothing is taken at all, the next window tries again. */
export function reported(state: BillingState, job: Job, outcome: Outcome): Move {
  const { meter, window_start, quantity, identifier } = job.details as unknown as Measured & {
    readonly identifier: string
  }
  if (!outcome.ok && outcome.reason !== 'invalid') return still({ ...state, usage_blocked: true })
  const known = state.usage.find((each) => each.meter === meter && each.start === window_start)
  const next =
    known === undefined
      ? state
      : bounded(state, { ...known, reported: known.reported + quantity, reports: known.reports + 1 })
  if (!outcome.ok) return still(next)
  return { state: next, emit: [emit(billingEvents, 'usage_reported', { meter, quantity, window_start, identifier })] }
}
