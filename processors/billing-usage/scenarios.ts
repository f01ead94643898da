import { answer, called, days, fact, live, refusal, seconds, start, usage } from '../billing/scenario-data.ts'
import type { Scenario } from '../define.ts'

const hour = 3_600_000
const identifier = `tenant-a|messages|${start}`

export const scenarios: readonly Scenario[] = [
  {
    it: 'reports a window once, and a correction as the difference under an identifier of its own',
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
    it: 'keeps what was used until there is a customer',
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
      { when: refusal(seconds(12), 'invalid'), then: [called('report_usage', { quantity: 7 })] },
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
