import { billingEvents } from '../../schemas/index.ts'
import type { Scenario, ScenarioInput, ScenarioStep } from '../define.ts'
import { days, known, letter, seconds, start } from '../outreach/scenario-data.ts'

const say = (type: string, payload: Readonly<Record<string, unknown>>, at: number): ScenarioInput => ({
  topic: billingEvents,
  type,
  payload: { invoice_id: 'in_1', ...payload },
  at,
})
const issued = (currency: string, amount_due: number, at: number, invoice_id = 'in_1') =>
  say('invoice_issued', { invoice_id, subscription_id: 'sub_1', currency, amount_due, due_at: start }, at)
const failed = (hard: boolean, at: number) =>
  say('payment_failed', { attempt_count: 1, next_attempt_at: null, decline_code: null, hard }, at)
const stage = (from: string, to: string, day: number, at = days(day) + 60_000) =>
  say('dunning_stage_changed', { from, to, day }, at)
const wrote = (to: string, template: string) => letter(`dunning:in_1:${to}`, template, { invoice: 'in_1' })

const stages = [
  ['grace', 'payment_failed', 0],
  ['reminder_1', 'payment_reminder', 3],
  ['reminder_2', 'payment_reminder', 7],
  ['final_notice', 'payment_final_notice', 10],
  ['restricted', 'service_restricted', 14],
  ['suspended', 'service_suspended', 21],
  ['recovered', 'payment_recovered', 22],
] as const

export const scenarios: readonly Scenario[] = [
  {
    it: 'sends each invoice once, its amount in the units of its currency; nothing is due of a free one',
    play: [
      ...known,
      { when: issued('USD', 168_000, seconds(2)), then: letter('invoice:in_1', 'invoice', { amount: 'USD 1,680.00' }) },
      { when: issued('USD', 168_000, seconds(3)) },
      {
        when: issued('JPY', 168_000, seconds(4), 'in_2'),
        then: letter('invoice:in_2', 'invoice', { amount: 'JPY 168,000', invoice: 'in_2', due: '2026-01-01' }),
      },
      // Two decimals with the payment service, though nobody writes them.
      {
        when: issued('HUF', 16_800_000, seconds(4), 'in_4'),
        then: letter('invoice:in_4', 'invoice', { amount: 'HUF 168,000.00', invoice: 'in_4' }),
      },
      {
        when: issued('KWD', 168_000, seconds(4), 'in_5'),
        then: letter('invoice:in_5', 'invoice', { amount: 'KWD 168.000', invoice: 'in_5' }),
      },
      { when: issued('USD', 0, seconds(5), 'in_3') },
    ],
  },
  {
    it: 'writes at each stage of dunning, once (5.4.3)',
    play: [
      ...known,
      { when: failed(false, seconds(20)) },
      ...stages.flatMap(([to, template, day], n): ScenarioStep[] => {
        const from = stages[n - 1]?.[0] ?? 'none'
        return [
          { when: stage(from, to, day), then: wrote(to, template) },
          { when: stage(from, to, day, days(day) + 120_000) },
        ]
      }),
      { when: stage('recovered', 'none', 23) },
    ],
  },
  {
    it: 'asks for another method of payment after a hard decline, once, and says no more of the first failure (5.4.3)',
    play: [
      ...known,
      {
        when: failed(true, seconds(20)),
        then: letter('payment_method:in_1', 'payment_method_needed', { invoice: 'in_1' }),
      },
      { when: stage('none', 'grace', 0) },
      { when: failed(true, days(1)) },
      { when: stage('grace', 'reminder_1', 3), then: wrote('reminder_1', 'payment_reminder') },
    ],
  },
  {
    it: 'tells that a subscription has ended (5.4.3)',
    play: [...known, { when: stage('suspended', 'canceled', 30), then: wrote('canceled', 'subscription_canceled') }],
  },
  {
    it: 'thanks who pays after the end, and promises nothing back (5.4.3)',
    play: [
      ...known,
      { when: stage('suspended', 'canceled', 30), then: wrote('canceled', 'subscription_canceled') },
      { when: stage('canceled', 'recovered', 40), then: wrote('recovered', 'payment_after_end') },
    ],
  },
]
