/**
 * `npm run chaos -- --embedded`: embedded mode under kill -9, and a checker that looks whether anybody could tell.
 *
 *   --program ledger    the engine: two stream applications with state, timers, calls and a repartition (`ledger/`)
 *   --program acquire   the product: the acquisition example against an instance of its own (`acquire.ts`)
 *   --program producer  the client of event producers, over HTTP or into a real Kafka (`producer/`)
 *   --providers         the product, against providers that go wrong at every call and outlive it (`providers/`)
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
import type { ProvidersArguments } from './providers/arguments.ts'
import { providersUsage, readProvidersArguments } from './providers/arguments.ts'
import type { ProvidersReport } from './providers/run.ts'
import { runProviders } from './providers/run.ts'

const say = (line: string): void => void process.stdout.write(`chaos: ${line}\n`)

type Report = AcquireReport | LedgerReport | ProducerReport | ProvidersReport
type Options = ChaosArguments | ProducerArguments | ProvidersArguments

function run(options: Options): Promise<Report> {
  if ('via' in options) return runProducer(options)
  if (options.program === 'providers') return runProviders(options)
  return options.program === 'ledger' ? runLedger(options) : runAcquire(options)
}

function summary(report: Report): string {
  if (report.program === 'producer')
    return `seed ${report.seed}, via ${report.via}: ${report.events} events, ${report.kills} kills of the producer (${report.kills_in_start} of them in a start) and ${report.platform_kills} of the platform in ${report.seconds} s, ${report.sent_again} acknowledged events sent again, ${report.events_per_second} events/s while it was ready`
  if (report.program === 'ledger') return `seed ${report.seed}${report.finished ? '' : ', not finished'}`
  if (report.program === 'providers') return providersSummary(report)
  const behind = `at most ${report.bytes_behind_max} bytes behind`
  return `${report.kills} kills, ${report.events} events, ${report.rows} rows, ${behind}`
}

const listed = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${count} ${name.replaceAll('_', ' ')}`)
    .join(', ')

function providersSummary(report: ProvidersReport): string {
  const { seed, runs, companies, calls, faults, seconds, created, kills, spared, repeats, next_seed: next } = report
  const again = `may repeat, and did: ${listed(repeats as unknown as Readonly<Record<string, number>>)}`
  const more = next === null ? '' : `, go on with --seed ${next}`
  return `seeds ${seed} to ${seed + runs - 1}${more}: ${runs} runs, ${companies} companies in ${seconds} s; ${calls} calls, ${faults} of them with a fault; killed: ${listed(kills)} (${spared} moments did not come); made: ${listed(created)}; ${again}`
}

/** 75: nothing was found, and there is more to do. */
const exitCodeOf = (report: Report): number => (report.findings.length > 0 ? 1 : isFinished(report) ? 0 : 75)

const isFinished = (report: Report): boolean =>
  report.program === 'ledger' ? report.finished : report.program !== 'providers' || report.next_seed === null

function read(argv: readonly string[], freshSeed: number): Options | string {
  if (argv.includes('--providers')) return readProvidersArguments(argv, freshSeed)
  return argv.includes('producer') ? readProducerArguments(argv, freshSeed) : readChaosArguments(argv, freshSeed)
}

const argv = process.argv.slice(2)
const freshSeed = machineRandom.bytes(4).readUInt32BE() % 1_000_000_000
const options = read(argv, freshSeed)
if (typeof options === 'string') {
  process.stderr.write(`${options}\n\n${usage}\n\n${producerUsage}\n\n${providersUsage}\n`)
  process.exitCode = 64
} else {
  try {
    const report = await run(options)
    if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`)
    if (report.program === 'ledger') for (const line of tableOf(report)) say(line)
    if (report.program === 'providers') for (const line of report.table) say(line)
    for (const finding of report.findings) say(`FINDING ${finding}`)
    const { length } = report.findings
    say(`${summary(report)}: ${length === 0 ? 'nobody could tell' : `${length} findings`}`)
    process.exitCode = exitCodeOf(report)
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    process.exitCode = 1
  }
}
