/** What a run came to: counted, compared with what had to come, and printed. */

import type { Acquired, Holding } from './acquisition.ts'

export interface Outcome {
  readonly email: string
  readonly toReview: boolean
  /** Null when the run gave up on it; `trouble` says why. */
  readonly acquired: Acquired | null
  readonly holding: Holding | null
  readonly trouble: string | null
}

export interface Report {
  readonly companies: number
  readonly researched: number
  readonly in_review: number
  readonly failed: number
  /** Not there in the end, or without a session. */
  readonly lost: number
  /** With more than one session, completed and in review at once, or with two reviews. */
  readonly twice: number
  readonly expected: { readonly researched: number; readonly in_review: number }
  readonly seconds: number
  readonly per_second: number
  readonly verify_to_results_ms: Percentiles
  /** One line per company that is not as expected. */
  readonly troubles: readonly string[]
  readonly as_expected: boolean
}

export interface Percentiles {
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

export function report(outcomes: readonly Outcome[], seconds: number): Report {
  const judged = outcomes.map((outcome) => ({ outcome, verdict: verdictOn(outcome) }))
  const count = (verdict: Verdict): number => judged.filter((one) => one.verdict === verdict).length
  const expectedInReview = outcomes.filter(({ toReview }) => toReview).length
  const expected = { researched: outcomes.length - expectedInReview, in_review: expectedInReview }
  const troubles = judged
    .filter(({ outcome, verdict }) => verdict !== (outcome.toReview ? 'in_review' : 'researched'))
    .map(
      ({ outcome, verdict }) =>
        `${outcome.email}: ${verdict.replace('_', ' ')}${outcome.trouble === null ? '' : `, ${outcome.trouble}`}`,
    )
  const times = outcomes.flatMap(({ acquired }) => (acquired === null ? [] : [acquired.visibleMs]))
  return {
    companies: outcomes.length,
    researched: count('researched'),
    in_review: count('in_review'),
    failed: count('failed'),
    lost: count('lost'),
    twice: count('twice'),
    expected,
    seconds: round(seconds, 1),
    per_second: seconds === 0 ? 0 : round(outcomes.length / seconds, 2),
    verify_to_results_ms: percentiles(times),
    troubles,
    as_expected: troubles.length === 0,
  }
}

type Verdict = 'researched' | 'in_review' | 'failed' | 'lost' | 'twice'

/** Exactly one session each: completed, with what research promises, or waiting for exactly one review. */
function verdictOn({ acquired, holding }: Outcome): Verdict {
  if (acquired === null || holding === null || holding.sessions.length === 0) return 'lost'
  if (holding.sessions.length > 1 || holding.reviews > 1) return 'twice'
  if (holding.sessions[0] === 'completed') {
    if (holding.openReviews > 0) return 'twice'
    return acquired.hasCompanyInfo && acquired.competitors >= 3 ? 'researched' : 'failed'
  }
  return holding.openReviews === 1 && acquired.status === 'in_review' ? 'in_review' : 'failed'
}

/** Nearest rank: the smallest value that so many percent do not exceed. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (percent: number): number =>
    round(sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? 0, 1)
  return { p50: at(50), p95: at(95), p99: at(99), max: at(100) }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}

/** The table at the end, as lines. */
export function table(result: Report): string[] {
  const row = (name: string, value: string | number, note = ''): string =>
    `  ${name.padEnd(26)}${String(value).padStart(10)}  ${note}`.trimEnd()
  const { p50, p95, p99, max } = result.verify_to_results_ms
  const wanted = (count: number, had: number): string => (count === had ? '' : `expected ${count}`)
  return [
    row('companies', result.companies),
    row('researched', result.researched, wanted(result.expected.researched, result.researched)),
    row('in review', result.in_review, wanted(result.expected.in_review, result.in_review)),
    row('failed', result.failed, wanted(0, result.failed)),
    row('lost', result.lost, wanted(0, result.lost)),
    row('twice', result.twice, wanted(0, result.twice)),
    row('seconds', result.seconds),
    row('companies per second', result.per_second),
    row('verify to results  P50 ms', p50),
    row('                   P95 ms', p95),
    row('                   P99 ms', p99),
    row('                   max ms', max),
    ...result.troubles.slice(0, 20).map((line) => `  ${line}`),
    ...(result.troubles.length > 20 ? [`  and ${result.troubles.length - 20} more`] : []),
    result.as_expected ? 'as expected' : 'NOT as expected',
  ]
}
