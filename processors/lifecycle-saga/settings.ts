/** Deadlines of the lifecycle; the catalogue's defaults. In ms. */

export interface SagaSettings {
  readonly researchWithinMs: number
  /** A person is asked to decide within this time. */
  readonly reviewWithinMs: number
  readonly template: string
  readonly templateVersion: number
}

export const sagaDefaults: SagaSettings = Object.freeze({
  researchWithinMs: 5 * 60 * 1000,
  reviewWithinMs: 24 * 60 * 60 * 1000,
  template: 'b2b_saas',
  templateVersion: 1,
})
