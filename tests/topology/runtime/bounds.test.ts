/** What is bounded, end to end: bytes on the way, dead letters, and what an abort may leave in the layers of the state. */

import { describe, expect, test } from 'vitest'
import type { Log } from '../../../connectors/kafka/index.ts'
import { openMemoryLog, partitionFor } from '../../../connectors/kafka/index.ts'
import type { Row } from '../../../state-stores/index.ts'
import { StateBudget, memoryDatabases } from '../../../state-stores/index.ts'
import { Worker, defaultRuntimeSettings } from '../../../topology/index.ts'
import { Membership } from '../../../topology/runtime/membership.ts'
import { HandClock } from '../../../topology/testing/index.ts'
import { override, pairs, random, send, sendBatch, spin, t0, turnedUntil, useDrivers } from './harness.ts'
import { countProgram, emitProgram, out } from './programs.ts'
import type { Call, Trouble } from './troubled-log.ts'
import { troubledLog } from './troubled-log.ts'

const { start } = useDrivers()

describe('back-pressure', () => {
  test('a log that is slow to take outputs holds up the fetching: what is on the way stays bounded (F1, W4)', async () => {
    const clock = new HandClock(t0)
    const inner = openMemoryLog({ clock, random })
    const echo = emitProgram(({ key, value, timestamp }) => [out(key, value, timestamp)])
    const settings = { bufferBytesPerPartition: 10_000, fetchMaxBytes: 200_000, transactionMaxBytes: 30_000 }
    const valueBytes = 1000
    await inner.createTopics([{ name: 'in', partitions: 2, config: {} }])
    for (let batch = 0; batch < 300; batch++) {
      const records = Array.from({ length: 10 }, (_, n) => ({ key: `t|${n}`, value: 'v'.repeat(valueBytes), timestamp: t0 })) // prettier-ignore
      await sendBatch(inner, { topic: 'in', partition: batch % 2 }, records)
    }
    const running: Worker[] = []
    let fetchedBytes = 0
    let mostOnTheWay = 0
    let most = 0
    const processed = (): number => running[0]?.applications[0]?.status().processed ?? 0
    const onTheWay = (): number => fetchedBytes - processed() * valueBytes
    const log: Log = override(inner, {
      fetch: async (request) => {
        const answer = await inner.fetch(request)
        if (request.partitions[0]?.topic === 'in') fetchedBytes += answer.reduce((sum, { batches }) => sum + batches.length, 0) // prettier-ignore
        mostOnTheWay = Math.max(mostOnTheWay, onTheWay())
        return answer
      },
      openProducer: async (options) => {
        const session = await inner.openProducer(options)
        return override(session, {
          append: async (batches) => {
            most = Math.max(
              most,
              batches.reduce((sum, { records }) => sum + records.sizeBytes, 0),
            )
            await new Promise<void>((resolve) => void clock.after(300, resolve))
            return session.append(batches)
          },
        })
      },
    })
    const driver = await start({ topologies: [echo], clock, log, settings })
    running.push(driver.worker)
    for (let n = 0; n < 400 && processed() < 3000; n++) {
      await spin(clock, 50)
    }
    await driver.settle()
    expect(await driver.read('out')).toHaveLength(3000)
    // Each partition: its bound, one answer past it, and headers; one check of records past the transaction's bound.
    expect(mostOnTheWay).toBeLessThan(2 * (10_000 + 200_000 + 12_000))
    expect(mostOnTheWay).toBeGreaterThan(200_000)
    expect(most).toBeLessThan(30_000 + 2 * 64 * 1100)
  })
})

describe('dead letters past their rate (POISON_RATE)', () => {
  test('stop the application with one line; what went before stays committed', async () => {
    const driver = await start({ topologies: [countProgram()], settings: { deadLettersPerMinute: 5 } })
    for (let n = 0; n < 3; n++) await send(driver, 'words', `good|${n}`, 'x')
    await driver.settle()
    for (let n = 0; n < 10; n++) await send(driver, 'words', `bad|${n}`, 'reject')
    for (let n = 0; n < 20; n++) await spin(driver.clock, 20)
    expect(driver.worker.applications[0]?.state).toBe('failed')
    expect(driver.failures).toHaveLength(1)
    expect(driver.failures[0]).toMatchObject({ code: 'POISON_RATE' })
    expect(driver.failures[0]?.message).toContain('the last one for bad_value: not a word')
    expect(await driver.read('counts-out')).toHaveLength(3)
  })

  test('go on while they are the smaller part, and again in the next minute', async () => {
    const driver = await start({ topologies: [countProgram()], settings: { deadLettersPerMinute: 5 } })
    for (let minute = 0; minute < 3; minute++) {
      for (let n = 0; n < 24; n++)
        await send(driver, 'words', n % 3 === 0 ? `bad|${minute}-${n}` : `good|${n}`, n % 3 === 0 ? 'reject' : 'x')
      await driver.settle()
      await driver.clock.turnTo(driver.clock.now() + 61_000)
    }
    await driver.settle()
    expect(driver.failures).toEqual([])
    expect(await driver.read('words.dlq')).toHaveLength(24)
  })
})

