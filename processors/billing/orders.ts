/**
 * From a signed contract to a subscription.
 *
 * Invariants
 * 1. A contract (by its document) is ordered once.
 * 2. The customer is made once, before anything else; a contract while a subscription runs changes that subscription.
 * 3. A contract that fails says so once, and what the payment service makes of it later is taken back.
 * 4. A contract whose subscription the payment service has told of has not failed, whatever became of our calls for it.
 */

import { billingEvents } from '../../schemas/index.ts'
import type { PayloadOf } from '../../schemas/index.ts'
import type { StepContext } from '../define.ts'
import { emit } from '../define.ts'
import type { Move, Outcome } from './jobs.ts'
import { chained, enqueue, isQueued, numberOf, still, textOf } from './jobs.ts'
import { ended, hasEnded, subscriptionOf, withSubscription } from './subscriptions.ts'
import type { BillingState, Job, Order } from './state.ts'
import { kept } from './state.ts'

const withOrder = (state: BillingState, document_id: string, change: Partial<Order>): BillingState => ({
  ...state,
  orders: state.orders.map((order) => (order.document_id === document_id ? { ...order, ...change } : order)),
})

export const orderOf = (state: BillingState, document_id: string | null | undefined): Order | undefined =>
  state.orders.find((order) => order.document_id === document_id)

/** 1. A contract signed before everything was taken back is taken back with it. */
export function requested(
  state: BillingState,
  request: PayloadOf<typeof billingEvents.events, 'subscription_requested'>,
  context: StepContext,
): Move {
  if (orderOf(state, request.document_id) !== undefined) return still(state)
  const { document_id, plan, quantity, interval, currency, amount, start } = request
  const late = state.compensation != null && context.time <= state.compensation.at
  const status = late ? ('compensated' as const) : ('waiting' as const)
  const order: Order = { document_id, plan, quantity, interval, currency, amount, signed_at: start, status }
  const ordered = { ...state, orders: [...state.orders, order].slice(-kept.orders) }
  return late ? failedOrder(ordered, document_id, 'compensation', 'compensated') : begun(ordered, context)
}

/** 2. Begins what waits, once the client's name is known. */
export function begun(state: BillingState, context: StepContext): Move {
  if (state.company == null) return still(state)
  const waiting = state.orders.filter(({ status }) => status === 'waiting')
  let now = state
  for (const order of waiting) now = enqueueOrder(now, order, context)
  return still(now)
}

function enqueueOrder(state: BillingState, order: Order, context: StepContext): BillingState {
  const asked = withOrder(state, order.document_id, { status: 'asked' })
  const running = state.subscriptions.find((known) => !hasEnded(known) && known.cancel === 'none')
  const { document_id, plan, quantity, interval, currency, amount } = order
  const terms = { plan, quantity, interval, currency, amount, document_id }
  if (running !== undefined) {
    const details = { subscription_id: running.id, ...terms }
    return enqueue(asked, { operation: 'update_subscription', ref: document_id, details }, context)
  }
  const needsCustomer = state.customer_id == null && !isQueued(state, 'create_customer', 'customer')
  const withCustomer = needsCustomer
    ? enqueue(
        asked,
        { operation: 'create_customer', ref: 'customer', details: { company: state.company ?? '' } },
        context,
      )
    : asked
  return enqueue(withCustomer, { operation: 'create_subscription', ref: document_id, details: terms }, context)
}

/** 3. */
function failedOrder(
  state: BillingState,
  document_id: string,
  reason: string,
  status: 'failed' | 'compensated' = 'failed',
): Move {
  return {
    state: withOrder(state, document_id, { status }),
    emit: [emit(billingEvents, 'subscription_failed', { document_id, reason })],
  }
}

export function customerMade(state: BillingState, outcome: Outcome): Move {
  const customer_id = outcome.ok ? textOf(outcome.output, 'customer_id') : null
  if (customer_id !== null) return still({ ...state, customer_id })
  const reason = outcome.ok ? 'invalid' : outcome.reason
  const stranded = state.jobs.filter(({ operation }) => operation === 'create_subscription')
  const jobs = state.jobs.filter((job) => !stranded.includes(job))
  return chained(
    { ...state, jobs },
    ...stranded.map(
      ({ ref }) =>
        (now: BillingState) =>
          failedOrder(now, ref, reason),
    ),
  )
}

export function subscriptionMade(state: BillingState, job: Job, outcome: Outcome): Move {
  const id = outcome.ok ? textOf(outcome.output, 'subscription_id') : null
  const order = orderOf(state, job.ref)
  const taken = order?.status === 'compensated'
  if (!outcome.ok || id === null) {
    // 4: nobody heard an answer, and a webhook says that it is there, perhaps paid.
    const told = state.subscriptions.find(({ document_id }) => document_id === job.ref)
    if (told !== undefined && !taken)
      return still(withOrder(state, job.ref, { subscription_id: told.id, status: 'set' }))
    const reason = outcome.ok ? 'invalid' : outcome.reason
    return failedOrder(state, job.ref, taken ? 'compensation' : reason, endOf(order))
  }
  const set = withOrder(state, job.ref, { subscription_id: id, ...(taken ? {} : { status: 'set' }) })
  const known = subscriptionOf(set, id)
  const status = textOf(outcome.output, 'status') ?? 'incomplete'
  const subscription = {
    ...known,
    document_id: known.document_id ?? job.ref,
    customer_id: state.customer_id ?? known.customer_id,
    plan: known.plan === '' ? (order?.plan ?? '') : known.plan,
    currency: known.currency === '' ? (order?.currency ?? '').toUpperCase() : known.currency,
    status: known.rank < 0 ? status : known.status,
    creation: known.creation ?? { status, plan: order?.plan ?? '' },
  }
  return still(withSubscription(set, subscription))
}

const endOf = (order: Order | undefined): 'failed' | 'compensated' =>
  order?.status === 'compensated' ? 'compensated' : 'failed'

export function subscriptionUpdated(state: BillingState, job: Job, outcome: Outcome): Move {
  if (!outcome.ok) return failedOrder(state, job.ref, outcome.reason, endOf(orderOf(state, job.ref)))
  const { subscription_id } = job.details
  if (orderOf(state, job.ref)?.status !== 'asked') return still(state)
  return still(withOrder(state, job.ref, { status: 'set', subscription_id: String(subscription_id) }))
}

export function subscriptionCancelled(state: BillingState, job: Job, outcome: Outcome, time: number): Move {
  const known = subscriptionOf(state, job.ref)
  if (!outcome.ok) return still(withSubscription(state, { ...known, cancel: 'failed' }))
  const at = numberOf(outcome.output, 'ended_at') ?? time
  const over = ended({ ...known, cancel: 'done' }, known.mrr, at, known.cancel_reason ?? 'voluntary')
  return still(withSubscription(state, over))
}
