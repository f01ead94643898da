/** Several processes over one broker in memory: each has its own log client, disk and view of the clock, and can stall or die. */

import type { Broker, EmbeddedBroker } from '../../../connectors/kafka/index.ts'
import { LogClient, openMemoryBroker } from '../../../connectors/kafka/index.ts'
import type { StateDatabase, StateDatabaseSupplier } from '../../../state-stores/index.ts'
import { StateError, memoryDatabases } from '../../../state-stores/index.ts'
import type { ApplicationStatus, RuntimeSettings, Topology } from '../../../topology/index.ts'
import type { DriverMember, TopologyDriver as Driver } from '../../../topology/testing/index.ts'
import { HandClock, StallableClock, TopologyDriver } from '../../../topology/testing/index.ts'
import { countingDatabases, override, spin, t0, turnedUntil } from './harness.ts'

let seeds = 0

/** Bytes unlike in every call and every client. */
export function countingRandom(): { bytes: (length: number) => Buffer } {
  const seed = ++seeds
  let counter = 0
  return {
    bytes: (length) => {
      const bytes = Buffer.alloc(length, seed)
      bytes.writeUInt32BE(++counter, Math.max(0, length - 4))
      return bytes
    },
  }
}

/** A disk: what is closed can be opened again as it was. */
export function lasting(): StateDatabaseSupplier {
  const inner = memoryDatabases()
  const kept = new Map<string, StateDatabase>()
  const open = new Set<string>()
  return {
    open: async (path) => {
      const database = kept.get(path) ?? (await inner.open(path))
      kept.set(path, database)
      if (open.has(path)) throw new StateError('STATE_LOCKED', `${path} is open already`, 'stop')
      open.add(path)
      const close = (): Promise<void> => Promise.resolve(void open.delete(path))
      return override(database, { close })
    },
    list: (under) =>
      Promise.resolve(
        [...kept.keys()].flatMap((path) => (path.startsWith(`${under}/`) ? [path.slice(under.length + 1)] : [])),
      ),
    wipe: async (path) => {
      await kept.get(path)?.close()
      kept.delete(path)
    },
    close: () => Promise.resolve(),
  }
}

/** A process that stands still neither asks nor hears. */
function heardBy(broker: Broker, clock: StallableClock): Broker {
  return new Proxy(broker, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function') return member
      return async (...args: unknown[]): Promise<unknown> => {
        await clock.whenRunning()
        try {
          return await (Reflect.apply(member, target, args) as Promise<unknown>)
        } finally {
          await clock.whenRunning()
        }
      }
    },
  })
}

export interface Process {
  readonly clock: StallableClock
  readonly driver: Driver
  /** How often each task's database was opened. */
  readonly opened: ReadonlyMap<string, number>
}

export interface ClusterOptions {
  readonly topology: Topology
  readonly partitions?: number
  readonly settings?: Partial<RuntimeSettings>
}

export class Cluster {
  readonly clock = new HandClock(t0)
  readonly broker: EmbeddedBroker = openMemoryBroker({ clock: this.clock, random: countingRandom() })
  readonly processes = new Map<string, Process>()
  readonly #options: ClusterOptions

  constructor(options: ClusterOptions) {
    this.#options = options
  }

  get drivers(): Driver[] {
    return [...this.processes.values()].map(({ driver }) => driver)
  }

  process(id: string): Process {
    const process = this.processes.get(id)
    if (process === undefined) throw new Error(`process ${id} does not run`)
    return process
  }

  status(id: string): ApplicationStatus {
    const status = this.process(id).driver.worker.applications[0]?.status()
    if (status === undefined) throw new Error(`process ${id} has no application`)
    return status
  }

  get tasks(): Record<string, number> {
    return Object.fromEntries([...this.processes.keys()].map((id) => [id, this.status(id).tasks]))
  }

  get failures(): Error[] {
    return this.drivers.flatMap(({ failures }) => failures)
  }

  /** Starts a process and waits until it is a member. */
  async start(
    id: string,
    more: Partial<DriverMember> & {
      readonly databases?: StateDatabaseSupplier
      readonly settings?: Partial<RuntimeSettings>
      /** That of another build. */
      readonly topology?: Topology
      /** Told its clock before it begins. */
      readonly born?: (clock: StallableClock) => void
    } = {},
  ): Promise<Process> {
    const clock = new StallableClock(this.clock)
    more.born?.(clock)
    const { databases, opened } = countingDatabases(more.databases)
    const { topology, partitions = 6, settings } = this.#options
    const broker = heardBy(this.broker, clock)
    const driver = await TopologyDriver.join({
      topologies: [more.topology ?? topology],
      partitions,
      settings: { ...settings, ...more.settings },
      log: new LogClient({ broker, clock, random: countingRandom(), ownsBroker: false, requestTimeoutMs: 30_000 }),
      clock: this.clock,
      databases,
      member: { processId: id, clock, ...more },
    })
    const process = { clock, driver, opened }
    this.processes.set(id, process)
    await this.settle()
    return process
  }

  /** A clean end. */
  async stop(id: string): Promise<void> {
    const { driver } = this.process(id)
    await driver.close()
    this.processes.delete(id)
    await this.settle()
  }

  /** As kill -9: from here on nothing of it happens. */
  kill(id: string): void {
    this.process(id).clock.stall()
    this.processes.delete(id)
  }

  /** Time goes on, with everybody's work. */
  async run(ms: number, stepMs = 50): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) await spin(this.clock, stepMs)
  }

  /** Until the group has come to rest and nothing is left to do, as far as processes are alive. */
  async settle(): Promise<void> {
    // A heartbeat tells of a rebalance.
    await this.run(4000, 100)
    const alive = [...this.processes.values()].filter(({ clock }) => !clock.isStalled)
    await turnedUntil(this.clock, TopologyDriver.settle(alive.map(({ driver }) => driver)))
  }

  async close(): Promise<void> {
    for (const { clock } of this.processes.values()) clock.resume()
    await Promise.all(this.drivers.map((driver) => driver.close().catch(() => undefined)))
  }
}
