/** Thresholds and clocks of billing. Defaults of the catalogue; given to the service, never read from outside. */

import type { RetrySettings } from '../retry.ts'
import type { DunningStage } from './state.ts'

/** A stage of dunning, entered so many days after the first failed payment. */
export interface StageDay {
  readonly stage: DunningStage
  readonly day: number
}

export interface BillingSettings {
  /** In order; the first is entered at once. The last one ends the subscription. */
  readonly stages: readonly StageDay[]
  /** Where a decline that no retry can help goes at once. */
  readonly hardStage: DunningStage
  /** Answers of a card's bank that no retry can help. */
  readonly hardDeclines: readonly string[]
  readonly retry: RetrySettings
  /** A refund above this, in minor units of its currency, is a person's decision. */
  readonly refundLimit: number
  /** A person is asked to decide within this time, in ms. */
  readonly reviewWithinMs: number
  /** What the payment service did not tell in this time, in ms, is taken from what it did tell. */
  readonly settleMs: number
  /** After a period's end its invoice is a draft for so long, in ms: usage of it still counts. */
  readonly draftMs: number
}

const minute = 60 * 1000
const day = 24 * 60 * minute

export const billingDefaults: BillingSettings = Object.freeze<BillingSettings>({
  stages: [
    { stage: 'grace', day: 0 },
    { stage: 'reminder_1', day: 3 },
    { stage: 'reminder_2', day: 7 },
    { stage: 'final_notice', day: 10 },
    { stage: 'restricted', day: 14 },
    { stage: 'suspended', day: 21 },
    { stage: 'canceled', day: 30 },
  ],
  hardStage: 'reminder_1',
  hardDeclines: [
    'expired_card',
    'incorrect_number',
    'invalid_account',
    'lost_card',
    'new_account_information_available',
    'pickup_card',
    'restricted_card',
    'revocation_of_all_authorizations',
    'revocation_of_authorization',
    'stolen_card',
    'stop_payment_order',
  ],
  retry: { attempts: 8, baseMs: 2_000, capMs: 30 * minute },
  refundLimit: 100_000,
  reviewWithinMs: 2 * day,
  settleMs: 60 * minute,
  draftMs: 60 * minute,
})
