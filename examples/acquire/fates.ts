/**
 * What becomes of each company in a run to the first payment: drawn by a seed, told to the sandbox as a script, and compared
 * with where the company's lifecycle ended.
 */

import { createHash } from 'node:crypto'
import type { Applicant } from './applicants.ts'

/**
 * Where a lifecycle ends: paid, or let go for this reason. `pricing_rejected` is nobody's wish here: it is what becomes of a
 * price that a person had to approve and did not in time.
 */
export const ends = [
  ...(['paid', 'no_engagement', 'nda_declined', 'pricing_rejected', 'contract_declined', 'payment_failed'] as const),
] as const
export type End = (typeof ends)[number]

/** One of the script that the sandbox is told. */
export type Rule = Readonly<Record<string, unknown>>

interface Fate {
  readonly name: string
  /** Of a hundred companies. */
  readonly share: number
  readonly end: End
  /** How the people of these companies behave. */
  readonly rules: (companies: readonly string[]) => readonly Rule[]
}

const visit = (answer: string) => (companies: readonly string[]) => [
  { provider: 'sendgrid', operation: 'visit', companies, answer },
]
/** What the signers of such a document do. */
export const signing = (subject: string, answer: string) => (companies: readonly string[]) => [
  {
    provider: 'docusign',
    operation: 'create_envelope',
    companies,
    contains: `"emailSubject":"${subject} for `,
    answer,
  },
]
/** How invoices are paid. */
export const paying =
  (answer: string, more: Rule = {}) =>
  (companies: readonly string[]) => [{ provider: 'stripe', operation: 'pay', companies, answer, ...more }]

const fates: readonly Fate[] = [
  { name: 'pays', share: 70, end: 'paid', rules: () => [] },
  { name: 'pays late', share: 4, end: 'paid', rules: paying('pays_late', { after_ms: 12 * 3_600_000 }) },
  { name: 'never looks', share: 6, end: 'no_engagement', rules: visit('ignores') },
  { name: 'looks and leaves', share: 4, end: 'no_engagement', rules: visit('looks') },
  { name: 'declines the NDA', share: 4, end: 'nda_declined', rules: signing('NDA', 'declines') },
  { name: 'declines the contract', share: 4, end: 'contract_declined', rules: signing('Contract', 'declines') },
  { name: 'card declined for good', share: 4, end: 'payment_failed', rules: paying('hard_declined') },
  { name: 'never pays', share: 4, end: 'payment_failed', rules: paying('never_pays') },
]

/** Drawn by the seed and the company's domain alone. */
export function fateOf({ domain }: Applicant, seed: number): Fate {
  const bits = createHash('sha256').update(`${seed} ${domain}`).digest().readUInt32BE(0)
  let left = bits % fates.reduce((sum, { share }) => sum + share, 0)
  for (const fate of fates) {
    left -= fate.share
    if (left < 0) return fate
  }
  throw new Error('shares that do not add up')
}

/** The script for all of them, and some of the webhooks that come late, twice or wrongly signed. */
export function fateScript(list: readonly Applicant[], seed: number): readonly Rule[] {
  const byFate = Map.groupBy(list, (applicant) => fateOf(applicant, seed))
  const people = [...byFate].flatMap(([fate, of]) => fate.rules(of.map(({ domain }) => domain)))
  const some = list.filter(({ domain }) => createHash('sha256').update(`${domain} ${seed}`).digest().readUInt8(0) < 64)
  const companies = some.map(({ domain }) => domain)
  if (companies.length === 0) return people
  // For each provider by itself: mails are told of first, and would use up what is meant for all.
  const faults = ['docusign', 'stripe', 'sendgrid'].flatMap((provider): Rule[] => {
    const webhook = { provider, operation: 'webhook', companies, times: companies.length }
    return [
      { ...webhook, duplicate: 1 },
      { ...webhook, late_ms: 3_600_000 },
      { ...webhook, signature: 'wrong' },
    ]
  })
  return [...people, ...faults]
}

/** Ends before there is a price. */
const early: ReadonlySet<End> = new Set(['no_engagement', 'nda_declined'])

export const isExpected = (end: End | 'other' | null, wanted: End): boolean =>
  end === wanted || (end === 'pricing_rejected' && !early.has(wanted))
