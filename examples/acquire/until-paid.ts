/** `--until paid`: every company from its sign-up to the first payment or a named end, and what that came to. */

import type { Acquired } from './acquisition.ts'
import type { Applicant } from './applicants.ts'
import type { End } from './fates.ts'
import { ends, fateOf, isExpected } from './fates.ts'
import type { Followed } from './lifecycle.ts'

export interface PaidReport {
  readonly companies: number
  readonly ended: Readonly<Record<End | 'other', number>>
  readonly expected: Readonly<Record<End, number>>
  /** Without an end, or lost on the way. */
  readonly unaccounted: number
  /** Steps that were completed, and those of them that a person decided. */
  readonly steps: number
  readonly decisions: number
  readonly automation_rate: number
  readonly business_days: number
  readonly jumps: number
  readonly seconds: number
  readonly troubles: readonly string[]
  readonly as_expected: boolean
}

export interface PaidRun {
  readonly seed: number
  readonly list: readonly Applicant[]
  readonly acquired: readonly Acquired[]
  readonly followed: readonly Followed[]
  readonly seconds: number
  readonly businessDays: number
  readonly jumps: number
}

export function paidReport(run: PaidRun): PaidReport {
  const { list, followed, seed } = run
  const byDomain = new Map(followed.map((one) => [one.applicant.domain, one]))
  const troubles = list.flatMap((applicant) => {
    const found = byDomain.get(applicant.domain)
    const { end, name } = fateOf(applicant, seed)
    if (found !== undefined && isExpected(found.end, end)) return []
    return [
      `${applicant.domain} (${name}): ${found === undefined ? 'lost before its demo' : `${found.end ?? 'no end'}, ${found.reason}`}; expected ${end}`,
    ]
  })
  const count = (end: End | 'other'): number => followed.filter((one) => one.end === end).length
  const steps = followed.reduce((sum, one) => sum + one.steps, 0)
  const decisions = followed.reduce((sum, one) => sum + one.decisions, 0)
  const of = <K extends string>(keys: readonly K[], value: (key: K) => number) =>
    Object.fromEntries(keys.map((key) => [key, value(key)])) as Readonly<Record<K, number>>
  return {
    companies: list.length,
    ended: of([...ends, 'other'] as const, count),
    expected: of(ends, (end) => list.filter((applicant) => fateOf(applicant, seed).end === end).length),
    unaccounted: list.length - followed.filter(({ end }) => end !== null).length,
    steps,
    decisions,
    automation_rate: steps === 0 ? 0 : Number((1 - Math.min(decisions, steps) / steps).toFixed(4)),
    business_days: Number(run.businessDays.toFixed(1)),
    jumps: run.jumps,
    seconds: Number(run.seconds.toFixed(1)),
    troubles,
    as_expected: troubles.length === 0,
  }
}

/** The table at the end, as lines. */
export function paidTable(report: PaidReport): string[] {
  const row = (name: string, value: string | number, note = ''): string =>
    `  ${name.padEnd(26)}${String(value).padStart(10)}  ${note}`.trimEnd()
  return [
    row('companies', report.companies),
    ...ends.map((end) => {
      const [had, wanted] = [report.ended[end], report.expected[end]]
      return row(end.replaceAll('_', ' '), had, had === wanted ? '' : `expected ${wanted}`)
    }),
    row('another end', report.ended.other),
    row('unaccounted for', report.unaccounted),
    row('steps completed', report.steps),
    row('decided by a person', report.decisions),
    row('automation rate %', (report.automation_rate * 100).toFixed(1)),
    row('business days', report.business_days),
    row('jumps of the clock', report.jumps),
    row('seconds', report.seconds),
    ...report.troubles.slice(0, 20).map((line) => `  ${line}`),
    ...(report.troubles.length > 20 ? [`  and ${report.troubles.length - 20} more`] : []),
    report.as_expected ? 'as expected' : 'NOT as expected',
  ]
}
