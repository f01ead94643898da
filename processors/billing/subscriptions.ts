/**
 * A subscription as the payment service tells of it, in whatever order.
 *
 * Invariants
 * 1. Its state is the newest version's: by time, then by rank of its status. Older ones change nothing of it.
 * 2. What happened to it (it began, became active, changed, ended) is read from each event by itself, so that the same
 *    set of events says the same facts; each is said once.
 * 3. Facts come in their order: nothing before it began, an end only after it was active. What is missing is waited for
 *    until `settle`; then the newest version decides.
 * 4. A change that begins at what nobody said waits for the one that says it (3): `changes.ts`.
 */

import { billingEvents } from '../../schemas/index.ts'
import type { Emission } from '../define.ts'
import { emit } from '../define.ts'
import type { Change } from './changes.ts'
import { walk } from './changes.ts'
import { counts, monthlyRevenue } from './mrr.ts'
import type { SubscriptionObject, Told } from './objects.ts'
import { isNewer, mrrOf, subscriptionRank } from './objects.ts'
import type { BillingState, EndReason, Subscription } from './state.ts'
import { kept, replaced } from './state.ts'

const unknown = {
  version_at: 0,
  rank: -1,
  version_id: '',
  status: 'unknown',
  plan: '',
  currency: '',
  mrr: 0,
  customer_id: '',
  period_start: 0,
  period_end: 0,
  created_told: false,
  activated_told: false,
  changes: [],
  canceled_told: false,
  cancel: 'none',
} as const

export const subscriptionOf = (state: BillingState, id: string): Subscription =>
  state.subscriptions.find((known) => known.id === id) ?? { ...unknown, id }

export function withSubscription(state: BillingState, subscription: Subscription): BillingState {
  const subscriptions = replaced(state.subscriptions, subscription)
  if (subscriptions.length <= kept.subscriptions) return { ...state, subscriptions }
  // The one that ended first is forgotten; one that runs never is, unless there are too many of those.
  const oldest = [...subscriptions].sort(
    (a, b) => Number(b.canceled_told) - Number(a.canceled_told) || a.version_at - b.version_at,
  )[0]
  return { ...state, subscriptions: subscriptions.filter((each) => each !== oldest) }
}

/** It ended: no money is to come of it any more. */
export const hasEnded = ({ status, ending }: Subscription): boolean =>
  ending != null || status === 'canceled' || status === 'incomplete_expired'

/** Lays one event over what is known. */
export function learnt(known: Subscription, told: Told<SubscriptionObject>): Subscription {
  const next = happened(latest(known, told), told)
  // Versions of one second look alike: which of them was the last one follows from the changes.
  const mrr = isOfChange(next) ? walk(next, true).value : 0
  return mrr > 0 ? { ...next, mrr } : next
}

/** Whether the newest version is one that changed what it counts. */
const isOfChange = ({ changes, version_id }: Subscription): boolean => changes.some(({ id }) => id === version_id)

/** 1. */
function latest(known: Subscription, { id, at, object }: Told<SubscriptionObject>): Subscription {
  const version = { version_at: at, rank: subscriptionRank(object.status), version_id: id }
  const lasting = {
    ...known,
    document_id: known.document_id ?? object.document_id,
    customer_id: object.customer,
  }
  if (!isNewer(version, known)) return lasting
  return {
    ...lasting,
    ...version,
    status: object.status,
    plan: object.plan,
    currency: object.currency.toUpperCase(),
    mrr: mrrOf(object),
    period_start: object.period_start,
    period_end: object.period_end,
  }
}

const begins = (status: string): boolean => status === 'incomplete' || status === 'trialing'

/** 2. */
function happened(known: Subscription, told: Told<SubscriptionObject>): Subscription {
  const { type, at, object } = told
  const mrr = mrrOf(object)
  if (type === 'customer.subscription.created') {
    const created = { ...known, creation: { status: object.status, plan: object.plan } }
    return counts(object.status) ? activated(created, told) : created
  }
  if (type === 'customer.subscription.deleted' || object.status === 'canceled')
    return ended(known, mrr, object.ended_at ?? at, reasonOf(known, object))
  if (object.status === 'incomplete_expired') return ended(known, 0, object.ended_at ?? at, 'never_paid')
  const before = object.previous?.status ?? object.status
  if (begins(before)) return counts(object.status) ? activated(known, told) : known
  const oldItems = object.previous?.items
  const oldMrr = !counts(before) ? 0 : oldItems === undefined ? mrr : monthlyRevenue(oldItems, object.discount)
  return changed(known, told, oldMrr, counts(object.status) ? mrr : 0)
}

function activated(known: Subscription, { at, object }: Told<SubscriptionObject>): Subscription {
  if (known.activation != null && known.activation.at <= at) return known
  const { plan, period_start, period_end } = object
  return { ...known, activation: { plan, mrr: mrrOf(object), at, period_start, period_end } }
}

function changed(known: Subscription, told: Told<SubscriptionObject>, old_mrr: number, new_mrr: number): Subscription {
  if (old_mrr === new_mrr || known.changes.some(({ id }) => id === told.id)) return known
  const { status, previous } = told.object
  const reason = previous?.status === undefined ? 'terms' : reasonOfChange(status, old_mrr, new_mrr)
  const change = { id: told.id, at: told.at, old_mrr, new_mrr, reason, told: false }
  const changes = [...known.changes, change].sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1))
  return { ...known, changes: changes.slice(-kept.changes) }
}

function reasonOfChange(status: string, oldMrr: number, newMrr: number): Subscription['changes'][number]['reason'] {
  if (newMrr === 0) return status === 'paused' ? 'paused' : 'unpaid'
  return oldMrr === 0 ? 'resumed' : 'terms'
}

