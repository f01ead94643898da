/**
 * What becomes of a client: its name, without which no customer is made; the saga's wish to take billing back; and its
 * erasure, after which nothing of it is kept and nothing of it is charged.
 */

import { billingEvents, clientEvents, reviewEvents } from '../../schemas/index.ts'
import { compensationRequested } from '../billing/compensation.ts'
import type { Move } from '../billing/jobs.ts'
import { enqueue, pump } from '../billing/jobs.ts'
import { begun } from '../billing/orders.ts'
import type { BillingSettings } from '../billing/settings.ts'
import type { BillingState, Job } from '../billing/state.ts'
import { billingState, erasedState, nothingYet } from '../billing/state.ts'
import { finish } from '../billing/step.ts'
import { hasEnded, lostRevenue } from '../billing/subscriptions.ts'
import type { StepContext } from '../define.ts'
import { defineProcessor } from '../define.ts'

const longestName = 200

export const billingClient = (settings: BillingSettings) =>
  defineProcessor({
    name: 'billing-client',
    reads: clientEvents,
    writes: [billingEvents, reviewEvents],
    state: billingState,
    handle(state, input, context) {
      const known = state ?? nothingYet
      if (known.status === 'erased') return { state }
      switch (input.event_type) {
        case 'client_created': {
          if (known.company != null) return { state }
          const company = input.company_name.slice(0, longestName).toWellFormed()
          return finish(settings, begun({ ...known, company }, context), context)
        }
        case 'compensation_requested':
          if (input.step !== 'billing') return { state }
          return finish(settings, compensationRequested(known, input.attempt, context), context)
        case 'client_erased':
          return { ...erased(known, context), timers: { dunning: null, settle: null } }
        default:
          return { state }
      }
    },
  })

const outlasting: readonly Job['operation'][] = ['create_subscription', 'cancel_subscription']

/**
 * What runs is cancelled; a call in flight goes on, so that its answer is waited for, and what it made is cancelled too. What was
 * said of revenue ends now: after this nothing is known that could end it later.
 */
function erased(state: BillingState, context: StepContext): Move {
  const inFlight = state.jobs
    .filter((job) => job.attempt > 0 && outlasting.includes(job.operation))
    .map((job) => (job.operation === 'create_subscription' ? placed(state, job) : job))
  const running = state.subscriptions.filter((known) => !hasEnded(known))
  let next = erasedState(inFlight)
  for (const { id } of running)
    next = enqueue(
      next,
      { operation: 'cancel_subscription', ref: id, details: { subscription_id: id, reason: 'voluntary' } },
      context,
    )
  const { state: left, emit: asked = [] } = pump(next, context)
  return { state: left, emit: [...running.flatMap((known) => lostRevenue(known, context.time)), ...asked] }
}

/** Asked again it must be the same request, and its customer is forgotten with the rest. */
const placed = ({ customer_id = null }: BillingState, job: Job): Job => ({
  ...job,
  details: { ...job.details, customer_id },
})
