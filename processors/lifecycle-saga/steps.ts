/**
 * The steps that the saga watches, in their order, as a table: the stage a client is in meanwhile, and what becomes of one that
 * fails or is not done in time.
 */

import type { PayloadOf } from '../../schemas/index.ts'
import type { clientEvents } from '../../schemas/index.ts'

export type Stage = PayloadOf<typeof clientEvents.events, 'stage_changed'>['to']

export const sagaSteps = ['research', 'demo', 'nda', 'pricing', 'proposal', 'contract', 'billing'] as const
export type SagaStep = (typeof sagaSteps)[number]

export interface StepRule {
  readonly stage: Stage
  /**
   * person: somebody decides whether it is tried again · nurture: the prospect is waited for once more, then let go · abort:
   * what was done is undone, and the lifecycle ends for this reason.
   */
  readonly late: 'person' | 'nurture' | { readonly abort: string }
  readonly failed: 'person' | { readonly abort: string }
}

export const stepRules: Readonly<Record<SagaStep, StepRule>> = {
  research: { stage: 'researching', late: 'person', failed: 'person' },
  demo: { stage: 'demo', late: 'nurture', failed: 'person' },
  nda: { stage: 'negotiating', late: { abort: 'nda_expired' }, failed: 'person' },
  pricing: { stage: 'negotiating', late: { abort: 'pricing_expired' }, failed: 'person' },
  proposal: { stage: 'negotiating', late: { abort: 'proposal_expired' }, failed: 'person' },
  contract: { stage: 'signing', late: { abort: 'contract_expired' }, failed: 'person' },
  billing: { stage: 'billing', late: { abort: 'payment_failed' }, failed: { abort: 'payment_failed' } },
}

/** Where a client is that has paid. */
export const stageWhenPaid: Stage = 'scoping'

export const placeOf = (step: SagaStep): number => sagaSteps.indexOf(step)

/** The step after; null after the last. */
export const stepAfter = (step: SagaStep): SagaStep | null => sagaSteps[placeOf(step) + 1] ?? null