/** Also told by the answer to our own wish to end it; the first one who tells is believed. */
export function ended(known: Subscription, mrr: number, at: number, reason: EndReason): Subscription {
  return known.ending == null ? { ...known, ending: { mrr, at, reason } } : known
}

function reasonOf(known: Subscription, { cancel_reason }: SubscriptionObject): EndReason {
  if (known.cancel_reason != null) return known.cancel_reason
  return cancel_reason === 'compensation' || cancel_reason === 'payment_failed' ? cancel_reason : 'voluntary'
}

/** What the facts said so far make its MRR to be. */
const toldMrr = (known: Subscription): number =>
  walk({ ...known, changes: known.changes.filter(({ told }) => told) }, true).value

/** 3: what can be said now; with `settled`, what is known is said as it stands. */
export function say(
  known: Subscription,
  settled: boolean,
): { readonly subscription: Subscription; readonly emit: readonly Emission[] } {
  let subscription = settled ? completed(known) : known
  const said: Emission[] = []
  const saying = (fact: Emission, told: Partial<Subscription>): void => {
    said.push(fact)
    subscription = { ...subscription, ...told }
  }
  if (!subscription.created_told) {
    if (subscription.creation == null) return { subscription, emit: [] }
    saying(createdFact(subscription), { created_told: true })
  }
  if (!subscription.activated_told && !subscription.canceled_told && subscription.activation != null)
    saying(activatedFact(subscription), { activated_told: true })
  if (subscription.activated_told) {
    const { next, silent } = walk(subscription, settled)
    for (const { change, at } of next) said.push(changedFact(subscription, change, at))
    const done = [...silent, ...next.map(({ change }) => change)]
    const changes = subscription.changes.map((each) => (done.includes(each) ? { ...each, told: true } : each))
    if (done.length > 0) subscription = { ...subscription, changes }
  }
  if (mayEnd(subscription, settled)) saying(canceledFact(subscription), { canceled_told: true })
  return { subscription, emit: said }
}

/** An end that nobody waits for more of. One that we wished for is said at once; so is one that never was paid. */
function mayEnd(known: Subscription, settled: boolean): boolean {
  const { ending, canceled_told, activated_told, cancel_reason } = known
  if (ending == null || canceled_told) return false
  if (settled || ending.reason === 'never_paid' || cancel_reason != null) return true
  return activated_told && !waits(known) && (toldMrr(known) === ending.mrr || toldMrr(known) === 0)
}

/** The end of one that was active, where its client is gone; of any other there is nothing to end. */
export function lostRevenue(known: Subscription, at: number): readonly Emission[] {
  if (!known.activated_told || known.canceled_told) return []
  return [canceledFact({ ...known, ending: { mrr: toldMrr(known), at, reason: 'voluntary' } })]
}

/** Whether a change waits for its forerunner. */
const waits = ({ activated_told, changes }: Subscription): boolean =>
  activated_told && changes.some(({ told }) => !told)

/** What it counts, as far as anybody told. */
const mrrNow = (known: Subscription): number =>
  isOfChange(known) ? walk(known, true).value : counts(known.status) ? known.mrr : 0

/** Nothing more is said of it as long as nothing more comes. */
export function isSettled(known: Subscription): boolean {
  const { ending, canceled_told, created_told } = known
  if (waits(known)) return false
  if (canceled_told) return true
  if (ending != null || !created_told) return false
  return toldMrr(known) === mrrNow(known)
}

/** What the newest version says, as if the missing events had said it. */
function completed(known: Subscription): Subscription {
  const { status, plan, mrr, version_at: at, version_id, period_start, period_end } = known
  const created = { ...known, creation: known.creation ?? { status, plan } }
  if (known.ending != null || known.rank < 0) return created
  if (known.activation == null)
    return counts(status) ? { ...created, activation: { plan, mrr, at, period_start, period_end } } : created
  const now = mrrNow(known)
  const before = walk(known, true).value
  if (before === now) return created
  const figures = { old_mrr: before, new_mrr: now, reason: reasonOfChange(status, before, now) }
  const change = { id: `settled:${version_id}`, at, ...figures, told: false }
  return { ...created, changes: [...known.changes, change].slice(-kept.changes) }
}

const createdFact = ({ id, customer_id, creation, document_id }: Subscription): Emission =>
  emit(billingEvents, 'subscription_created', {
    subscription_id: id,
    customer_id,
    plan: creation?.plan ?? '',
    status: creation?.status ?? 'unknown',
    document_id: document_id ?? null,
  })

function activatedFact({ id, currency, activation }: Subscription): Emission {
  const { at, ...figures } = activation ?? { plan: '', mrr: 0, at: 0, period_start: 0, period_end: 0 }
  return emit(billingEvents, 'subscription_activated', { subscription_id: id, currency, ...figures, effective_at: at })
}

function changedFact(known: Subscription, change: Change, effective_at: number): Emission {
  const { old_mrr, new_mrr, reason } = change
  return emit(billingEvents, 'subscription_changed', {
    subscription_id: known.id,
    currency: known.currency,
    old_mrr,
    new_mrr,
    movement: new_mrr > old_mrr ? 'expansion' : 'contraction',
    reason,
    effective_at,
  })
}

function canceledFact({ id, currency, ending, activated_told, changes }: Subscription): Emission {
  const { mrr, at, reason } = ending ?? { mrr: 0, at: 0, reason: 'voluntary' as const }
  const paid = activated_told
  return emit(billingEvents, 'subscription_canceled', {
    subscription_id: id,
    currency,
    mrr: paid ? mrr : 0,
    reason: paid || reason === 'compensation' ? reason : 'never_paid',
    // Not before the last change of its second.
    effective_at: at + Math.max(0, changes.filter((change) => change.at === at).length - 1),
  })
}
