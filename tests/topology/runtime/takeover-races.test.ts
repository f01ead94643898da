/** Assignments that change while tasks open or go back, and what is left of them: nothing open, nothing half done. */

import { describe, expect, test } from 'vitest'
import type { Log, RebalanceListener, TopicPartition } from '../../../connectors/kafka/index.ts'
import { LogError, openMemoryLog, partitionFor } from '../../../connectors/kafka/index.ts'
import type { StateDatabaseSupplier } from '../../../state-stores/index.ts'
import { StateError, memoryDatabases } from '../../../state-stores/index.ts'
import type { RuntimeSettings, Topology } from '../../../topology/index.ts'
import { HandClock } from '../../../topology/testing/index.ts'
import { EngineBug } from '../../../topology/runtime/invariant.ts'
import { lasting } from './cluster.ts'
import { override, pairs, random, send, spin, t0, useDrivers } from './harness.ts'
import { countProgram, deadlineProgram } from './programs.ts'

const { start } = useDrivers()

/** One key for each of two partitions. */
const keys = [0, 1].map(
  (partition) =>
    Array.from({ length: 9 }, (_, n) => `t|${n}`).find((key) => partitionFor(Buffer.from(key), 2) === partition) ?? '',
)
const [first = '', second = ''] = keys
const partitions: readonly TopicPartition[] = [0, 1].map((partition) => ({ topic: 'words', partition }))

interface Change {
  readonly topology?: Topology
  readonly settings?: Partial<RuntimeSettings>
  readonly databases?: StateDatabaseSupplier
  readonly log?: (inner: Log) => Partial<Log>
}

/** One member whose listener the test calls itself. */
async function alone({
  topology = countProgram(),
  settings = {},
  databases = memoryDatabases(),
  log: change = () => ({}),
}: Change = {}) {
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
  const driver = await start({ topologies: [topology], clock, log, databases, partitions: 2, settings })
  if (listener === undefined) throw new Error('it did not join')
  const status = () => {
    const found = driver.worker.applications[0]?.status()
    if (found === undefined) throw new Error('no application')
    return found
  }
  return { clock, driver, listener, status }
}

async function counts(driver: Awaited<ReturnType<typeof alone>>['driver']): Promise<string[]> {
  return pairs(await driver.read('counts-out')).sort()
}

describe('a membership that is lost', () => {
  test('while the worker goes back to its last commit: no task goes on in secret, its state is closed (W9, W8)', async () => {
    let fails = false
    let opens = Promise.resolve()
    const { clock, driver, listener, status } = await alone({
      log: (inner) => ({
        fetch: async (request) => {
          if (!fails || request.partitions.some(({ topic }) => topic !== 'words')) return inner.fetch(request)
          fails = false
          throw new LogError('TIMEOUT', 'the fetch was not answered', 'retry')
        },
        openProducer: async (options) => {
          if (options.transactionalId !== null) await opens
          return inner.openProducer(options)
        },
      }),
    })
    for (const key of keys) await send(driver, 'words', key, 'x')
    await driver.settle()
    const reached = Promise.withResolvers<void>()
    opens = reached.promise
    fails = true
    for (let n = 0; n < 30; n++) await spin(clock, 100)
    expect(fails).toBe(false)
    const lost = listener.lost()
    await spin(clock, 100)
    reached.resolve()
    await spin(clock, 100)
    await lost
    await listener.assigned(partitions, Buffer.alloc(0))
    for (const key of keys) await send(driver, 'words', key, 'x')
    for (let n = 0; n < 50; n++) await spin(clock, 100)
    expect(driver.notices.filter((line) => line.includes('STATE_LOCKED'))).toEqual([])
    expect(status()).toMatchObject({ state: 'running', tasks: 2 })
    expect(await counts(driver)).toEqual([`${first}=1`, `${first}=2`, `${second}=1`, `${second}=2`].sort())
  })
})
describe('a task that opens while the others end', () => {
  test('commits with a session of its own: that of the failed commit is gone (W1, W5)', async () => {
    const restored = Promise.withResolvers<void>()
    let refuse = false
    let opens = Promise.resolve()
    let slow = false
    const { clock, driver, listener, status } = await alone({
      log: (inner) => ({
        committedOffsets: async (group, of, timeoutMs) => {
          if (slow && of.some(({ partition }) => partition === 1)) await restored.promise
          return inner.committedOffsets(group, of, timeoutMs)
        },
        openProducer: async (options) => {
          if (options.transactionalId !== null) await opens
          const session = await inner.openProducer(options)
          return override(session, {
            sendOffsets: async (group, offsets) => {
              if (!refuse) return session.sendOffsets(group, offsets)
              refuse = false
              throw new LogError('ILLEGAL_GENERATION', 'the group went on', 'stop')
            },
          })
        },
      }),
    })
    await send(driver, 'words', first, 'x')
    await send(driver, 'words', second, 'x')
    await driver.settle()
    // The second task moves away and comes back: it opens slowly.
    await listener.revoked(partitions.slice(1))
    slow = true
    await listener.assigned(partitions.slice(1), Buffer.alloc(0))
    const reached = Promise.withResolvers<void>()
    opens = reached.promise
    refuse = true
    await send(driver, 'words', first, 'x')
    for (let n = 0; n < 10; n++) await spin(clock, 50)
    expect(refuse).toBe(false)
    restored.resolve()
    await send(driver, 'words', second, 'x')
    const assigned = listener.assigned([], Buffer.alloc(0))
    for (let n = 0; n < 20; n++) await spin(clock, 50)
    reached.resolve()
    await spin(clock, 50)
    await assigned
    for (let n = 0; n < 50; n++) await spin(clock, 100)
    expect(driver.failures).toEqual([])
    expect(status()).toMatchObject({ state: 'running', tasks: 2 })
    expect(await counts(driver)).toEqual([`${first}=1`, `${first}=2`, `${second}=1`, `${second}=2`].sort())
  })
})
describe('a state that cannot be closed', () => {
  test('keeps no other task at work when the membership was lost: every record counts once (W9, I2)', async () => {
    const inner = lasting()
    let failures = 0
    const databases = override(inner, {
      open: async (path) => {
        const database = await inner.open(path)
        const close = async (): Promise<void> => {
          await database.close()
          if (failures-- > 0) throw new StateError('STATE_IO', `${path}: close failed`, 'retry')
        }
        return override(database, { close })
      },
    })
    const { clock, driver, listener, status } = await alone({ databases })
    for (const key of keys) await send(driver, 'words', key, 'x')
    await driver.settle()
    await listener.joining?.()
    for (const key of keys) await send(driver, 'words', key, 'x')
    for (let n = 0; n < 10; n++) await spin(clock, 50)
    expect(status().processed).toBe(4)
    failures = 1
    await listener.lost()
    expect(failures).toBeLessThanOrEqual(0)
    expect(status().tasks).toBe(0)
    await listener.assigned(partitions, Buffer.alloc(0))
    for (let n = 0; n < 20; n++) await spin(clock, 50)
    expect(driver.failures).toEqual([])
    expect(await counts(driver)).toEqual([`${first}=1`, `${first}=2`, `${second}=1`, `${second}=2`].sort())
    expect(driver.notices.join('\n')).toContain('close failed')
  })
})

