/**
 * What every step of billing ends with: what is to be taken back is asked for, what can be said is said, the next calls are
 * made, the timers are set. Timers: `dunning` (the next stage of an unpaid invoice), `settle` (what is still unsaid).
 */

import type { Step, StepContext } from '../define.ts'
import { cancelled, takeBack } from './compensation.ts'
import { nextStageAt, onTimer } from './dunning.ts'
import { isSettled as invoiceSettled, say as sayInvoice, withInvoice } from './invoices.ts'
import type { Move } from './jobs.ts'
import { chained, pump, still } from './jobs.ts'
import type { BillingSettings } from './settings.ts'
import { isSettled as subscriptionSettled, say as saySubscription, withSubscription } from './subscriptions.ts'
import type { BillingState } from './state.ts'
import { nextReport } from './usage.ts'

export const timers = ['dunning', 'settle'] as const

/** @param settled what is unsaid is said as it stands */
export function finish(
  settings: BillingSettings,
  first: Move,
  context: StepContext,
  settled = false,
): Step<BillingState> {
  const { state, emit } = chained(
    first.state,
    (now) => ({ state: now, emit: first.emit }),
    (now) => say(settings, now, settled, context),
    (now) => takeBack(settings, now, context),
    (now) => still(nextReport(now, context)),
    (now) => pump(now, context),
    (now) => still({ ...now, settle_at: settleAt(settings, now, context) }),
  )
  const stageAt = nextStageAt(state)
  return {
    state,
    emit,
    timers: {
      dunning: stageAt === null ? null : Math.max(stageAt, state.dunning_fired_at + 1),
      settle: state.settle_at ?? null,
    },
  }
}

function say(settings: BillingSettings, state: BillingState, settled: boolean, context: StepContext): Move {
  return chained(
    state,
    ...state.subscriptions.map((known) => (now: BillingState): Move => {
      const { subscription, emit } = saySubscription(known, settled)
      return { state: subscription === known ? now : withSubscription(now, subscription), emit }
    }),
    ...state.invoices.map((known) => (now: BillingState): Move => {
      const { invoice, emit } = sayInvoice(settings, known, settled, context.time)
      return { state: emit.length === 0 ? now : withInvoice(now, invoice), emit }
    }),
  )
}

/** Begins with the first thing that is unsaid, ends when nothing is. */
function settleAt(settings: BillingSettings, state: BillingState, context: StepContext): number | null {
  const unsaid = !state.subscriptions.every(subscriptionSettled) || !state.invoices.every(invoiceSettled)
  if (!unsaid) return null
  return state.settle_at ?? Math.max(context.time + settings.settleMs, state.settle_fired_at + 1)
}

/** A timer came due. */
export function timerFired(
  settings: BillingSettings,
  state: BillingState,
  name: string,
  context: StepContext,
): Step<BillingState> {
  if (name === 'settle') {
    const fired = { ...state, settle_at: null, settle_fired_at: context.time }
    return finish(settings, still(fired), context, true)
  }
  const due = onTimer(settings, { ...state, dunning_fired_at: context.time }, context.time)
  const over = chained(
    due.state,
    ...due.over.map(
      ({ subscription_id }) =>
        (now: BillingState) =>
          still(cancelled(now, subscription_id ?? '', 'payment_failed', context)),
    ),
  )
  return finish(settings, { state: over.state, emit: due.emit }, context)
}
