/** What both measurements stand on: a broker, topics, the processes of one side, and a load that does not wait for them. */

import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { createInterface } from 'node:readline'
import type { Log, TopicPartition } from '../../connectors/kafka/index.ts'
import { RecordBatchBuilder, openKafkaLog, partitionFor } from '../../connectors/kafka/index.ts'
import { kafkaJars } from '../../deploy/local/kafka.ts'
import { machineClock, machineRandom } from '../../deploy/machine.ts'
import type { ProgramTopics } from './program.ts'
import { keyOf, partitions, valueBytes } from './program.ts'

export interface Line {
  readonly atMs: number
  readonly text: string
}

/** A process under measurement, and what it has said. */
export interface Run {
  readonly child: ChildProcess
  readonly startedAtMs: number
  readonly lines: Line[]
  readonly exited: Promise<void>
}

export interface ProcessOptions {
  readonly bootstrap: string
  readonly directory: string
  readonly id: string
  readonly topics: ProgramTopics
  readonly standbys?: number
  readonly leaveOnClose?: boolean
  readonly vitals?: boolean
  readonly blockCacheMiB?: number
}

export function startOurs(options: ProcessOptions): Run {
  const {
    bootstrap,
    directory,
    id,
    topics,
    standbys = 0,
    leaveOnClose = false,
    vitals = false,
    blockCacheMiB = 64,
  } = options
  const named = {
    bootstrap,
    directory,
    id,
    ...topics,
    standbys: String(standbys),
    'block-cache-mib': String(blockCacheMiB),
  }
  const given = Object.entries(named).flatMap(([name, value]) => [`--${name}`, value])
  const script = join(import.meta.dirname, 'process.ts')
  const flags = [...(leaveOnClose ? ['--leave-on-close'] : []), ...(vitals ? ['--vitals'] : [])]
  return run(process.execPath, [script, ...given, ...flags], directory)
}

/** Kafka Streams' own. @param classes the directory with its compiled program */
export function startTheirs({ bootstrap, directory, id, topics }: ProcessOptions, classPath: string): Run {
  const { application, input, output } = topics
  const given = [bootstrap, application, join(directory, 'state'), id, input, output]
  return run('java', ['-Xmx1g', '-cp', classPath, 'Peer', ...given], directory)
}

function run(command: string, given: readonly string[], directory: string): Run {
  mkdirSync(directory, { recursive: true })
  const startedAtMs = performance.now()
  const child = spawn(command, given, { stdio: ['ignore', 'pipe', openSync(join(directory, 'log'), 'a')] })
  const lines: Line[] = []
  createInterface({ input: child.stdout! }).on('line', (text) => lines.push({ atMs: performance.now(), text }))
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  const exited = new Promise<void>((resolve) => void child.once('close', () => resolve()))
  void exited.then(() => process.off('exit', kill))
  return { child, startedAtMs, lines, exited }
}

export const streamsJars = (): Promise<string> => kafkaJars({ pom: join(import.meta.dirname, 'streams-pom.xml') })

export const openLog = (bootstrap: string): Promise<Log> =>
  openKafkaLog({ bootstrap: bootstrap.split(','), clock: machineClock, random: machineRandom, notice: () => undefined })

export const placesOf = (topic: string): TopicPartition[] =>
  Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))

/** Writes records of keys as they are drawn, several appends on their way. */
export class Load {
  readonly #log: Log
  readonly #topic: string
  #stopped = false
  #running: Promise<void> = Promise.resolve()
  written = 0

  constructor(log: Log, topic: string) {
    this.#log = log
    this.#topic = topic
  }

  /** Each key once. */
  async fill(keys: number): Promise<void> {
    const lanes = 4
    let next = 0
    const lane = async (): Promise<void> => {
      const session = await this.#log.openProducer({ transactionalId: null, transactionTimeoutMs: 60_000 })
      while (next < keys) {
        const from = next
        next = Math.min(keys, from + 10_000)
        await this.#append(session, from, next, (n) => n)
      }
      await session.close()
    }
    await Promise.all(Array.from({ length: lanes }, lane))
  }

  /** At so many records a second until `stop`, keys drawn evenly. */
  start(perSecond: number, keys: number): void {
    this.#running = (async () => {
      const session = await this.#log.openProducer({ transactionalId: null, transactionTimeoutMs: 60_000 })
      const from = performance.now()
      const already = this.written
      while (!this.#stopped) {
        const due = Math.floor(((performance.now() - from) / 1000) * perSecond) - (this.written - already)
        if (due > 0) await this.#append(session, 0, Math.min(due, 20_000), () => Math.floor(Math.random() * keys))
        await sleep(10)
      }
      await session.close()
    })()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #append(
    session: Awaited<ReturnType<Log['openProducer']>>,
    from: number,
    to: number,
    keyAt: (n: number) => number,
  ): Promise<void> {
    const batches = new Map<number, RecordBatchBuilder>()
    const now = Date.now()
    for (let n = from; n < to; n++) {
      const key = keyOf(keyAt(n))
      const partition = partitionFor(key, partitions)
      const records = batches.get(partition) ?? new RecordBatchBuilder()
      batches.set(partition, records)
      const value = Buffer.alloc(valueBytes, 'v')
      value.writeUInt32BE(n >>> 0, 0)
      records.append(now, key, value)
    }
    await session.append([...batches].map(([partition, records]) => ({ topic: this.#topic, partition, records })))
    this.written += to - from
  }
}

export const sum = (numbers: readonly bigint[]): bigint => numbers.reduce((total, one) => total + one, 0n)

/** Records of the input that the group has not committed. */
export async function lagOf(log: Log, { application, input }: ProgramTopics): Promise<bigint> {
  const places = placesOf(input)
  const [ends, committed] = await Promise.all([
    log.listOffsets(places, 'latest'),
    log.committedOffsets(application, places),
  ])
  return sum(ends.map((end, index) => end - (committed[index]?.offset ?? 0n)))
}

/** @throws Error when it does not come within the time */
export async function until(what: string, withinMs: number, holds: () => Promise<boolean>): Promise<void> {
  for (const from = performance.now(); !(await holds()); await sleep(10))
    if (performance.now() - from > withinMs) throw new Error(`${what}: not within ${withinMs} ms`)
}
