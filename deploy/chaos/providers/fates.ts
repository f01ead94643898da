/** What the companies of a run do, told to the stand-ins as a script, and where each must end. */

import type { Rule } from '../../../examples/acquire/fates.ts'
import { paying, signing } from '../../../examples/acquire/fates.ts'

export interface Fate {
  readonly name: string
  /** Paid, or the reason of the lifecycle's end; one of these. */
  readonly ends: readonly string[]
  readonly rules: (companies: readonly string[]) => readonly Rule[]
  /** Every answer to the making of its subscription is lost, for as long as we try. */
  readonly isUnheard?: true
  /** The first cancellation is to wait so long, in seconds. */
  readonly cancelAfterS?: number
}

const minute = 60_000
/** What the payment service tells of them comes when we have given up. */
const toldLate = (companies: readonly string[]) => [
  { provider: 'stripe', operation: 'webhook', companies, late_ms: 50 * minute },
]

/** Pays; then what it used is reported. */
export const uses: Fate = { name: 'uses', ends: ['paid'], rules: () => [] }
/** A person asks for other figures while the first contract is out for signature, and left lying. */
export const changes: Fate = {
  name: 'changes the contract',
  ends: ['paid'],
  rules: (companies) => signing('Contract', 'ignores')(companies).map((rule) => ({ ...rule, times: 1 })),
}

/** Beside `uses`, which is in every run. */
export const others: readonly Fate[] = [
  changes,
  // We have given up when we hear of it, and it is paid: it is cancelled, and given back.
  {
    name: 'unheard, paid',
    ends: ['payment_failed'],
    rules: toldLate,
    isUnheard: true,
  },
  // The money comes while our cancellation is kept waiting.
  {
    name: 'unheard, pays after all',
    ends: ['payment_failed'],
    rules: (companies) => [
      ...paying('hard_declined', { after_ms: 75 * minute, times: 1 })(companies),
      ...toldLate(companies),
    ],
    isUnheard: true,
    cancelAfterS: 30 * 60,
  },
  {
    name: 'unheard, never pays',
    ends: ['payment_failed'],
    rules: (companies) => [...paying('never_pays')(companies), ...toldLate(companies)],
    isUnheard: true,
  },
  // Told of in time: whatever became of our calls, it is a subscription that is paid.
  { name: 'unheard, told in time', ends: ['paid'], rules: () => [], isUnheard: true },
  { name: 'pays late', ends: ['paid'], rules: paying('hard_declined', { after_ms: 15 * minute, times: 1 }) },
  { name: 'declines the NDA', ends: ['nda_declined'], rules: signing('NDA', 'declines') },
  { name: 'declines the contract', ends: ['contract_declined'], rules: signing('Contract', 'declines') },
  { name: 'ignores the NDA', ends: ['nda_expired'], rules: signing('NDA', 'ignores') },
  { name: 'card declined for good', ends: ['payment_failed'], rules: paying('hard_declined') },
  {
    name: 'never looks',
    ends: ['no_engagement'],
    rules: (companies) => [{ provider: 'sendgrid', operation: 'visit', companies, answer: 'ignores' }],
  },
]
