/** Several workers over one log. The group is played by hand here; `group.test.ts` has the real one. */

import { describe, expect, test } from 'vitest'
import { LogError, openMemoryLog, partitionFor } from '../../../connectors/kafka/index.ts'
import type { Log, RebalanceListener } from '../../../connectors/kafka/index.ts'
import type { StateDatabase, StateDatabaseSupplier } from '../../../state-stores/index.ts'
import { StateBudget, StateError, TaskState, memoryDatabases } from '../../../state-stores/index.ts'
import type { RuntimeSettings, Topology } from '../../../topology/index.ts'
import { defaultRuntimeSettings } from '../../../topology/index.ts'
import type { SubTopology } from '../../../topology/graph/topology.ts'
import { readingsOf } from '../../../topology/runtime/changelog.ts'
import { StandbyTask, StandbyTasks } from '../../../topology/runtime/standby-task.ts'
import type { DriverMember } from '../../../topology/testing/index.ts'
import { HandClock, StallableClock, TopologyDriver } from '../../../topology/testing/index.ts'
import {
  countingDatabases,
  override,
  pairs,
  random,
  send,
  sendBatch,
  spin,
  t0,
  turnedUntil,
  turns,
  useDrivers,
} from './harness.ts'
import { callProgram, countProgram } from './programs.ts'
import { ScriptedGroup } from './scripted-group.ts'

const { adopt, start } = useDrivers()

class Cluster {
  readonly clock = new HandClock(t0)
  readonly group: ScriptedGroup
  readonly drivers = new Map<string, TopologyDriver>()
  readonly opened = new Map<string, Map<string, number>>()
  readonly #topology: Topology
  readonly #partitions: number
  readonly #settings: Partial<RuntimeSettings>

  constructor(options: { topology?: Topology; partitions?: number; settings?: Partial<RuntimeSettings> } = {}) {
    this.group = new ScriptedGroup(openMemoryLog({ clock: this.clock, random }))
    this.#topology = options.topology ?? countProgram()
    this.#partitions = options.partitions ?? 6
    this.#settings = options.settings ?? {}
  }

  get all(): TopologyDriver[] {
    return [...this.drivers.values()]
  }

