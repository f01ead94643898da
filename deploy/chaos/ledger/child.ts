/**
 * The process that is killed: a worker with the ledger's programs and RocksDB, on an embedded log or (`--kafka host:port,…`) a
 * cluster's, and two producers that write entries until they die. Its standard output is its report; the pipe is written synchronously, so what it said
 * before a kill has arrived.
 *
 *   ready                   it has restored its state and reads
 *   owns <application> <n>  so many tasks of the application run here now
 *   acked <producer> <n>    every entry of the producer up to n is acknowledged
 *   slow <producer> <m> <n> the append of these entries took long
 *   drained                 with --drain: nothing is left to do; it has closed everything and ends
 *
 * Its standard error is for people: what the engine has to say. `--crash C07:3` makes it kill itself the third time it comes
 * to that place between two effects. With `--wait` it starts when a line comes in; with SIGTERM it closes in order.
 */

import process from 'node:process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../../connectors/kafka/index.ts'
import { createMissing } from '../../../connectors/kafka/index.ts'
import type { StateDatabaseSupplier } from '../../../state-stores/index.ts'
import { StateBudget, rocksDatabases } from '../../../state-stores/index.ts'
import type { RuntimeSettings } from '../../../topology/index.ts'
import { Worker, defaultRuntimeSettings } from '../../../topology/index.ts'
import { machineClock } from '../../machine.ts'
import { seeded } from '../seeded.ts'
import type { ChildArguments } from './child-arguments.ts'
import { readChildArguments } from './child-arguments.ts'
import { producersPerLife } from './entries.ts'
import { openLedgerLog, stateDirectoryOf } from './log.ts'
import { produce } from './produce.ts'
import { auditProgram, ledgerProgram, partitions, topics } from './programs.ts'

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const notice = (line: string): void => void process.stderr.write(`${line}\n`)

async function main(options: ChildArguments): Promise<void> {
  const { directory, kafka, crash, requestTimeoutMs, seed, life, wait, drain } = options
  const log = await openLedgerLog({ directory, kafka, notice, crash, requestTimeoutMs, clientId: options.process })
  await createTopics(log)
  const caches = { blockCacheBytes: 8 * 1024 * 1024, writeBufferBytes: 1024 * 1024 }
  const databases = rocksDatabases({ directory: stateDirectoryOf(directory), ...caches, notice })
  const worker = workerOf(options, log, databases)
  if (wait) await aWord()
  endWithParent()
  await worker.start()
  say('ready')
  const told = tellTasks(worker)
  const leaving = new AbortController()
  process.once('SIGTERM', () => leaving.abort())
  if (drain) await drained(worker)
  else {
    const names = Array.from({ length: producersPerLife }, (_, index) => `${life}.${index}`)
    await Promise.all(names.map((producer) => produce({ log, seed, producer, signal: leaving.signal, say })))
  }
  await worker.close()
  clearInterval(told)
  await databases.close()
  await log.close()
  if (drain) say('drained')
}

function workerOf(options: ChildArguments, log: Log, databases: StateDatabaseSupplier): Worker {
  const { seed, life, flushBytes, crash } = options
  const draw = seeded(seed + life)
  return new Worker({
    topologies: [ledgerProgram(), auditProgram(machineClock, () => Math.floor(draw() * 20))],
    ...{ log, databases, notice, crash, clock: machineClock, watch: () => performance.now() },
    // Only bytes may cause a flush, so that the bound is what is tested.
    budget: new StateBudget({ bytes: 32 * 1024 * 1024, flushBytes, flushMs: 3_600_000, now: () => machineClock.now() }),
    settings: settingsOf(options),
    processId: options.process,
    workerIndex: 0,
    failed: (error) => {
      notice(`cannot go on: ${error.message}`)
      process.exit(70)
    },
  })
}

/**
 * Every second life moves tasks at once, whatever they have to restore; the others warm up first. What was repartitioned stays:
 * it is checked in the end.
 */
const settingsOf = ({ kafka, life }: ChildArguments): RuntimeSettings => ({
  ...{ ...defaultRuntimeSettings, timerRestartGraceMs: 300, repartitionPurgeIntervalMs: null },
  ...(kafka === null ? {} : { ...onKafka, acceptableRecoveryLag: life % 2 === 0 ? 1_000_000_000 : 2_000 }),
})

/** A broker keeps a dead member, and its transaction, until their time is over. */
const onKafka = {
  sessionTimeoutMs: 1_500,
  heartbeatIntervalMs: 300,
  rebalanceTimeoutMs: 5_000,
  transactionTimeoutMs: 5_000,
}

const createTopics = (log: Log): Promise<void> =>
  createMissing(
    log,
    Object.values(topics).map((name) => ({ name, partitions, config: { 'retention.ms': '-1' } })),
  )

async function aWord(): Promise<void> {
  say('waiting')
  const lines = createInterface({ input: process.stdin })
  await new Promise((resolve) => lines.once('line', resolve))
  lines.close()
}

/** Whoever started it does not leave it behind. */
function endWithParent(): void {
  process.stdin.once('end', () => process.exit(1))
  process.stdin.resume()
  process.stdin.unref()
}

const tellEveryMs = 50

/** Says how many tasks run here whenever that has changed. */
function tellTasks(worker: Worker): NodeJS.Timeout {
  const told = new Map<string, number>()
  return setInterval(() => {
    for (const application of worker.applications) {
      const { tasks } = application.status()
      if (told.get(application.name) === tasks) continue
      told.set(application.name, tasks)
      say(`owns ${application.name} ${tasks}`)
    }
  }, tellEveryMs)
}

/** Waits until everything was read and committed and every timer has fired. */
async function drained(worker: Worker): Promise<void> {
  for (let quiet = 0; quiet < 3;) {
    await sleep(100)
    const idle = await Promise.all(worker.applications.map((application) => application.isIdle()))
    const armed = worker.applications.some((application) => application.status().timersArmed > 0)
    quiet = idle.every(Boolean) && !armed ? quiet + 1 : 0
  }
}

await main(readChildArguments(process.argv.slice(2)))
