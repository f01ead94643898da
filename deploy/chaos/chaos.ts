/**
 * `npm run chaos -- --embedded`: embedded mode under kill -9, and a checker that looks whether anybody could tell.
 *
 *   --program ledger    the engine: two stream applications with state, timers, calls and a repartition (`ledger/`)
 *   --program acquire   the product: the acquisition example against an instance of its own (`acquire.ts`)
 *   --program producer  the client of event producers, over HTTP or into a real Kafka (`producer/`)
 */

import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { machineRandom } from '../machine.ts'
import type { AcquireReport } from './acquire.ts'
import { runAcquire } from './acquire.ts'
import type { ChaosArguments } from './arguments.ts'
import { readChaosArguments, usage } from './arguments.ts'
import type { LedgerReport } from './ledger/report.ts'
import { tableOf } from './ledger/report.ts'
import { runLedger } from './ledger/run.ts'
import type { ProducerArguments } from './producer/arguments.ts'
import { producerUsage, readProducerArguments } from './producer/arguments.ts'
import type { ProducerReport } from './producer/run.ts'
import { runProducer } from './producer/run.ts'

const say = (line: string): void => void process.stdout.write(`chaos: ${line}\n`)

type Report = AcquireReport | LedgerReport | ProducerReport

function run(options: ChaosArguments | ProducerArguments): Promise<Report> {
  if ('via' in options) return runProducer(options)
  return options.program === 'ledger' ? runLedger(options) : runAcquire(options)
}

function summary(report: Report): string {
  if (report.program === 'producer')
    return `seed ${report.seed}, via ${report.via}: ${report.events} events, ${report.kills} kills of the producer (${report.kills_in_start} of them in a start) and ${report.platform_kills} of the platform in ${report.seconds} s, ${report.sent_again} acknowledged events sent again, ${report.events_per_second} events/s while it was ready`
  if (report.program === 'ledger') return `seed ${report.seed}${report.finished ? '' : ', not finished'}`
  const behind = `at most ${report.bytes_behind_max} bytes behind`
  return `${report.kills} kills, ${report.events} events, ${report.rows} rows, ${behind}`
}

/** 75: nothing was found, and there is more to do. */
const exitCodeOf = (report: Report): number =>
  report.findings.length > 0 ? 1 : report.program === 'ledger' && !report.finished ? 75 : 0

const argv = process.argv.slice(2)
const freshSeed = machineRandom.bytes(4).readUInt32BE() % 1_000_000_000
const options = argv.includes('producer') ? readProducerArguments(argv, freshSeed) : readChaosArguments(argv, freshSeed)
if (typeof options === 'string') {
  process.stderr.write(`${options}\n\n${usage}\n\n${producerUsage}\n`)
  process.exitCode = 64
} else {
  try {
    const report = await run(options)
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