describe('a task that takes over an open state', () => {
  test('has started when it has opened: what came due meanwhile waits out the grace (R6, T4)', async () => {
    const opened = Promise.withResolvers<void>()
    let slow = false
    const { clock, driver, listener } = await alone({
      topology: deadlineProgram(),
      settings: { timerRestartGraceMs: 20_000 },
      log: (inner) => ({
        committedOffsets: async (group, of, timeoutMs) => {
          if (slow) await opened.promise
          return inner.committedOffsets(group, of, timeoutMs)
        },
      }),
    })
    const orders = partitions.map(({ partition }) => ({ topic: 'orders', partition }))
    const late = async (): Promise<string[]> =>
      pairs(await driver.read('verdicts')).filter((pair) => pair.includes('late'))
    await send(driver, 'orders', first, 'arm 60000', t0)
    await driver.settle()
    await listener.revoked(orders)
    slow = true
    await listener.assigned(orders, Buffer.alloc(0))
    for (let n = 0; n < 100; n++) await spin(clock, 1000)
    opened.resolve()
    for (let n = 0; n < 15; n++) await spin(clock, 1000)
    expect(await late()).toEqual([])
    for (let n = 0; n < 10; n++) await spin(clock, 1000)
    expect(await late()).toHaveLength(1)
  })
})

describe('a bug', () => {
  test('met while a task is given up stops the application: the task would go on in two places (W9, I10)', async () => {
    let bug = false
    const { clock, driver, listener, status } = await alone({
      log: (inner) => ({
        openProducer: async (options) => {
          const session = await inner.openProducer(options)
          return override(session, {
            sendOffsets: (group, offsets) =>
              bug ? Promise.reject(new EngineBug('planted')) : session.sendOffsets(group, offsets),
          })
        },
      }),
    })
    for (const key of keys) await send(driver, 'words', key, 'x')
    await driver.settle()
    await listener.joining?.()
    for (const key of keys) await send(driver, 'words', key, 'x')
    for (let n = 0; n < 5; n++) await spin(clock, 50)
    bug = true
    // A group session notes that its listener failed, and goes on.
    await listener.revoked(partitions.slice(1)).catch(() => undefined)
    bug = false
    for (let n = 0; n < 10; n++) await spin(clock, 50)
    expect(status().state).toBe('failed')
    expect(driver.failures).toMatchObject([{ message: 'planted' }])
  })
})