describe('the two layers of several tasks under aborts', () => {
  test('the disk of each is at all times the fold of its committed changelog (state-stores S2, S4; W5)', async () => {
    const clock = new HandClock(t0)
    const troubled = troubledLog(openMemoryLog({ clock, random }), 'counter')
    const { log } = troubled
    const topics = ['words', 'counts-out'].map((name) => ({ name, partitions: 3, config: {} }))
    await log.createTopics(topics)
    const inner = memoryDatabases()
    const writes: { partition: number; rows: readonly Row[]; position: bigint }[] = []
    const databases = override(inner, {
      open: async (path) => {
        const database = await inner.open(path)
        return override(database, {
          write: (rows, positions) => {
            const copied = rows.filter(({ store }) => store === 'counts').map(({ store, key, value }) => ({ store, key, value })) // prettier-ignore
            writes.push({ partition: Number(path.at(-1)), rows: copied, position: positions.get('counts') ?? 0n })
            return database.write(rows, positions)
          },
        })
      },
    })
    const budget = new StateBudget({ bytes: 1e6, flushBytes: 200, flushMs: 300, now: () => clock.now() })
    const worker = new Worker({
      topologies: [countProgram()],
      log,
      databases,
      budget,
      clock,
      watch: () => performance.now(),
      settings: defaultRuntimeSettings,
      processId: 'test',
      workerIndex: 0,
      notice: () => undefined,
      failed: (error) => {
        throw error
      },
    })
    await turnedUntil(clock, worker.start())
    const keys = Array.from({ length: 12 }, (_, n) => `t|${n}`)
    const plans: readonly (readonly [Call, Trouble] | null)[] = [
      null,
      ['append', 'lost answer'],
      ['end', 'lost request'],
      null,
      ['sendOffsets', 'lost answer'],
      ['end', 'lost answer'],
    ]
    for (let round = 0; round < 18; round++) {
      const plan = plans[round % plans.length]
      if (plan !== null && plan !== undefined) troubled.failNext(...plan)
      for (const key of keys)
        await sendBatch(log, { topic: 'words', partition: partitionFor(Buffer.from(key), 3) }, [{ key, value: 'x', timestamp: t0 }]) // prettier-ignore
      for (let n = 0; n < 6; n++) await spin(clock, 60)
    }
    for (let n = 0; n < 20; n++) await spin(clock, 200)
    const reader = await start({ topologies: [], log, clock })
    const changelog = await reader.read('counter-counts-changelog')
    const counts = pairs(await reader.read('counts-out'))
    await turnedUntil(clock, worker.close())
    expect(troubled.failures).toBe(12)
    for (const key of keys) expect(counts.filter((pair) => pair.startsWith(`${key}=`))).toHaveLength(18)
    expect(writes.length).toBeGreaterThan(20)
    for (const partition of [0, 1, 2]) {
      const disk = new Map<string, string>()
      for (const write of writes.filter((one) => one.partition === partition)) {
        for (const { key, value } of write.rows) disk.set(key.toString(), String(value))
        const fold = changelog.filter((row) => row.partition === partition && row.offset < write.position)
        expect(disk).toEqual(new Map(fold.map(({ key, value }) => [String(key), String(value)])))
      }
    }
  })
})

describe('after a stall', () => {
  test('nothing is committed before a heartbeat had its time by the watch, unless the group speaks first (W10)', () => {
    let watch = 0
    const settings = { ...defaultRuntimeSettings, sessionTimeoutMs: 10_000, heartbeatIntervalMs: 3000 }
    const membership = new Membership(() => watch, settings)
    membership.rebalancing(true)
    membership.turn()
    watch += membership.turnEveryMs
    membership.turn()
    expect(membership.mayCommit).toBe(true)
    watch += 5001
    membership.turn()
    expect(membership.mayCommit).toBe(false)
    watch += 2999
    expect(membership.mayCommit).toBe(false)
    watch += 1
    expect(membership.mayCommit).toBe(true)
    watch += 60_000
    membership.turn()
    membership.rebalancing(true)
    expect(membership.mayCommit).toBe(true)
  })
})
