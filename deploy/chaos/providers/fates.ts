/** What the companies of a run do, told to the stand-ins as a script, and where each must end. */

type Rule = Readonly<Record<string, unknown>>

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

const signing = (subject: string, answer: string) => (companies: readonly string[]) => [
  { provider: 'docusign', operation: 'create_envelope', companies, contains: `"emailSubject":"${subject} for `, answer },
]
const paying =
  (answer: string, more: Rule = {}) =>
  (companies: readonly string[]) => [{ provider: 'stripe', operation: 'pay', companies, answer, ...more }]
const minute = 60_000

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
  // We give up before the money is there, and our cancellation comes after it: it is given back.
  {
    name: 'unheard, pays after all',
    ends: ['payment_failed'],
    rules: paying('hard_declined', { after_ms: 40 * minute, times: 1 }),
    isUnheard: true,
    cancelAfterS: 45 * 60,
  },
  { name: 'unheard, never pays', ends: ['payment_failed'], rules: paying('never_pays'), isUnheard: true },
  // Paid as soon as it was made: the payment service's word, or our own that we gave up. All must say the same.
  { name: 'unheard, pays', ends: ['paid', 'payment_failed'], rules: () => [], isUnheard: true },
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
