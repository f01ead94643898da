/**
 * `npm run chaos -- --embedded`: embedded mode under kill -9, and a checker that looks whether anybody could tell.
 *
 *   --program ledger    the engine: two stream applications with state, timers, calls and a repartition (`ledger/`)
 *   --program acquire   the product: the acquisition example against an instance of its own (`acquire.ts`)
 */

import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { machineRandom } from '../machine.ts'
import type { AcquireReport } from './acquire.ts'
import { runAcquire } from './acquire.ts'
import { readChaosArguments, usage } from './arguments.ts'
import type { LedgerReport } from './ledger/report.ts'
import { tableOf } from './ledger/report.ts'
import { runLedger } from './ledger/run.ts'

const say = (line: string): void => void process.stdout.write(`chaos: ${line}\n`)

function summary(report: AcquireReport | LedgerReport): string {
  if (report.program === 'ledger') return `seed ${report.seed}${report.finished ? '' : ', not finished'}`
  const behind = `at most ${report.bytes_behind_max} bytes behind`
  return `${report.kills} kills, ${report.events} events, ${report.rows} rows, ${behind}`
}

/** 75: nothing was found, and there is more to do. */
const exitCodeOf = (report: AcquireReport | LedgerReport): number =>
  report.findings.length > 0 ? 1 : report.program === 'ledger' && !report.finished ? 75 : 0

const options = readChaosArguments(process.argv.slice(2), machineRandom.bytes(4).readUInt32BE() % 1_000_000_000)
if (typeof options === 'string') {
  process.stderr.write(`${options}\n\n${usage}\n`)
  process.exitCode = 64
} else {
  try {
    const report = options.program === 'ledger' ? await runLedger(options) : await runAcquire(options)
    if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`)
    if (report.program === 'ledger') for (const line of tableOf(report)) say(line)
    for (const finding of report.findings) say(`FINDING ${finding}`)
    const { length } = report.findings
    say(`${summary(report)}: ${length === 0 ? 'nobody could tell' : `${length} findings`}`)
    process.exitCode = exitCodeOf(report)
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    process.exitCode = 1
  }
}
