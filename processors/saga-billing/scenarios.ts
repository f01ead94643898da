import type { Scenario, ScenarioInput } from '../define.ts'
import { activated, billing, days, stage, undoing, until } from '../lifecycle-saga/scenario-data.ts'

const canceled = (at: number, reason: string, subscription_id = 'sub_1') =>
  billing('subscription_canceled', at, { subscription_id, currency: 'USD', mrr: 1, reason })
const dunning = (at: number, to: string, from = 'grace', invoice_id = 'in_1') =>
  billing('dunning_stage_changed', at, { invoice_id, from, to, day: 21 })
const givenUp = (at: number) =>
  billing('invoice_uncollectible', at, { invoice_id: 'in_1', currency: 'USD', amount: 100 })
const ends = { type: 'compensation_started', payload: { from_step: 'billing', reason: 'payment_failed' } }

export const scenarios: readonly Scenario[] = [
  {
    it: 'is done when the subscription is active, once (4.5.11)',
    play: [...until('billing'), { when: activated(days(7)) }, { when: { advanceTo: days(90) } }],
  },
  {
    it: 'ends the lifecycle when it was never paid (4.5.11)',
    play: [
      ...until('contract'),
      {
        when: canceled(days(8), 'never_paid'),
        then: [{ type: 'step_failed', payload: { step: 'billing', class: 'never_paid' } }, ends, undoing('billing')],
      },
      { when: canceled(days(8) + 1, 'compensation'), then: [{ type: 'compensation_step_done' }, undoing('contract')] },
    ],
  },
  {
    it: 'ends the lifecycle when nothing is paid within seven days (4.5.11)',
    play: [
      ...until('contract'),
      {
        when: { advanceTo: days(12) },
        then: [{ type: 'step_timed_out', payload: { step: 'billing' } }, ends, undoing('billing')],
      },
    ],
  },
  {
    it: 'ends the lifecycle when no subscription could be set up (4.5.11)',
    play: [
      ...until('contract'),
      {
        when: billing('subscription_failed', days(6), { document_id: 'doc-contract', reason: 'exhausted' }),
        then: [{ type: 'step_failed', payload: { class: 'exhausted' } }, ends, undoing('billing')],
      },
      {
        when: billing('subscription_failed', days(6) + 1, { document_id: 'doc-contract', reason: 'compensation' }),
        then: [{ type: 'compensation_step_done', payload: { step: 'billing' } }, undoing('contract')],
      },
    ],
  },
  {
    it: 'ends the lifecycle when the first invoice is given up (4.5.11)',
    play: [
      ...until('contract'),
      {
        when: { ...givenUp(days(6)), tenant: 'b' } as ScenarioInput,
      },
      {
        when: givenUp(days(6)),
        then: [{ type: 'step_failed', payload: { step: 'billing', class: 'uncollectible' } }, ends, undoing('billing')],
      },
    ],
  },
  {
    it: 'leaves what an invoice that is given up does to a client that had paid to dunning (4.5.12)',
    play: [...until('billing'), { when: givenUp(days(60)) }],
  },
  {
    it: 'suspends a client that does not pay any more, takes it back, and lets it go (4.5.12)',
    play: [
      ...until('billing'),
      { when: dunning(days(60), 'suspended', 'restricted'), then: [stage('scoping', 'suspended')] },
      { when: dunning(days(61), 'recovered', 'suspended'), then: [stage('suspended', 'scoping')] },
      { when: dunning(days(90), 'final_notice') },
      { when: canceled(days(100), 'payment_failed'), then: [stage('scoping', 'churned')] },
    ],
  },
  {
    it: 'leaves a client suspended when another invoice of it is paid (4.5.12)',
    play: [
      ...until('billing'),
      { when: dunning(days(60), 'suspended', 'restricted'), then: [stage('scoping', 'suspended')] },
      { when: dunning(days(61), 'recovered', 'reminder_1', 'in_2') },
      { when: dunning(days(62), 'recovered', 'suspended'), then: [stage('suspended', 'scoping')] },
    ],
  },
  {
    it: 'takes nobody back who has left, whatever becomes of the last invoice, until another subscription is active (4.5.12)',
    play: [
      ...until('billing'),
      { when: canceled(days(50), 'voluntary'), then: [stage('scoping', 'churned')] },
      { when: dunning(days(60), 'suspended', 'restricted') },
      { when: dunning(days(69), 'canceled', 'suspended') },
      { when: dunning(days(70), 'recovered', 'canceled') },
      { when: activated(days(80), 'sub_2'), then: [stage('churned', 'scoping')] },
      // What is told late of the subscription it had before.
      { when: canceled(days(81), 'voluntary') },
      { when: canceled(days(90), 'voluntary', 'sub_2'), then: [stage('scoping', 'churned')] },
    ],
  },
]
