/** Numbers in brackets are those of `processors/BEHAVIOURS.md`. */

import { clientEvents } from '../../schemas/index.ts'
import {
  answer,
  called,
  charge,
  compensation,
  dayMs,
  days,
  fact,
  invoice,
  live,
  refusal,
  seconds,
  signed,
  start,
  subscription,
  webhook,
} from '../billing/scenario-data.ts'
import type { Scenario, ScenarioInput } from '../define.ts'
import { last } from '../define.ts'

const erased = (at: number): ScenarioInput => ({
  topic: clientEvents,
  type: 'client_erased',
  payload: { mode: 'erase' },
  at,
})
const lost = fact('subscription_canceled', {
  subscription_id: 'sub_1',
  reason: 'voluntary',
  mrr: 80_000,
  effective_at: days(1),
})
const cancel = called('cancel_subscription', { subscription_id: 'sub_1', reason: 'compensation' })
const canceled = fact('subscription_canceled', { subscription_id: 'sub_1', reason: 'compensation' })

const paymentOf = (id: string): ScenarioInput =>
  webhook('invoice_payment.paid', { object: 'invoice_payment', invoice: id, payment_intent: 'pi_1' }, seconds(5))
const unanswered = Array.from({ length: 7 }, (_, n) => ({
  when: refusal(days(12) + 2 + n, 'retry'),
  then: [fact('call_requested', { operation: 'refund', attempt: n + 2 })],
}))

