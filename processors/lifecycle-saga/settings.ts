/** Deadlines of the lifecycle; the catalogue's defaults. In ms. */

import type { SagaStep } from './steps.ts'

export interface SagaSettings {
  /** From the start of a step to its end, at most. */
  readonly withinMs: Readonly<Record<SagaStep, number>>
  /** A prospect whose demo has run out has so long to come back. */
  readonly nurtureMs: number
  /** A person is asked to decide within this time. */
  readonly reviewWithinMs: number
  /** A service has so long to undo its step; then it is asked again, so often in all. */
  readonly compensationWithinMs: number
  readonly compensationAttempts: number
  readonly template: string
  readonly templateVersion: number
}

const minute = 60 * 1000
const day = 24 * 60 * minute

export const sagaDefaults: SagaSettings = Object.freeze({
  withinMs: {
    research: 5 * minute,
    demo: 14 * day,
    nda: 30 * day,
    pricing: 30 * day,
    proposal: 30 * day,
    contract: 30 * day,
    billing: 7 * day,
  },
  nurtureMs: 14 * day,
  reviewWithinMs: day,
  compensationWithinMs: 60 * minute,
  compensationAttempts: 5,
  template: 'b2b_saas',
  templateVersion: 1,
})
