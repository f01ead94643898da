/**
 * Runs topologies in process: the production runtime on the memory log, memory stores and a hand-turned clock, with as
 * many partitions as wanted. The counterpart of Kafka Streams' TopologyTestDriver, which has one.
 */

import type { CrashPoint, Header, Log } from '../../connectors/kafka/index.ts'
import {
  RecordBatchBuilder,
  RecordCursor,
  endOffset,
  noCrash,
  openMemoryLog,
  partitionFor,
} from '../../connectors/kafka/index.ts'
import type { StateDatabaseSupplier } from '../../state-stores/index.ts'
import { StateBudget, memoryDatabases } from '../../state-stores/index.ts'
import type { Clock, Random } from '../clock.ts'
import { noHeaders } from '../graph/record.ts'
import type { Topology } from '../graph/topology.ts'
import { isSink } from '../graph/topology.ts'
import type { RuntimeSettings } from '../runtime/settings.ts'
import { defaultRuntimeSettings } from '../runtime/settings.ts'
import { Worker } from '../runtime/worker.ts'
import { HandClock } from './hand-clock.ts'

export interface DriverOptions {
  readonly topologies: readonly Topology[]
  /** Partitions of every topic that is given from outside; 1 unless told. */
  readonly partitions?: number
  readonly now?: number
  readonly settings?: Partial<RuntimeSettings>
  /** To go on with the log, stores or clock of an earlier driver: a restart. */
  readonly log?: Log
  readonly databases?: StateDatabaseSupplier
  readonly clock?: HandClock
  /** What timers and waiting calls follow, when it is another than the clock. */
  readonly time?: HandClock
  /** One of several drivers over one log and clock, each a process with a worker: they share out the tasks. */
  readonly member?: DriverMember
}

export interface DriverMember {
  readonly processId: string
  readonly workerIndex?: number
  /** The process's view of the clock, when it can stall on its own; the log it is given should see no other. */
  readonly clock?: Clock
  readonly crash?: CrashPoint
}

export interface ReadRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
}

/** Bytes from a counter: unlike in every call, alike in every run. */
function countingRandom(): Random {
  let counter = 0
  return {
    bytes: (length) => {
      const bytes = Buffer.alloc(length)
      bytes.writeUInt32BE(++counter, Math.max(0, length - 4))
      return bytes
    },
  }
}

/** Turns the clock on until the work has ended. */
async function turnedUntil(clock: HandClock, work: Promise<void>): Promise<void> {
  let ended = false
  const end = (): void => {
    ended = true
  }
  work.then(end, end)
  while (!ended) {
    await new Promise<void>((resolve) => setImmediate(resolve))
    if (!ended) await clock.turnTo(clock.now() + 1)
  }
  return work
}

export class TopologyDriver {
  readonly clock: HandClock
  readonly log: Log
  readonly databases: StateDatabaseSupplier
  readonly notices: string[] = []
  readonly failures: Error[] = []
  readonly worker: Worker
  readonly #partitions: number

  private constructor(options: DriverOptions) {
    this.clock = options.clock ?? new HandClock(options.now)
    this.log = options.log ?? openMemoryLog({ clock: this.clock, random: countingRandom() })
    this.databases = options.databases ?? memoryDatabases()
    this.#partitions = options.partitions ?? 1
    const member = options.member ?? { processId: 'driver' }
    const clock = member.clock ?? this.clock
    this.worker = new Worker({
      topologies: options.topologies,
      log: this.log,
      databases: this.databases,
      budget: new StateBudget({
        bytes: 64 * 1024 * 1024,
        flushBytes: 1024 * 1024,
        flushMs: 5000,
        now: () => clock.now(),
      }),
      clock,
      ...(options.time === undefined ? {} : { time: options.time }),
      // Several in one loop: what the hand-turned clock says is what they see of time.
      watch: options.member === undefined ? () => performance.now() : () => clock.now(),
      settings: { ...defaultRuntimeSettings, ...options.settings },
      processId: member.processId,
      workerIndex: member.workerIndex ?? 0,
      crash: member.crash ?? noCrash,
      notice: (line) => this.notices.push(line),
      failed: (error) => this.failures.push(error),
    })
  }

  static async start(options: DriverOptions): Promise<TopologyDriver> {
    const driver = new TopologyDriver(options)
    await driver.#createGiven(options.topologies)
    await driver.worker.start()
    return driver
  }

