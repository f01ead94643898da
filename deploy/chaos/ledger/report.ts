/** What a run has done and found. */

import { readFileSync } from 'node:fs'
import { startLogFindings } from '../start-log.ts'
import type { Counts, Progress } from './progress.ts'
import type { Site } from './site.ts'

export interface LedgerReport {
  readonly program: 'ledger'
  readonly seed: number
  readonly transaction_version: number
  readonly kills: number
  /** Kills before the process was ready: while it opened, recovered or restored. */
  readonly kills_in_start: number
  /** How often the broker died and came back under it. */
  readonly broker_kills: number
  /** How often it died at each named place between two effects. */
  readonly kills_at_places: Counts
  /** By kind and what it struck. */
  readonly faults: Counts
  readonly lives: number
  readonly checks: number
  readonly acknowledged: number
  readonly entries: number
  /** Of the last check, and of all. */
  readonly records: number
  readonly records_checked: number
  /** Restores, and the changelog records that one of a task replayed. */
  readonly restores: number
  readonly restored_records_median: number
  readonly restored_records_max: number
  readonly bytes_behind_max: number
  readonly seconds: number
  /** True when everything asked for was done; false: go on with `--resume`. */
  readonly finished: boolean
  readonly directory: string
  readonly findings: readonly string[]
}

export function reportOf({ progress, logFile, directory, options }: Site, finished: boolean): LedgerReport {
  const log = readFileSync(logFile, 'utf8')
  const restored = [...log.matchAll(/restored (\d+) changelog records/g)].map(([, records]) => Number(records))
  restored.sort((a, b) => a - b)
  return {
    ...{ program: 'ledger', seed: progress.seed, transaction_version: options.transactionVersion },
    ...{ kills: progress.kills, kills_in_start: progress.killsInStart, broker_kills: progress.brokerKills },
    ...{ kills_at_places: progress.killsAtPlaces, faults: progress.faults, lives: progress.lives },
    ...{ checks: progress.checks, entries: progress.entries, records: progress.records },
    acknowledged: progress.acknowledged.reduce((sum, [, last]) => sum + last + 1, 0),
    ...{ records_checked: progress.recordsChecked, bytes_behind_max: progress.bytesBehindMax },
    ...{ restores: restored.length, restored_records_max: restored.at(-1) ?? 0 },
    restored_records_median: restored[Math.floor(restored.length / 2)] ?? 0,
    ...{ seconds: Math.round(progress.seconds), finished, directory },
    findings: [...progress.findings, ...startLogFindings(log)],
  }
}

const listed = (counts: Counts): string =>
  Object.entries(counts).sort().map(([name, count]) => `${name} ${count}`).join(', ') // prettier-ignore

/** For people, a line each. */
export function tableOf(report: LedgerReport): string[] {
  const { kills, kills_in_start: inStart, broker_kills: ofBrokers, faults, seconds } = report
  const rows: readonly (readonly [string, string])[] = [
    ['kills', `${kills} of the process, ${inStart} of them in its start; ${ofBrokers} of a broker`],
    ['at places', listed(report.kills_at_places) || 'none'],
    ...Object.entries(faults).sort().map(([name, count]) => [`  ${count}`.slice(-4), name] as const), // prettier-ignore
    ['checked', `${report.records_checked} records in ${report.checks} checks of G1-G11, K5, L1`],
    ['input', `${report.acknowledged} entries acknowledged, ${report.entries} written`],
    ['restores', `${report.restores}, ${report.restored_records_median} records in the middle, ${report.restored_records_max} at most`],
    ['behind', `a task at most ${report.bytes_behind_max} bytes`],
    ['time', `${seconds} s, ${report.lives} lives`],
  ] // prettier-ignore
  return rows.map(([name, value]) => `${name.padEnd(10)} ${value}`)
}

export const progressLine = ({ planned, done, kills, entries, records, findings }: Progress): string =>
  `${done} of ${planned.length} lives, ${kills} kills: ${entries} entries, ${records} records checked${findings.length === 0 ? '' : `, ${findings.length} FINDINGS`}`
