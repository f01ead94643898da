/** Numbers in brackets are those of `processors/BEHAVIOURS.md`. */

import { billingEvents } from '../../schemas/index.ts'
import {
  answer,
  called,
  charge,
  clientCreated,
  dayMs,
  days,
  fact,
  failing,
  invoice,
  live,
  refusal,
  seats,
  seconds,
  signed,
  start,
  subscription,
  terms,
  webhook,
} from '../billing/scenario-data.ts'
import type { Scenario, ScenarioInput } from '../define.ts'
import { between, last } from '../define.ts'

const stage = (from: string, to: string, day: number) =>
  fact('dunning_stage_changed', { invoice_id: 'in_2', from, to, day })
const second = { id: 'in_2', period_start: days(30), period_end: days(60), due_at: days(30), finalized_at: days(30) }
const failed = (attempt: number, at: number, more = {}) => failing(attempt, at, { ...second, ...more })
const issued = {
  when: webhook('invoice.finalized', invoice('open', second), days(30)),
  then: [fact('invoice_issued', { invoice_id: 'in_2' })],
}
const graced = {
  when: failed(1, days(30) + 1),
  then: [fact('payment_failed', { attempt_count: 1, hard: false }), stage('none', 'grace', 0)],
}
const D = (day: number): number => days(30) + 1 + day * dayMs

/** Seats from one number to another, under an id that says nothing of the order. */
const moved = (stripe_event_id: string, from: number, to: number, at: number): ScenarioInput => {
  const object = subscription('active', { items: seats(to), previous: { items: seats(from) } })
  const input = webhook('customer.subscription.updated', object, at)
  return 'payload' in input ? { ...input, payload: { ...input.payload, stripe_event_id } } : input
}

const linked = (of: string, payment_intent: string, at: number): ScenarioInput =>
  webhook('invoice_payment.paid', { object: 'invoice_payment', invoice: of, payment_intent }, at)

const stages = [
  ['grace', 0],
  ['reminder_1', 3],
  ['reminder_2', 7],
  ['final_notice', 10],
  ['restricted', 14],
  ['suspended', 21],
  ['canceled', 30],
] as const

