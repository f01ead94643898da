/** How the review queue behaves; given to the service, never read from outside. */

/**
 * What happens when nobody decides in time. reject: as if a person had said no · proceed_marked_unverified: what was
 * asked about goes on, marked · escalate: the review stays open, for the queue above.
 */
export type Fallback = 'reject' | 'proceed_marked_unverified' | 'escalate'

export interface ReviewQueueSettings {
  /** Reviews remembered per organization; the oldest closed ones are forgotten first, then the oldest. */
  readonly remembered: number
  readonly escalateTo: string
  /** How long a claim holds, in ms; claiming again prolongs it. */
  readonly leaseMs: number
  /** By subject type; a type that is not named here escalates. */
  readonly fallbacks: Readonly<Record<string, Fallback>>
}

const fallbacks: Readonly<Record<string, Fallback>> = {
  document: 'reject',
  refund: 'reject',
  config: 'reject',
  prd: 'reject',
  step: 'reject',
  finding: 'proceed_marked_unverified',
  agent_interrupt: 'escalate',
  message: 'escalate',
  answer: 'escalate',
}

export const reviewQueueDefaults: ReviewQueueSettings = Object.freeze({
  remembered: 500,
  escalateTo: 'supervisors',
  leaseMs: 15 * 60 * 1000,
  fallbacks,
})