export const scenarios: readonly Scenario[] = [
  {
    it: 'cancels, and gives the unused days back (5.4.8, 4.5.5, 4.5.11)',
    play: [
      ...live,
      { when: compensation(days(12)), then: [cancel] },
      {
        when: answer(days(12) + 1, { status: 'canceled', ended_at: days(12) }),
        then: [canceled, called('refund', { invoice_id: 'in_1', amount: 48_000, currency: 'USD' })],
      },
      {
        when: answer(days(12) + 2, {
          refund_id: 're_1',
          amount: 48_000,
          amount_refunded: 48_000,
          payment_intent: 'pi_1',
        }),
        then: [fact('refund_issued', { refund_id: 're_1', amount: 48_000, reason: 'compensation' })],
      },
      { when: compensation(days(13)) },
    ],
  },
  {
    it: 'voids what is not paid yet (5.4.8, 4.5.11)',
    play: [
      ...live.slice(0, 5),
      { when: compensation(seconds(5)), then: [cancel] },
      {
        when: answer(seconds(6), { status: 'canceled', ended_at: seconds(6) }),
        then: [
          fact('subscription_canceled', { mrr: 0, reason: 'compensation' }),
          called('void_invoice', { invoice_id: 'in_1' }),
        ],
      },
      { when: answer(seconds(7), { status: 'void', voided_at: seconds(7) }), then: [fact('invoice_voided')] },
    ],
  },
  {
    it: 'takes back a subscription whose creation is answered after the wish (5.4.8)',
    play: [
      ...live.slice(0, 3),
      { when: compensation(seconds(2)) },
      {
        when: answer(seconds(3), { subscription_id: 'sub_1', status: 'incomplete' }),
        then: [fact('subscription_created'), cancel],
      },
      { when: answer(seconds(4), { status: 'canceled', ended_at: seconds(4) }), then: [canceled] },
    ],
  },
  {
    it: 'says that nothing is set up when the creation fails after the wish',
    play: [
      ...live.slice(0, 3),
      { when: compensation(seconds(2)) },
      { when: refusal(seconds(3), 'invalid'), then: [fact('subscription_failed', { reason: 'compensation' })] },
    ],
  },
  {
    it: 'gives back what was paid after the wish (5.4.8)',
    play: [
      ...live.slice(0, 5),
      { when: compensation(seconds(5)), then: [cancel] },
      {
        when: webhook('invoice.paid', invoice('paid', { paid_at: seconds(6) }), seconds(6)),
        then: [fact('invoice_paid')],
      },
      {
        when: answer(seconds(7), { status: 'canceled', ended_at: seconds(7) }),
        then: [canceled, called('void_invoice')],
      },
      { when: refusal(seconds(8), 'invalid'), then: [called('refund', { amount: 77_333 })] },
    ],
  },
  {
    it: 'takes back a subscription that the payment service made though it never answered (4.5.11)',
    play: [
      ...live.slice(0, 3),
      { when: refusal(seconds(2), 'invalid'), then: [fact('subscription_failed', { reason: 'invalid' })] },
      {
        when: webhook('customer.subscription.created', subscription('incomplete'), seconds(3)),
        then: [fact('subscription_created'), cancel],
      },
    ],
  },
  {
    it: 'says that nothing is set up when there is nothing to take back',
    play: [
      { when: compensation(start), then: [fact('subscription_failed', { document_id: '', reason: 'compensation' })] },
      { when: compensation(start, 1) },
    ],
  },
  {
    it: 'orders no contract that was signed before everything was taken back',
    play: [
      { when: compensation(seconds(5)), then: [fact('subscription_failed')] },
      {
        when: signed(start),
        then: [
          fact('subscription_requested'),
          fact('subscription_failed', { document_id: 'doc1', reason: 'compensation' }),
        ],
      },
    ],
  },
  {
    it: 'tries again what failed when the saga asks again (4.5.5)',
    play: [
      ...live,
      { when: compensation(days(12)), then: [cancel] },
      { when: refusal(days(12) + 1, 'auth'), then: [called('refund')] },
      { when: refusal(days(12) + 2, 'auth') },
      { when: compensation(days(12) + 3, 2), then: [cancel] },
      {
        when: answer(days(12) + 4, { status: 'canceled', ended_at: days(12) }),
        then: [canceled, called('refund')],
      },
    ],
  },
  {
    it: 'asks for a refund that nobody answered under its old key, and tells it once (5.4.8, 4.5.5)',
    play: [
      ...live,
      { when: paymentOf('in_1') },
      { when: compensation(days(12)), then: [cancel] },
      {
        when: answer(days(12) + 1, { status: 'canceled', ended_at: days(12) }),
        then: [canceled, called('refund', { amount: 48_000 })],
      },
      ...unanswered,
      { when: refusal(days(12) + 9, 'retry') },
      // It was made all the same.
      {
        when: webhook('charge.refunded', charge(48_000, 0), days(12) + 10),
        then: [fact('refund_issued', { amount: 48_000 })],
      },
      {
        when: compensation(days(12) + 11, 2),
        then: [
          fact('subscription_failed', { reason: 'compensation' }),
          fact('call_requested', {
            operation: 'refund',
            call_id: last('call_requested', 'call_id'),
            request: { invoice_id: 'in_1', amount: 48_000 },
          }),
        ],
      },
      {
        when: answer(days(12) + 12, { refund_id: 're_1', amount: 48_000, amount_refunded: 48_000 }),
      },
    ],
  },
  {
    it: 'forgets an erased client, charges it no longer, and ends its revenue (5.0.8)',
    play: [
      ...live,
      { when: erased(days(1)), then: [lost, called('cancel_subscription', { subscription_id: 'sub_1' })] },
      { when: refusal(days(1) + 1, 'retry'), then: [called('cancel_subscription')] },
      { when: answer(days(1) + dayMs, { status: 'canceled', ended_at: days(1) }) },
      { when: webhook('invoice.paid', invoice('paid', { id: 'in_2' }), days(31)) },
      { when: signed(days(32), { document_id: 'doc2' }) },
    ],
  },
  {
    it: 'cancels what is made for a client that was erased meanwhile (5.0.8)',
    play: [
      ...live.slice(0, 3),
      { when: erased(seconds(2)) },
      { when: refusal(seconds(3), 'retry'), then: [called('create_subscription')] },
      {
        when: answer(seconds(4), { subscription_id: 'sub_1', status: 'incomplete', invoice_id: 'in_1' }),
        then: [called('cancel_subscription', { subscription_id: 'sub_1', reason: 'voluntary' })],
      },
      { when: answer(seconds(5), { status: 'canceled', ended_at: seconds(5) }) },
    ],
  },
]
