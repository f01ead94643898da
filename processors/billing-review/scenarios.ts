/** Numbers in brackets are those of `processors/BEHAVIOURS.md`. */

import {
  answer,
  called,
  clientCreated,
  compensation,
  days,
  fact,
  invoice,
  live,
  reviewed,
  seconds,
  signed,
  start,
  subscription,
  terms,
  webhook,
} from '../billing/scenario-data.ts'
import type { Scenario, ScenarioStep } from '../define.ts'

const big = { amount_due: 300_000, amount_paid: 300_000 }
const items = [{ unit_amount: 7_500, quantity: 40, interval: 'month', interval_count: 1, metered: false }]

/** Live with 300,000 a month, then taken back on the 12th day: 180,000 are unused, the limit is 100,000. */
const waiting: readonly ScenarioStep[] = [
  { when: clientCreated() },
  {
    when: signed(start, { terms: { ...terms, amount: 300_000 } }),
    then: [fact('subscription_requested'), called('create_customer')],
  },
  ...live.slice(2, 4).map(({ when, then }) => ({ when, then: (then ?? []).map(({ type }) => fact(type)) })),
  {
    when: webhook('invoice.paid', invoice('paid', big), seconds(3)),
    then: [fact('invoice_issued'), fact('invoice_paid', { amount_paid: 300_000 })],
  },
  {
    when: webhook(
      'customer.subscription.updated',
      subscription('active', { items, previous: { status: 'incomplete' } }),
      seconds(4),
    ),
    then: [fact('subscription_activated', { mrr: 300_000 })],
  },
  {
    when: compensation(days(12)),
    then: [
      fact('review_requested', { subject_type: 'refund', subject_ref: 'in_1', proposed_action: { amount: 180_000 } }),
      called('cancel_subscription'),
    ],
  },
  {
    when: answer(days(12) + 1, { status: 'canceled', ended_at: days(12) }),
    then: [fact('subscription_canceled', { reason: 'compensation', mrr: 300_000 })],
  },
]

const decided = (decision: string, more: Readonly<Record<string, unknown>> = {}) =>
  reviewed('review_decided', { decision, edits: null, comment: null, by: 'h1', ms: 1, ...more }, days(13))

export const scenarios: readonly Scenario[] = [
  {
    it: 'gives back what a person approves (5.4.8)',
    play: [
      ...waiting,
      { when: decided('approve'), then: [called('refund', { invoice_id: 'in_1', amount: 180_000 })] },
      {
        when: answer(days(13) + 1, { refund_id: 're_1', amount: 180_000, amount_refunded: 180_000 }),
        then: [fact('refund_issued', { amount: 180_000 })],
      },
    ],
  },
  {
    it: 'gives back what a person edits it to, never more than was proposed (5.4.8)',
    play: [
      ...waiting,
      { when: decided('edit', { edits: { amount: 90_000 } }), then: [called('refund', { amount: 90_000 })] },
    ],
  },
  {
    it: 'gives back no more than was proposed (5.4.8)',
    play: [
      ...waiting,
      { when: decided('edit', { edits: { amount: 999_000 } }), then: [called('refund', { amount: 180_000 })] },
    ],
  },
  {
    it: 'gives nothing back that is rejected (5.4.8)',
    play: [...waiting, { when: decided('reject') }, { when: decided('approve') }],
  },
  {
    it: 'gives nothing back when nobody decides (5.4.8)',
    play: [
      ...waiting,
      { when: reviewed('review_expired', { fallback: 'reject' }, days(15)) },
      { when: decided('approve') },
    ],
  },
  {
    it: 'waits on when the decision is passed on (4.6.2)',
    play: [...waiting, { when: decided('escalate') }, { when: decided('approve'), then: [called('refund')] }],
  },
]
