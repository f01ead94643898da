/**
 * The process that is killed: a worker with the ledger's programs and RocksDB, on an embedded log or (`--kafka host:port,…`) a
 * cluster's, and two producers that write entries until they die. Its standard output is its report; the pipe is written synchronously, so what it said
 * before a kill has arrived.
 *
 *   ready                   it has restored its state and reads
 *   acked <producer> <n>    every entry of the producer up to n is acknowledged
 *   drained                 with --drain: nothing is left to do; it has closed everything and ends
 *
 * Its standard error is for people: what the engine has to say. `--crash C07:3` makes it kill itself the third time it comes
 * to that place between two effects.
 */

import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { CrashPoint, Log } from '../../../connectors/kafka/index.ts'
import { RecordBatchBuilder, createMissing, partitionFor } from '../../../connectors/kafka/index.ts'
import { StateBudget, rocksDatabases } from '../../../state-stores/index.ts'
import { Worker, defaultRuntimeSettings } from '../../../topology/index.ts'
import { machineClock } from '../../machine.ts'
import { seeded } from '../seeded.ts'
import { entriesPerAppend, entryOf, producersPerLife, valueOf } from './entries.ts'
import { auditProgram, ledgerProgram, partitions, topics } from './programs.ts'
import { crashAt } from '../../crash.ts'
import { openLedgerLog, processId, stateDirectoryOf } from './log.ts'

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const notice = (line: string): void => void process.stderr.write(`${line}\n`)

interface ChildArguments {
  readonly directory: string
  /** host:port of brokers; null for the embedded log. */
  readonly kafka: string | null
  readonly seed: number
  readonly life: number
  readonly flushBytes: number
  readonly drain: boolean
  readonly crash: CrashPoint
}

function readArguments(): ChildArguments {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    options: {
      ...{ directory: text, kafka: text, seed: text, life: text, 'flush-bytes': text, crash: text },
      drain: { type: 'boolean' },
    },
  })
  const { directory = '', seed, life, drain = false } = values
  const flushBytes = Number(values['flush-bytes'])
  const crash = crashAt(values.crash ?? null)
  return { directory, kafka: values.kafka ?? null, seed: Number(seed), life: Number(life), flushBytes, drain, crash }
}

async function main(): Promise<void> {
  const { directory, kafka, seed, life, flushBytes, drain, crash } = readArguments()
  const log = await openLedgerLog({ directory, kafka, notice, crash })
  await createTopics(log)
  const databases = rocksDatabases({
    directory: stateDirectoryOf(directory),
    blockCacheBytes: 8 * 1024 * 1024,
    writeBufferBytes: 1024 * 1024,
    notice,
  })
  const draw = seeded(seed + life)
  const worker = new Worker({
    topologies: [ledgerProgram(), auditProgram(machineClock, () => Math.floor(draw() * 20))],
    log,
    databases,
    // Only bytes may cause a flush, so that the bound is what is tested.
    budget: new StateBudget({ bytes: 32 * 1024 * 1024, flushBytes, flushMs: 3_600_000, now: () => machineClock.now() }),
    clock: machineClock,
    watch: () => performance.now(),
    settings: { ...defaultRuntimeSettings, timerRestartGraceMs: 300, ...(kafka === null ? {} : onKafka) },
    processId,
    workerIndex: 0,
    notice,
    crash,
    failed: (error) => {
      notice(`cannot go on: ${error.message}`)
      process.exit(70)
    },
  })
  await worker.start()
  say('ready')
  if (!drain) {
    await Promise.all(Array.from({ length: producersPerLife }, (_, index) => produce(log, seed, `${life}.${index}`)))
    return
  }
  await drained(worker)
  await worker.close()
  await databases.close()
  await log.close()
  say('drained')
}

/** A broker keeps a dead member, and its transaction, until their time is over. */
const onKafka = { sessionTimeoutMs: 1_500, heartbeatIntervalMs: 300 }

const createTopics = (log: Log): Promise<void> =>
  createMissing(
    log,
    Object.values(topics).map((name) => ({ name, partitions, config: { 'retention.ms': '-1' } })),
  )

/** Writes until the process dies. */
async function produce(log: Log, seed: number, producer: string): Promise<never> {
  const session = await log.openProducer({ transactionalId: null, transactionTimeoutMs: 60_000 })
  const draw = seeded(seed ^ Math.imul(Number(producer.replace('.', '')), 0x27d4eb2f))
  for (let n = 0; ;) {
    const end = n + 1 + Math.floor(draw() * entriesPerAppend)
    const batches = new Map<number, RecordBatchBuilder>()
    for (; n < end; n++) {
      const entry = entryOf(seed, producer, n)
      const key = Buffer.from(entry.key)
      const partition = partitionFor(key, partitions)
      const records = batches.get(partition) ?? new RecordBatchBuilder()
      batches.set(partition, records)
      records.append(machineClock.now(), key, Buffer.from(valueOf(entry)))
    }
    await session.append([...batches].map(([partition, records]) => ({ topic: topics.entries, partition, records })))
    say(`acked ${producer} ${n - 1}`)
    await sleep(Math.floor(draw() * 80))
  }
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

await main()