  async join(id: string, more: Partial<DriverMember> & { databases?: StateDatabaseSupplier } = {}): Promise<void> {
    const { databases, opened } = countingDatabases(more.databases)
    this.opened.set(id, opened)
    const driver = await TopologyDriver.join({
      topologies: [this.#topology],
      partitions: this.#partitions,
      settings: this.#settings,
      log: this.group.log,
      clock: this.clock,
      databases,
      member: { processId: id, ...more },
    })
    this.drivers.set(id, adopt(driver))
    await this.settle()
  }

  async leave(id: string): Promise<void> {
    await this.drivers.get(id)?.close()
    this.drivers.delete(id)
    await this.settle()
  }

  async settle(): Promise<void> {
    for (let n = 0; n < 3; n++) await spin(this.clock, 60)
    await TopologyDriver.settle(this.all)
  }

  status(id: string) {
    const status = this.drivers.get(id)?.worker.applications[0]?.status()
    if (status === undefined) throw new Error(`${id} does not run`)
    return status
  }

  async send(keys: readonly string[]): Promise<void> {
    const [any] = this.all
    if (any === undefined) throw new Error('nobody is there')
    for (const key of keys) await send(any, 'words', key, 'x')
  }

  /** Every count of every key, in order: exactly once is 1, 2, 3, … */
  async counts(): Promise<Map<string, number[]>> {
    const found = new Map<string, number[]>()
    for (const { key, value } of (await this.all[0]?.read('counts-out')) ?? []) {
      const name = key?.toString() ?? ''
      found.set(name, [...(found.get(name) ?? []), Number(value?.toString())])
    }
    return found
  }
}

const keys = Array.from({ length: 24 }, (_, n) => `t|${n}`)

function expectExactlyOnce(counts: ReadonlyMap<string, readonly number[]>, times: number): void {
  expect(counts.size).toBe(keys.length)
  for (const [key, values] of counts)
    expect([key, values]).toEqual([key, Array.from({ length: times }, (_, n) => n + 1)])
}

describe('a rebalance', () => {
  test('stops only the tasks that move: the others keep their stores open (W7)', async () => {
    const cluster = new Cluster()
    await cluster.join('a')
    await cluster.send(keys)
    await cluster.settle()
    await cluster.join('b')
    expect(cluster.status('a').tasks).toBe(3)
    expect(cluster.status('b').tasks).toBe(3)
    await cluster.send(keys)
    await cluster.settle()
    expect([...(cluster.opened.get('a')?.values() ?? [])]).toEqual([1, 1, 1, 1, 1, 1])
    expect(cluster.opened.get('b')?.size).toBe(3)
    expectExactlyOnce(await cluster.counts(), 2)
  })

  test('1, 3, 2, 1 workers: every record counts once', async () => {
    const cluster = new Cluster({ settings: { standbyReplicas: 1 } })
    await cluster.join('a')
    let rounds = 0
    const round = async (): Promise<void> => {
      rounds++
      await cluster.send(keys)
    }
    await round()
    await cluster.join('b')
    await round()
    await cluster.join('c')
    await round()
    await cluster.settle()
    expect(['a', 'b', 'c'].map((id) => cluster.status(id).tasks)).toEqual([2, 2, 2])
    await round()
    await cluster.leave('a')
    await round()
    await cluster.leave('c')
    await round()
    await cluster.settle()
    expect(cluster.status('b').tasks).toBe(6)
    expectExactlyOnce(await cluster.counts(), rounds)
    expect(cluster.all.flatMap(({ failures }) => failures)).toEqual([])
  })

  test('waits for the calls of a task that moves, while the others go on (W7)', async () => {
    let finish = (): void => undefined
    const slow = new Promise<string>((resolve) => (finish = () => resolve('slow!')))
    const call = (value: string): Promise<string> => (value === 'slow' ? slow : Promise.resolve(`${value}!`))
    const cluster = new Cluster({ topology: callProgram({ call }), partitions: 2 })
    await cluster.join('a')
    // Of two tasks the second moves.
    const [stays = '', moves = ''] = [0, 1].map((n) => keys.find((key) => partitionFor(Buffer.from(key), 2) === n))
    const a = cluster.drivers.get('a') as TopologyDriver
    await send(a, 'requests', moves, 'slow')
    await spin(cluster.clock)
    const joining = cluster.join('b')
    await spin(cluster.clock, 100)
    expect(a.worker.applications[0]?.status().callsInFlight).toBe(1)
    for (let n = 0; n < 3; n++) {
      await send(a, 'requests', stays, `v${n}`)
      await spin(cluster.clock, 200)
    }
    expect(pairs(await a.read('answers'))).toEqual([`${stays}=v0!`, `${stays}=v1!`, `${stays}=v2!`])
    finish()
    await joining
    expect(cluster.status('a').tasks).toBe(1)
    expect(cluster.status('b').tasks).toBe(1)
    expect(pairs(await a.read('answers')).filter((pair) => pair.startsWith(moves))).toEqual([`${moves}=slow!`])
  })

  test('between two workers of one process: the new owner waits until the old one has closed the directory (W8)', async () => {
    const cluster = new Cluster()
    const inner = memoryDatabases()
    let refused = 0
    const disk = override(inner, {
      open: async (path) => {
        const database = await inner.open(path).catch((error: unknown) => {
          if (error instanceof StateError && error.code === 'STATE_LOCKED') refused++
          throw error
        })
        const close = async (): Promise<void> => {
          await new Promise<void>((resolve) => void cluster.clock.after(300, resolve))
          await database.close()
        }
        return override(database, { close })
      },
    })
    await cluster.join('a', { processId: 'p', workerIndex: 0, databases: disk })
    await cluster.send(keys)
    await cluster.join('b', { processId: 'p', workerIndex: 1, databases: disk })
    await cluster.send(keys)
    await cluster.leave('a')
    await cluster.send(keys)
    await cluster.settle()
    expect(cluster.status('b').tasks).toBe(6)
    expectExactlyOnce(await cluster.counts(), 3)
    expect(refused).toBeGreaterThan(0)
    expect(cluster.drivers.get('b')?.notices.join('\n'), 'a moment is no news').not.toContain('STATE_LOCKED')
  })
})

describe('a member that is out of the group', () => {
  test('stalled past its session: it commits nothing, joins again, and every record counts once (W9)', async () => {
    const cluster = new Cluster()
    await cluster.join('a')
    const clock = new StallableClock(cluster.clock)
    await cluster.join('b', { clock })
    await cluster.send(keys)
    await spin(cluster.clock, 1)
    clock.stall()
    const zombie = cluster.group.members.find(({ owned }) => owned.length > 0 && owned.some(({ partition }) => cluster.group.members[0]?.owned.every((other) => other.partition !== partition))) // prettier-ignore
    await turnedUntil(cluster.clock, cluster.group.expel(zombie))
    await spin(cluster.clock, 20_000)
    await cluster.send(keys)
    await spin(cluster.clock, 200)
    expect(cluster.status('a').tasks).toBe(6)
    const before = cluster.status('b').commits
    clock.resume()
    await spin(cluster.clock, 4000)
    expect(cluster.status('b').commits).toBe(before)
    await turnedUntil(cluster.clock, cluster.group.tell(zombie))
    await cluster.send(keys)
    await cluster.settle()
    expect(cluster.status('a').tasks).toBe(3)
    expect(cluster.status('b').tasks).toBe(3)
    expectExactlyOnce(await cluster.counts(), 3)
    expect(cluster.all.flatMap(({ failures }) => failures)).toEqual([])
  })

  test('put out in the middle of a commit: the commit fails, its work is done again (W9, C3)', async () => {
    const cluster = new Cluster()
    await cluster.join('a')
    await cluster.join('b')
    await cluster.send(keys)
    await cluster.settle()
    const [, second] = cluster.group.members
    let expelled: Promise<void> | null = null
    cluster.group.onCommit = () => {
      expelled ??= cluster.group.expel(second)
    }
    await cluster.send(keys)
    for (let n = 0; n < 20; n++) await spin(cluster.clock, 50)
    expect(expelled).not.toBeNull()
    await turnedUntil(cluster.clock, cluster.group.tell(second))
    await cluster.send(keys)
    await cluster.settle()
    expect(cluster.status('a').tasks + cluster.status('b').tasks).toBe(6)
    expectExactlyOnce(await cluster.counts(), 3)
    expect(cluster.all.flatMap(({ failures }) => failures)).toEqual([])
  })
})

describe('standbys', () => {
  test('take over with their store open: only a tail is restored, nothing is opened again (SB2)', async () => {
    const cluster = new Cluster({ settings: { standbyReplicas: 1 } })
    await cluster.join('a')
    await cluster.join('b')
    for (let n = 0; n < 4; n++) await cluster.send(keys)
    await cluster.settle()
    for (let n = 0; n < 5; n++) await spin(cluster.clock, 600)
    expect(cluster.status('b')).toMatchObject({ tasks: 3, standbyTasks: 3, standbyLag: 0 })
    const opened = new Map(cluster.opened.get('b'))
    await cluster.leave('a')
    await cluster.send(keys)
    await cluster.settle()
    expect(cluster.status('b')).toMatchObject({ tasks: 6, standbyTasks: 0 })
    expect(cluster.opened.get('b')).toEqual(opened)
    const restored = cluster.drivers.get('b')?.notices.filter((line) => line.includes('restored')) ?? []
    expect(restored.filter((line) => !line.includes('local state was empty'))).toEqual([])
    expectExactlyOnce(await cluster.counts(), 5)
  })

  test('a task moves when its warm-up has caught up, by the warm-up asking for it (SB4, TA4)', async () => {
    const cluster = new Cluster({ partitions: 2, settings: { acceptableRecoveryLag: 20 } })
    await cluster.join('a')
    for (let n = 0; n < 10; n++) await cluster.send(keys)
    await cluster.settle()
    await cluster.join('b')
    for (let n = 0; n < 10; n++) await spin(cluster.clock, 100)
    expect(cluster.status('a').tasks).toBe(1)
    expect(cluster.status('b').tasks).toBe(1)
    expect([...(cluster.opened.get('b')?.values() ?? [])]).toEqual([1])
    await cluster.send(keys)
    await cluster.settle()
    expectExactlyOnce(await cluster.counts(), 11)
  })

  test('one whose changelog begins later than it stands is wiped and filled anew', async () => {
    const cluster = new Cluster({ partitions: 1, settings: { standbyReplicas: 1 } })
    await cluster.join('a')
    await cluster.join('b')
    await cluster.send(keys)
    await cluster.settle()
    await spin(cluster.clock, 600)
    const standby = cluster.status('a').tasks === 0 ? 'a' : 'b'
    let failing = true
    cluster.group.onFetch = (answer) => {
      if (!failing || !answer.some(({ topic }) => topic === 'counter-counts-changelog')) return answer
      failing = false
      return answer.map((fetched) => ({ ...fetched, batches: Buffer.alloc(0), error: 'OFFSET_OUT_OF_RANGE' as const }))
    }
    await cluster.send(keys)
    await cluster.settle()
    for (let n = 0; n < 5; n++) await spin(cluster.clock, 600)
    expect(failing).toBe(false)
    expect(cluster.status(standby)).toMatchObject({ standbyTasks: 1, standbyLag: 0 })
    await cluster.leave(standby === 'a' ? 'b' : 'a')
    await cluster.send(keys)
    await cluster.settle()
    expectExactlyOnce(await cluster.counts(), 3)
  })

  test('one whose database has met damage is wiped and filled anew; it does not hold the buffers full (SB5, S8)', async () => {
    const cluster = new Cluster({ partitions: 1, settings: { standbyReplicas: 1 } })
    const damaged = new Set<string>()
    const disk = (id: string): StateDatabaseSupplier => {
      const inner = memoryDatabases()
      return override(inner, {
        open: async (path) => {
          const database = await inner.open(path)
          const write: StateDatabase['write'] = (rows, positions) =>
            damaged.has(id)
              ? Promise.reject(new StateError('STATE_CORRUPT', `${path}: block checksum mismatch`, 'restore'))
              : database.write(rows, positions)
          return override(database, { write })
        },
        wipe: (path) => (damaged.delete(id), inner.wipe(path)),
      })
    }
    await cluster.join('a', { databases: disk('a') })
    await cluster.join('b', { databases: disk('b') })
    await cluster.send(keys)
    await cluster.settle()
    await spin(cluster.clock, 600)
    const standby = cluster.status('a').tasks === 0 ? 'a' : 'b'
    damaged.add(standby)
    await cluster.send(keys)
    await cluster.settle()
    for (let n = 0; n < 20; n++) await spin(cluster.clock, 600)
    expect([...damaged]).toEqual([])
    expect(cluster.status(standby)).toMatchObject({ standbyTasks: 1, standbyLag: 0 })
    expect(cluster.drivers.get(standby)?.notices.join('\n')).toContain('wiped and restored')
    await cluster.leave(standby === 'a' ? 'b' : 'a')
    await cluster.send(keys)
    await cluster.settle()
    expectExactlyOnce(await cluster.counts(), 3)
  })

  test('one that breaks in the moment when it takes over is opened anew, and the application goes on (SB2)', async () => {
    const clock = new HandClock(t0)
    const log = openMemoryLog({ clock, random })
    const topics = ['app-a-changelog', 'app-b-changelog']
    await log.createTopics(topics.map((name) => ({ name, partitions: 1, config: {} })))
    const rows = Array.from({ length: 2500 }, (_, n) => ({ key: `k${n}`, value: 'v', timestamp: t0 }))
    await sendBatch(log, { topic: 'app-a-changelog' }, rows)
    const stores = ['a', 'b'].map((name) => ({ name, logged: true }))
    const state = TaskState.open({ database: await memoryDatabases().open('app/main_0'), stores })
    const part = { stores } as unknown as SubTopology
    const readings = await readingsOf({ log, application: 'app', part, partition: 0, state, now: () => clock.now() })
    const failing = override(log, {
      fetch: async (request) =>
        (await log.fetch(request)).map((fetched) =>
          fetched.topic === 'app-b-changelog' ? { ...fetched, error: 'NOT_LEADER_OR_FOLLOWER' as const } : fetched,
        ),
    })
    const broken: unknown[] = []
    const taken: Promise<StandbyTask | null>[] = []
    const standbys = new StandbyTasks({
      log: failing,
      clock,
      settings: defaultRuntimeSettings,
      budget: new StateBudget({ bytes: 1 << 30, flushBytes: 1 << 30, flushMs: 1e9, now: () => clock.now() }),
      // It has put the first 2000 rows and is about to let others have their turn.
      crash: () => {
        if (taken.length === 0) taken.push(standbys.remove('main_0'))
      },
      caughtUp: () => undefined,
      broken: (_, error) => broken.push(error),
    })
    standbys.add(new StandbyTask('main_0', state, readings, false))
    for (let n = 0; n < 5; n++) await spin(clock)
    expect(broken).toMatchObject([{ code: 'NOT_LEADER_OR_FOLLOWER' }])
    expect(await Promise.all(taken)).toEqual([null])
  })
})

describe('what a worker may do when', () => {
  /** One member whose listener the test calls itself. */
  async function alone(settings: Partial<RuntimeSettings> = {}, change: (log: Log) => Partial<Log> = () => ({})) {
    const clock = new HandClock(t0)
    const inner = openMemoryLog({ clock, random })
    let listener: RebalanceListener | undefined
    const log = override(inner, {
      joinGroup: (options) => {
        listener = options.listener
        return inner.joinGroup(options)
      },
      ...change(inner),
    })
    const driver = await start({ topologies: [countProgram()], clock, log, partitions: 2, settings })
    if (listener === undefined) throw new Error('it did not join')
    return { clock, driver, listener, log: inner, status: () => driver.worker.applications[0]?.status() }
  }

  test('nothing is committed while the generation is unknown; work goes on up to a bound (W6)', async () => {
    const { clock, driver, listener, status } = await alone({ transactionMaxBytes: 4000 })
    await listener.joining?.()
    for (let n = 0; n < 200; n++) await send(driver, 'words', `t|${n}`, 'x')
    for (let n = 0; n < 20; n++) await spin(clock, 100)
    expect(status()?.commits).toBe(0)
    expect(status()?.processed).toBeGreaterThan(5)
    expect(status()?.processed).toBeLessThan(200)
    await listener.assigned([], Buffer.alloc(0))
    await driver.settle()
    expect(status()?.processed).toBe(200)
    expect(await driver.read('counts-out')).toHaveLength(200)
  })

  test('a task that restores does not hold up those that run (W8, RS5)', async () => {
    const restoring = Promise.withResolvers<void>()
    const hold = (inner: Log): Partial<Log> => ({
      listOffsets: async (partitions, which) => {
        if (partitions.some(({ topic, partition }) => topic.endsWith('-changelog') && partition === 1))
          await restoring.promise
        return inner.listOffsets(partitions, which)
      },
    })
    const clock = new HandClock(t0)
    const inner = openMemoryLog({ clock, random })
    const log = override(inner, hold(inner))
    const starting = start({ topologies: [countProgram()], clock, log, partitions: 2 })
    const producer = await TopologyDriver.start({ topologies: [], log: inner, clock })
    await turns()
    for (const key of keys) await send(producer, 'words', key, 'x')
    for (let n = 0; n < 5; n++) await spin(clock)
    const early = await producer.read('counts-out')
    expect(new Set(early.map(({ key }) => partitionFor(key as Buffer, 2)))).toEqual(new Set([0]))
    restoring.resolve()
    const driver = await turnedUntil(clock, starting)
    await driver.settle()
    expect(await driver.read('counts-out')).toHaveLength(keys.length)
  })

  test('fenced once it goes back and goes on; again and again it has a double, and stops with one line (W9)', async () => {
    const { clock, driver, log, status } = await alone()
    const fence = async (): Promise<void> => {
      const session = await log.openProducer({ transactionalId: 'counter-driver-0', transactionTimeoutMs: 1000 })
      await session.close()
    }
    await fence()
    await send(driver, 'words', 'a|k', 'x')
    await driver.settle()
    expect(status()?.state).toBe('running')
    for (let n = 0; n < 5; n++) {
      await fence()
      await send(driver, 'words', 'a|k', 'x')
      for (let m = 0; m < 5; m++) await spin(clock, 100)
    }
    expect(status()?.state).toBe('failed')
    expect(driver.failures).toHaveLength(1)
    expect(driver.failures[0]).toMatchObject({ code: 'TASK_MIGRATED' })
    expect(driver.failures[0]?.message).toContain('another process runs under the same id (driver)')
  })

  test('the end of the session for good is one line', async () => {
    const { driver, listener, status, clock } = await alone()
    await listener.lost()
    listener.failed?.(new LogError('FENCED_INSTANCE_ID', 'instance x is another member', 'stop'))
    await spin(clock)
    expect(status()?.state).toBe('failed')
    expect(driver.failures.map(({ message }) => message)).toEqual([
      'application "counter": another process runs under the same id (driver): FENCED_INSTANCE_ID: instance x is another member',
    ])
  })
})
