/** Numbers in brackets are those of `processors/BEHAVIOURS.md`. */

import {
  answer,
  called,
  days,
  fact,
  live,
  refusal,
  seconds,
  start,
  subscription,
  usage,
  webhook,
} from '../billing/scenario-data.ts'
import type { Scenario, ScenarioStep } from '../define.ts'

const hour = 3_600_000
const identifier = `tenant-a|messages|${start}`

/** 120 are reported of the first window. */
const reported: readonly ScenarioStep[] = [
  ...live,
  { when: usage(seconds(10), 120), then: [called('report_usage', { quantity: 120 })] },
  { when: answer(seconds(11), {}), then: [fact('usage_reported', { quantity: 120 })] },
]
const renewed = webhook(
  'customer.subscription.updated',
  subscription('active', { period_start: days(30), period_end: days(60), previous: {} }),
  days(30),
)

export const scenarios: readonly Scenario[] = [
  {
    it: 'reports a window once, and a correction as the difference under an identifier of its own (5.4.7)',
    play: [
      ...live,
      {
        when: { ...usage(seconds(10), 120), tenant: 'a' },
        then: [called('report_usage', { customer_id: 'cus_1', meter: 'messages', quantity: 120, identifier })],
      },
      { when: answer(seconds(11), {}), then: [fact('usage_reported', { quantity: 120, identifier })] },
      { when: { ...usage(seconds(12), 120), tenant: 'a' } },
      {
        when: { ...usage(seconds(13), 150), tenant: 'a' },
        then: [called('report_usage', { quantity: 30, identifier: `${identifier}|1` })],
      },
      {
        when: answer(seconds(14), {}),
        then: [fact('usage_reported', { quantity: 30, identifier: `${identifier}|1` })],
      },
    ],
  },
  {
    it: 'keeps what was used until there is a customer (5.4.7)',
    play: [
      { when: usage(start, 120) },
      ...live.slice(0, 2),
      {
        when: answer(seconds(1), { customer_id: 'cus_1' }),
        then: [called('create_subscription'), called('report_usage', { quantity: 120 })],
      },
    ],
  },
  {
    it: 'reports one window after the other, and goes on with the next when one is refused for good',
    play: [
      ...live,
      { when: usage(seconds(10), 120), then: [called('report_usage', { quantity: 120 })] },
      { when: usage(seconds(11), 7, start + hour) },
      {
        when: refusal(seconds(12), 'invalid'),
        then: [fact('usage_refused', { quantity: 120, reason: 'invalid' }), called('report_usage', { quantity: 7 })],
      },
    ],
  },
  {
    it: 'sends what was too much as a negative difference, and asks nobody while no invoice has it (5.4.7)',
    play: [
      ...reported,
      { when: usage(seconds(12), 90), then: [called('report_usage', { quantity: -30 })] },
      { when: answer(seconds(13), {}), then: [fact('usage_reported', { quantity: -30 })] },
      { when: usage(seconds(14), 90) },
    ],
  },
  {
    it: 'tells a person of a negative difference that lowers no invoice any more (5.4.7)',
    play: [
      ...reported,
      { when: renewed },
      { when: usage(days(30) + hour - 2, 110), then: [called('report_usage', { quantity: -10 })] },
      { when: answer(days(30) + hour - 1, {}), then: [fact('usage_reported', { quantity: -10 })] },
      { when: usage(days(30) + hour, 90), then: [called('report_usage', { quantity: -20 })] },
      {
        when: answer(days(30) + hour, {}),
        then: [
          fact('usage_reported', { quantity: -20 }),
          fact('review_requested', {
            subject_type: 'refund',
            subject_ref: `messages|${start}`,
            proposed_action: { meter: 'messages', window_start: start, quantity: -20 },
          }),
        ],
      },
      { when: usage(days(31), 95), then: [called('report_usage', { quantity: 5 })] },
      { when: answer(days(31) + 1, {}), then: [fact('usage_reported', { quantity: 5 })] },
    ],
  },
  {
    it: 'says a difference that is refused for good, and tells a person when the client has paid too much (5.4.7)',
    play: [
      ...reported,
      { when: usage(seconds(12), 90), then: [called('report_usage', { quantity: -30 })] },
      {
        when: refusal(seconds(13), 'invalid'),
        then: [
          fact('usage_refused', { quantity: -30, reason: 'invalid' }),
          fact('review_requested', { subject_type: 'refund', proposed_action: { quantity: -30 } }),
        ],
      },
      { when: usage(seconds(14), 90) },
    ],
  },
  {
    it: 'tries again with the next window when nothing is taken',
    play: [
      ...live,
      { when: usage(seconds(10), 120), then: [called('report_usage', { quantity: 120 })] },
      { when: refusal(seconds(12), 'auth') },
      { when: usage(days(1), 7, start + hour), then: [called('report_usage', { quantity: 120, window_start: start })] },
    ],
  },
]
