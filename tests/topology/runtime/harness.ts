/** What the runtime's tests share: drivers that are closed after each test, records as text, a clock turned by hand. */

import { afterEach } from 'vitest'
import type { Log } from '../../../connectors/kafka/index.ts'
import { RecordBatchBuilder } from '../../../connectors/kafka/index.ts'
import type { StateDatabase, StateDatabaseSupplier } from '../../../state-stores/index.ts'
import { memoryDatabases } from '../../../state-stores/index.ts'
import { noHeaders } from '../../../topology/index.ts'
import type { DriverOptions, ReadRecord } from '../../../topology/testing/index.ts'
import { HandClock, TopologyDriver } from '../../../topology/testing/index.ts'

export const t0 = 1_700_000_000_000

export const random = { bytes: (length: number): Buffer => Buffer.alloc(length, 7) }

export interface Drivers {
  start(options: DriverOptions): Promise<TopologyDriver>
  /** Closes one that was started otherwise, too. */
  adopt(driver: TopologyDriver): TopologyDriver
  /** A restart in this process: state and log go on, everything in memory is new. */
  restart(driver: TopologyDriver, options: DriverOptions): Promise<TopologyDriver>
}

/** Drivers of one test file, closed after each test. */
export function useDrivers(): Drivers {
  const open: TopologyDriver[] = []
  afterEach(async () => {
    // A test may leave one that failed or was fenced: its close has nothing to say.
    await Promise.all(open.splice(0).map((driver) => driver.close().catch(() => undefined)))
  })
  const adopt = (driver: TopologyDriver): TopologyDriver => {
    open.push(driver)
    return driver
  }
  const start = async (options: DriverOptions): Promise<TopologyDriver> => adopt(await TopologyDriver.start(options))
  const restart = async (driver: TopologyDriver, options: DriverOptions): Promise<TopologyDriver> => {
    await driver.close()
    return start({ ...options, log: driver.log, databases: driver.databases, clock: driver.clock })
  }
  return { start, adopt, restart }
}

export const pairs = (records: readonly ReadRecord[]): string[] =>
  records.map((record) => `${record.key?.toString()}=${record.value?.toString()}`)

export const header = (record: ReadRecord | undefined, name: string): string | undefined =>
  record?.headers.find((candidate) => candidate.key === name)?.value.toString()

export const send = (
  driver: TopologyDriver,
  topic: string,
  key: string,
  value: string | null,
  timestamp?: number,
): Promise<void> =>
  driver.send(topic, {
    key: Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
    ...(timestamp === undefined ? {} : { timestamp }),
  })

/** Appends many records as one batch: they come with one fetch. */
export async function sendBatch(
  log: Log,
  to: { readonly topic: string; readonly partition?: number },
  records: readonly { readonly key: string; readonly value: string | Buffer; readonly timestamp: number }[],
): Promise<void> {
  const session = await log.openProducer({ transactionalId: null, transactionTimeoutMs: 60_000 })
  const batch = new RecordBatchBuilder()
  for (const { key, value, timestamp } of records)
    batch.append(timestamp, Buffer.from(key), Buffer.from(value), noHeaders)
  await session.append([{ topic: to.topic, partition: to.partition ?? 0, records: batch }])
  await session.close()
}

/** Lets the work at hand go on, with the clock standing still. */
export async function turns(count = 50): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise<void>((resolve) => setImmediate(resolve))
}

/** Work, then time, then work: unlike settle() it does not wait for calls in flight. */
export async function spin(clock: HandClock, ms = 20): Promise<void> {
  await turns()
  await clock.turnTo(clock.now() + ms)
  await turns()
}

/** Turns the clock on until the work has ended. */
export async function turnedUntil<T>(clock: HandClock, work: Promise<T>): Promise<T> {
  let ended = false
  const end = (): void => {
    ended = true
  }
  work.then(end, end)
  while (!ended) {
    await new Promise<void>((resolve) => setImmediate(resolve))
    if (!ended) await clock.turnTo(clock.now() + 10)
  }
  return work
}

/** A wall clock that can be set; delays go on as they were. */
export class SettableClock extends HandClock {
  #offsetMs = 0

  override now(): number {
    return super.now() + this.#offsetMs
  }

  override turnTo(time: number): Promise<void> {
    return super.turnTo(time - this.#offsetMs)
  }

  set(byMs: number): void {
    this.#offsetMs += byMs
  }
}

/** `target` with some of its members replaced. */
export function override<T extends object>(target: T, members: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      if (name in members) return Reflect.get(members, name) as unknown
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    },
  })
}

/** Databases that count how often each path was opened. */
export function countingDatabases(inner: StateDatabaseSupplier = memoryDatabases()) {
  const opened = new Map<string, number>()
  const databases = override(inner, {
    open: async (path) => {
      const database = await inner.open(path)
      opened.set(path, (opened.get(path) ?? 0) + 1)
      return database
    },
  })
  return { databases, opened }
}

/** Databases in memory that outlive their close, as files do. `wiped` are the paths, in order. */
export function lastingDatabases(): StateDatabaseSupplier & { readonly wiped: string[] } {
  const inner = memoryDatabases()
  const kept = new Map<string, StateDatabase>()
  const wiped: string[] = []
  return {
    wiped,
    async open(path) {
      const database = kept.get(path) ?? (await inner.open(path))
      kept.set(path, database)
      return override(database, { close: async () => undefined })
    },
    async wipe(path) {
      wiped.push(path)
      await kept.get(path)?.close()
      kept.delete(path)
    },
    close: () => inner.close(),
  }
}
