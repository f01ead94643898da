/**
 * Drives billing on its own topic: a requested subscription is set up, answers and webhooks move it, time moves its
 * dunning. Facts the service wrote itself come back here and are ignored.
 */

import { billingEvents, reviewEvents } from '../../schemas/index.ts'
import { jobEnded } from '../billing/answers.ts'
import type { CallAnswer, Outcome } from '../billing/jobs.ts'
import { answered, enqueue, pump, textOf } from '../billing/jobs.ts'
import { requested } from '../billing/orders.ts'
import type { BillingSettings } from '../billing/settings.ts'
import type { BillingState, Job } from '../billing/state.ts'
import { billingState, nothingYet } from '../billing/state.ts'
import { finish, timerFired, timers } from '../billing/step.ts'
import { received } from '../billing/webhooks.ts'
import type { Step, StepContext } from '../define.ts'
import { defineProcessor } from '../define.ts'

export const billingMoney = (settings: BillingSettings) =>
  defineProcessor({
    name: 'billing-money',
    reads: billingEvents,
    writes: [billingEvents, reviewEvents],
    state: billingState,
    timers,
    handle(state, input, context) {
      const known = state ?? nothingYet
      const erased = known.status === 'erased'
      switch (input.event_type) {
        case 'call_answered':
          return afterAnswer(settings, state, input, context)
        case 'subscription_requested':
          return erased ? { state } : finish(settings, requested(known, input, context), context)
        case 'stripe_event_received':
          return erased ? { state } : finish(settings, received(settings, known, input), context)
        case '$timer':
          return erased ? { state } : timerFired(settings, known, input.timer, context)
        default:
          return { state }
      }
    },
  })

/** The answer to a call in flight. Of an erased client only what must still be cancelled goes on, and nothing is said. */
function afterAnswer(
  settings: BillingSettings,
  state: BillingState | null,
  answer: CallAnswer,
  context: StepContext,
): Step<BillingState> {
  const result = state === null ? null : answered(settings, state, answer, context)
  if (result === null) return { state }
  const { move, ended } = result
  if (state?.status === 'erased') {
    const next = pump(ended === null ? move.state : unmade(move.state, ended, context), context)
    return { state: next.state, emit: [...move.emit, ...next.emit] }
  }
  return finish(
    settings,
    ended === null ? move : jobEnded(settings, move.state, ended.job, ended.outcome, context),
    context,
  )
}

/** A subscription that was made for a client which is erased by now. */
function unmade(
  state: BillingState,
  { job, outcome }: { readonly job: Job; readonly outcome: Outcome },
  context: StepContext,
): BillingState {
  const id = job.operation === 'create_subscription' && outcome.ok ? textOf(outcome.output, 'subscription_id') : null
  if (id === null) return state
  const details = { subscription_id: id, reason: 'voluntary' }
  return enqueue(state, { operation: 'cancel_subscription', ref: id, details }, context)
}
