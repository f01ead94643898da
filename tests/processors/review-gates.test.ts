/** What goes to a person before it goes on: each gate at its bound, and just beyond it. */

import { expect, test } from 'vitest'
import * as money from '../../processors/billing/scenario-data.ts'
import {
  approved,
  asked,
  drawn,
  generated,
  ndaSigned,
  pricingApproved,
  render,
  reviewed,
  seconds,
  wanted,
} from '../../processors/documents/scenario-data.ts'
import type { Scenario, ScenarioInput, Service } from '../../processors/index.ts'
import { billingDefaults, billingService, documentsDefaults, documentsService } from '../../processors/index.ts'
import { playScenario, servicePlayer } from '../../processors/scenario.ts'

/** In each of two tenants. */
async function plays(service: Service, play: Scenario['play']): Promise<void> {
  const player = servicePlayer(service)
  for (const tenant of ['a', 'b'] as const) {
    const own = play.map((step) => ({ ...step, when: { ...step.when, tenant } as ScenarioInput }))
    expect((await playScenario({ it: `tenant ${tenant}`, play: own }, player)).length).toBeGreaterThan(0)
  }
}

const goesOn = [generated('pricing'), approved(), wanted('proposal'), render('proposal', 2)]
const waits = [generated('pricing'), reviewed]

test.each([
  ['2000', goesOn],
  ['2001', waits],
])(
  'a document is put to a person when its discount is above 20 %%, and at 20 %% it is not: %s (4.6.2)',
  (points, then) =>
    plays(documentsService(), [
      ...pricingApproved,
      { when: asked('pricing', { discount_basis_points: points }), then: [render('pricing', 2)] },
      { when: drawn('p', seconds(51)), then },
    ]),
)

test.each([
  [770_400, pricingApproved],
  [770_399, [...ndaSigned, { when: drawn('pricing', seconds(22)), then: [generated('pricing'), reviewed] }]],
])(
  'a document is put to a person when its year costs more than the limit, and at %i it does not (4.6.2)',
  (limit, play) => {
    const approval = { ...documentsDefaults.approval, yearAmountAbove: limit }
    return plays(documentsService({ ...documentsDefaults, approval }), play)
  },
)

test.each([
  [48_000, money.called('refund', { amount: 48_000 })],
  [47_999, money.fact('review_requested', { subject_type: 'refund', proposed_action: { amount: 48_000 } })],
])(
  'a refund of 48,000 is put to a person when it is above the limit, and at %i it is not (4.6.2)',
  (refundLimit, what) => {
    const canceled = money.fact('subscription_canceled')
    const [asks, then] = what.type === 'call_requested' ? [[], [canceled, what]] : [[what], [canceled]]
    return plays(billingService({ ...billingDefaults, refundLimit }), [
      ...money.live,
      { when: money.compensation(money.days(12)), then: [...asks, money.called('cancel_subscription')] },
      { when: money.answer(money.days(12) + 1, { status: 'canceled', ended_at: money.days(12) }), then },
    ])
  },
)