  /** Starts one that joins others: their work and the clock go on meanwhile. */
  static async join(options: DriverOptions & { readonly clock: HandClock }): Promise<TopologyDriver> {
    const driver = new TopologyDriver(options)
    await driver.#createGiven(options.topologies)
    await turnedUntil(options.clock, driver.worker.start())
    return driver
  }

  /** Runs several until none of them has anything left to do at this time. */
  static async settle(drivers: readonly TopologyDriver[]): Promise<void> {
    for (let quiet = 0; quiet < 2;) {
      await new Promise<void>((resolve) => setImmediate(resolve))
      for (const { failures } of drivers) if (failures[0] !== undefined) throw failures[0]
      const applications = drivers.flatMap(({ worker }) => worker.applications)
      const idle = await Promise.all(applications.map((application) => application.isIdle()))
      quiet = idle.every(Boolean) ? quiet + 1 : 0
      const clock = drivers[0]?.clock
      if (quiet === 0) await clock?.turnTo(clock.now() + 1)
    }
  }

  /** Appends one record as a producer would: partitioned by its key unless a partition is given. */
  async send(
    topic: string,
    record: {
      key: Buffer | null
      value: Buffer | null
      timestamp?: number
      headers?: readonly Header[]
      partition?: number
    },
  ): Promise<void> {
    const session = await this.log.openProducer({ transactionalId: null, transactionTimeoutMs: 60_000 })
    const records = new RecordBatchBuilder()
    records.append(record.timestamp ?? this.clock.now(), record.key, record.value, record.headers ?? noHeaders)
    const [metadata] = await this.log.metadata([topic])
    const partition =
      record.partition ?? (record.key === null ? 0 : partitionFor(record.key, metadata?.partitions ?? 1))
    await session.append([{ topic, partition, records }])
    await session.close()
  }

  /** Runs until everything sent was processed and committed and nothing is left to do at this time. */
  settle(): Promise<void> {
    return TopologyDriver.settle([this])
  }

  /** Settles, turns the clock on by `ms`, settles again. */
  async advance(ms: number): Promise<void> {
    await this.settle()
    await this.clock.turnTo(this.clock.now() + ms)
    await this.settle()
  }

  /** Everything a read_committed reader sees of a topic, in order per partition. */
  async read(topic: string): Promise<readonly ReadRecord[]> {
    const [metadata] = await this.log.metadata([topic])
    const records: ReadRecord[] = []
    for (let partition = 0; partition < (metadata?.partitions ?? 0); partition++)
      records.push(...(await this.#readPartition(topic, partition)))
    return records
  }

  /** Closes as a process does: commits, waits for calls up to the bound (the clock is turned on meanwhile), flushes. */
  async close(): Promise<void> {
    await turnedUntil(this.clock, this.worker.close())
  }

  async #readPartition(topic: string, partition: number): Promise<ReadRecord[]> {
    const records: ReadRecord[] = []
    const [start = 0n] = await this.log.listOffsets([{ topic, partition }], 'earliest')
    for (let offset = start; ;) {
      const [fetched] = await this.log.fetch({
        partitions: [{ topic, partition, offset, maxBytes: 1 << 20 }],
        isolation: 'read_committed',
        maxWaitMs: 0,
      })
      const end = fetched === undefined ? null : endOffset(fetched.batches)
      if (fetched === undefined || end === null || end <= offset) return records
      const cursor = new RecordCursor(fetched, offset, 'read_committed')
      while (cursor.next()) {
        const copy = (bytes: Buffer | null): Buffer | null => (bytes === null ? null : Buffer.from(bytes))
        const { timestamp, offset: at } = cursor
        records.push({
          topic,
          partition,
          offset: at,
          timestamp,
          key: copy(cursor.key()),
          value: copy(cursor.value()),
          headers: cursor.headers(),
        })
      }
      offset = end
    }
  }

  async #createGiven(topologies: readonly Topology[]): Promise<void> {
    const known = new Set((await this.log.metadata()).map((topic) => topic.name))
    const given = topologies.flatMap((topology) => {
      const own = new Set(topology.repartitions.map((repartition) => repartition.name))
      const named = topology.subTopologies.flatMap((part) => [
        ...part.sources.map((source) => source.topic),
        ...part.nodes.filter(isSink).flatMap((sink) => sink.topics),
      ])
      return named.filter((name) => !own.has(name))
    })
    const missing = [...new Set(given)].filter((name) => !known.has(name))
    await this.log.createTopics(
      missing.map((name) => ({ name, partitions: this.#partitions, config: { 'retention.ms': '-1' } })),
    )
  }
}