export const scenarios: readonly Scenario[] = [
  {
    it: 'keeps the call id over retries, waits longer each time, and says so when nobody answers (5.4.1)',
    play: [
      { when: clientCreated() },
      { when: signed(start), then: [fact('subscription_requested'), called('create_customer')] },
      {
        when: refusal(seconds(1), 'retry'),
        then: [
          fact('call_requested', {
            operation: 'create_customer',
            attempt: 2,
            call_id: last('call_requested', 'call_id'),
            not_before: between(seconds(2), seconds(3)),
          }),
        ],
      },
      { when: refusal(seconds(4), 'invalid'), then: [fact('subscription_failed', { reason: 'invalid' })] },
    ],
  },
  {
    it: 'sets up what is requested once, however often it is said (5.4.1)',
    play: [
      ...live,
      {
        when: {
          topic: billingEvents,
          type: 'subscription_requested',
          payload: { document_id: 'doc1', ...terms, start },
          at: seconds(20),
        },
      },
    ],
  },
  {
    it: 'takes a declined card for a definite answer',
    play: [
      ...live.slice(0, 3),
      {
        when: answer(seconds(2), { declined: 'card_declined' }),
        then: [fact('subscription_failed', { document_id: 'doc1', reason: 'declined: card_declined' })],
      },
    ],
  },
  {
    it: 'takes the word of the payment service for a subscription whose making was never answered',
    play: [
      ...live.slice(0, 3),
      {
        when: webhook('customer.subscription.created', subscription('incomplete'), seconds(2)),
        then: [fact('subscription_created', { status: 'incomplete' })],
      },
      { when: refusal(seconds(3), 'retry'), then: [called('create_subscription')] },
      // The calls have ended without an answer that says it was made.
      { when: refusal(seconds(9), 'auth') },
      {
        when: webhook(
          'customer.subscription.updated',
          subscription('active', { previous: { status: 'incomplete' } }),
          seconds(70),
        ),
        then: [fact('subscription_activated', { mrr: 80_000 })],
      },
    ],
  },
  {
    it: 'says what is paid and active in its order, though it is told backwards (5.4.2)',
    play: [
      ...live.slice(0, 3),
      {
        when: webhook(
          'customer.subscription.updated',
          subscription('active', { previous: { status: 'incomplete' } }),
          seconds(4),
        ),
      },
      {
        when: webhook('invoice.paid', invoice('paid'), seconds(4), seconds(3)),
        then: [fact('invoice_issued', { amount_due: 80_000 }), fact('invoice_paid')],
      },
      {
        when: answer(seconds(5), { subscription_id: 'sub_1', status: 'incomplete' }),
        then: [fact('subscription_created', { status: 'incomplete' }), fact('subscription_activated', { mrr: 80_000 })],
      },
      { when: webhook('invoice.finalized', invoice('open'), seconds(6), seconds(2)) },
    ],
  },
  {
    it: 'says expansion, contraction and the end (5.4.5)',
    play: [
      ...live,
      {
        when: webhook(
          'customer.subscription.updated',
          subscription('active', { items: seats(50), previous: { items: seats(40) } }),
          seconds(10),
        ),
        then: [
          fact('subscription_changed', { old_mrr: 80_000, new_mrr: 100_000, movement: 'expansion', reason: 'terms' }),
        ],
      },
      {
        when: webhook(
          'customer.subscription.updated',
          subscription('active', { items: seats(30), previous: { items: seats(50) } }),
          seconds(20),
        ),
        then: [fact('subscription_changed', { old_mrr: 100_000, new_mrr: 60_000, movement: 'contraction' })],
      },
      {
        when: webhook(
          'customer.subscription.deleted',
          subscription('canceled', { items: seats(30), ended_at: seconds(30) }),
          seconds(30),
        ),
        then: [fact('subscription_canceled', { mrr: 60_000, reason: 'voluntary', effective_at: seconds(30) })],
      },
    ],
  },
  {
    it: 'follows two changes of one second by what each was before, whichever is told first (5.4.2)',
    play: [
      ...live,
      // The later one comes first, and its id is the lower one: it waits for what it says was before.
      { when: moved('evt_a', 50, 30, seconds(10)) },
      {
        when: moved('evt_b', 40, 50, seconds(10)),
        then: [
          fact('subscription_changed', { old_mrr: 80_000, new_mrr: 100_000, effective_at: seconds(10) }),
          fact('subscription_changed', { old_mrr: 100_000, new_mrr: 60_000, effective_at: seconds(10) + 1 }),
        ],
      },
      { when: { advanceTo: days(1) } },
      {
        when: webhook(
          'customer.subscription.deleted',
          subscription('canceled', { items: seats(30), ended_at: days(2) }),
          days(2),
        ),
        then: [fact('subscription_canceled', { mrr: 60_000 })],
      },
    ],
  },
  {
    it: 'says a change whose forerunner never comes, after a while',
    play: [
      ...live,
      { when: moved('evt_a', 50, 30, seconds(10)) },
      {
        when: { advanceTo: days(1) },
        then: [fact('subscription_changed', { old_mrr: 100_000, new_mrr: 60_000, effective_at: seconds(10) })],
      },
    ],
  },
  {
    it: 'goes through each stage of dunning once, ends the subscription, and never begins again (5.4.3)',
    play: [
      ...live,
      issued,
      graced,
      { when: failed(2, D(2)), then: [fact('payment_failed', { attempt_count: 2 })] },
      { when: { advanceTo: D(3) }, then: [stage('grace', 'reminder_1', 3)] },
      { when: { advanceTo: D(8) }, then: [stage('reminder_1', 'reminder_2', 7)] },
      { when: { advanceTo: D(10) }, then: [stage('reminder_2', 'final_notice', 10)] },
      { when: { advanceTo: D(20) }, then: [stage('final_notice', 'restricted', 14)] },
      { when: { advanceTo: D(21) }, then: [stage('restricted', 'suspended', 21)] },
      {
        when: { advanceTo: D(40) },
        then: [
          stage('suspended', 'canceled', 30),
          called('cancel_subscription', { subscription_id: 'sub_1', reason: 'payment_failed' }),
        ],
      },
      {
        when: answer(D(40), { status: 'canceled', ended_at: D(40) }),
        then: [fact('subscription_canceled', { reason: 'payment_failed', mrr: 80_000 })],
      },
      {
        when: webhook('customer.subscription.deleted', subscription('canceled', { ended_at: D(40) }), D(40) + 1),
      },
      { when: { advanceTo: D(90) } },
    ],
  },
  ...stages.slice(0, -1).map(([to, day], place) => ({
    it: `lifts everything when the invoice is paid at stage ${to}, and begins no other (5.4.3)`,
    play: [
      ...live,
      issued,
      graced,
      ...stages.slice(1, place + 1).map(([entered, at], n) => ({
        when: { advanceTo: D(at) },
        then: [stage(stages[n]![0], entered, at)],
      })),
      {
        when: webhook('invoice.paid', invoice('paid', { ...second, attempt_count: 2, paid_at: D(day) }), D(day) + 1),
        then: [fact('invoice_paid', { invoice_id: 'in_2' }), stage(to, 'recovered', day)],
      },
      { when: { advanceTo: D(90) } },
    ],
  })),
  {
    it: 'asks for a new method at once when no retry can help (5.4.3)',
    play: [
      ...live,
      issued,
      {
        when: failed(1, days(30) + 1, { decline_code: 'stolen_card' }),
        then: [
          fact('payment_failed', { hard: true, decline_code: 'stolen_card' }),
          stage('none', 'grace', 0),
          stage('grace', 'reminder_1', 0),
        ],
      },
      { when: { advanceTo: D(7) }, then: [stage('reminder_1', 'reminder_2', 7)] },
    ],
  },
  {
    it: 'asks for a new method at once when the service will not try again, whatever the bank said (5.4.3)',
    play: [
      ...live,
      issued,
      {
        when: failed(1, days(30) + 1, { next_payment_attempt: null, decline_code: 'insufficient_funds' }),
        then: [
          fact('payment_failed', { hard: true, next_attempt_at: null }),
          stage('none', 'grace', 0),
          stage('grace', 'reminder_1', 0),
        ],
      },
    ],
  },
  {
    it: 'keeps its own days, whatever the tries of the service; after the last of them it asks for a new method (5.4.3)',
    play: [
      ...live,
      issued,
      graced,
      { when: failed(2, D(2)), then: [fact('payment_failed', { attempt_count: 2, hard: false })] },
      { when: { advanceTo: D(3) }, then: [stage('grace', 'reminder_1', 3)] },
      { when: { advanceTo: D(7) }, then: [stage('reminder_1', 'reminder_2', 7)] },
      {
        when: failed(3, D(8), { next_payment_attempt: null }),
        then: [fact('payment_failed', { attempt_count: 3, hard: true })],
      },
      { when: { advanceTo: D(10) }, then: [stage('reminder_2', 'final_notice', 10)] },
    ],
  },
  {
    it: 'counts nothing of a trial until it is paid (5.4.4)',
    play: [
      ...live.slice(0, 3),
      {
        when: answer(seconds(2), { subscription_id: 'sub_1', status: 'trialing' }),
        then: [fact('subscription_created', { status: 'trialing' })],
      },
      { when: webhook('customer.subscription.created', subscription('trialing'), seconds(3)) },
      {
        when: webhook(
          'customer.subscription.updated',
          subscription('active', { previous: { status: 'trialing' } }),
          days(14),
        ),
        then: [fact('subscription_activated', { mrr: 80_000, effective_at: days(14) })],
      },
    ],
  },
  {
    it: 'counts no revenue of what is unpaid, and counts it again (5.4.4)',
    play: [
      ...live,
      {
        when: webhook(
          'customer.subscription.updated',
          subscription('unpaid', { previous: { status: 'past_due' } }),
          days(45),
        ),
        then: [fact('subscription_changed', { old_mrr: 80_000, new_mrr: 0, reason: 'unpaid' })],
      },
      {
        when: webhook(
          'customer.subscription.updated',
          subscription('active', { previous: { status: 'unpaid' } }),
          days(46),
        ),
        then: [fact('subscription_changed', { old_mrr: 0, new_mrr: 80_000, reason: 'resumed' })],
      },
    ],
  },
  {
    it: 'says that a subscription which nobody paid for is over (5.4.4)',
    play: [
      ...live.slice(0, 5),
      {
        when: webhook(
          'customer.subscription.updated',
          subscription('incomplete_expired', { previous: { status: 'incomplete' }, ended_at: days(1) }),
          days(1),
        ),
        then: [fact('subscription_canceled', { mrr: 0, reason: 'never_paid' })],
      },
      {
        when: webhook('invoice.voided', invoice('void', { voided_at: days(1) }), days(1)),
        then: [fact('invoice_voided')],
      },
    ],
  },
  {
    it: 'takes from the newest version what was never told, after a while',
    play: [
      ...live.slice(0, 4),
      { when: webhook('customer.subscription.updated', subscription('active'), seconds(10)) },
      {
        when: { advanceTo: days(1) },
        then: [fact('subscription_activated', { mrr: 80_000, effective_at: seconds(10) })],
      },
    ],
  },
  {
    it: 'says a refund that was made elsewhere once its invoice is known',
    play: [
      ...live,
      { when: webhook('charge.refunded', charge(5_000, 0), seconds(10)) },
      {
        when: webhook(
          'invoice_payment.paid',
          { object: 'invoice_payment', invoice: 'in_1', payment_intent: 'pi_1' },
          seconds(11),
        ),
        then: [fact('refund_issued', { invoice_id: 'in_1', amount: 5_000, reason: 'elsewhere' })],
      },
      {
        when: webhook('charge.refunded', charge(9_000, 5_000), seconds(12)),
        then: [fact('refund_issued', { amount: 4_000 })],
      },
    ],
  },
  {
    it: 'remembers whose payment it was when that is told before its invoice, after any number of invoices',
    play: [
      ...live,
      ...Array.from({ length: 45 }, (_, n) => ({
        when: webhook(
          'invoice.finalized',
          invoice('open', {
            id: `in_${String(n + 10)}`,
            period_start: days(30 * (n + 1)),
            period_end: days(30 * (n + 2)),
          }),
          days(30 * (n + 1)),
        ),
        then: [fact('invoice_issued')],
      })),
      { when: linked('in_99', 'pi_1', days(1_400)) },
      {
        when: webhook(
          'invoice.paid',
          invoice('paid', { id: 'in_99', period_start: days(1_400), period_end: days(1_430) }),
          days(1_400) + 1,
        ),
        then: [fact('invoice_issued'), fact('invoice_paid')],
      },
      {
        when: webhook('charge.refunded', charge(5_000, 0), days(1_401)),
        then: [fact('refund_issued', { invoice_id: 'in_99', amount: 5_000 })],
      },
    ],
  },
  {
    it: 'passes over a webhook about something else',
    play: [...live, { when: webhook('customer.updated', { object: 'customer', id: 'cus_1' } as never, seconds(10)) }],
  },
]
