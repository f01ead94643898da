/**
 * What happens in one run, all of it drawn by the run's seed: which companies sign up and what they do, which calls go wrong and
 * how, and when the application is killed.
 */

import { createHash } from 'node:crypto'
import type { Company } from '../../../examples/companies.ts'
import { companies } from '../../../examples/companies.ts'
import type { Draw } from '../seeded.ts'
import { seeded } from '../seeded.ts'
import type { Fate } from './fates.ts'
import { others, uses } from './fates.ts'

export interface PlannedCompany {
  readonly company: Company
  /** Nobody else's, in any run. */
  readonly domain: string
  readonly fate: Fate
}

/** When the application is killed. */
export type PlannedKill =
  /** At the n-th call of this operation that is about one of the run's companies. */
  | { readonly by: 'call'; readonly side: Side; readonly operation: string; readonly nth: number }
  | { readonly by: 'time'; readonly waitMs: number }
  /** CRASH_POINT of the next life. */
  | { readonly by: 'place'; readonly place: string }

/**
 * asked: nothing was done · handled: done, and nobody is told · answered: the answer is out, and what was made of it may not be
 * committed
 */
export type Side = 'asked' | 'handled' | 'answered'

export interface RunPlan {
  readonly seed: number
  readonly companies: readonly PlannedCompany[]
  readonly kills: readonly PlannedKill[]
}

/** Calls that something is made by, in every run or nearly: what a kill waits for must come. */
const killOperations = [
  'stripe.create_customer',
  'stripe.create_subscription',
  'docusign.create_envelope',
  'docusign.combined',
  'mixpanel.import',
  's3.put_object',
  'sendgrid.send',
  'openai.respond',
  'perplexity.answer',
  'stripe.report_usage',
  'stripe.cancel_subscription',
  'docusign.void_envelope',
  'stripe.refund',
] as const

/** Between two effects of a commit, of a sink, of the outbox, of the log. */
const places = [
  ...['C02', 'C03', 'C04', 'C05', 'C06', 'C07', 'C08', 'C09', 'C10', 'C12'],
  ...['C20', 'C21', 'C22', 'C23', 'C24', 'C25', 'C26', 'C27', 'C30', 'C31', 'C32', 'C33'],
]

/** @param companiesPerRun the first of them pays and uses */
export function planOf(seed: number, companiesPerRun: number, kills: number): RunPlan {
  const draw = seeded(seed)
  const first = seed % others.length
  // Neighbouring seeds take different ones, so that each comes in its turn.
  const second = (first + 1 + (Math.floor(seed / others.length) % (others.length - 1))) % others.length
  const fates = [uses, others[first]!, others[second]!, ...Array.from({ length: 8 }, () => pick(draw, others))]
  return {
    seed,
    companies: fates.slice(0, companiesPerRun).map((fate, index) => {
      const company = pick(draw, companies)
      return { company, domain: `s${seed}-${index + 1}.${company.domain}`, fate }
    }),
    kills: Array.from({ length: kills }, (_, index) => killOf(draw, seed + index)),
  }
}

function killOf(draw: Draw, turn: number): PlannedKill {
  const kind = draw()
  if (kind < 0.15) return { by: 'time', waitMs: Math.floor(500 + draw() * 15_000) }
  if (kind < 0.3) return { by: 'place', place: `${pick(draw, places)}:${1 + Math.floor(draw() * 15)}` }
  const side = pick(draw, ['handled', 'handled', 'handled', 'answered', 'answered', 'asked'] as const)
  const operation = killOperations[turn % killOperations.length]!
  return { by: 'call', side, operation, nth: 1 + Math.floor(draw() ** 2 * 3) }
}

const pick = <T>(draw: Draw, list: readonly T[]): T => list[Math.floor(draw() * list.length)]!

/** From 0 to 1: follows from the words alone, so that it does not matter which of two calls came first. */
export const chanceOf = (...words: readonly (string | number)[]): number =>
  createHash('sha256').update(words.join('\n')).digest().readUInt32BE(0) / 0x1_0000_0000
