/** Consumed repartition records: only what was committed goes (U1), at its interval (U2), and trouble with it is no other's (U3). */

import { describe, expect, test } from 'vitest'
import { LogError, openMemoryLog, partitionFor } from '../../../connectors/kafka/index.ts'
import type { Log } from '../../../connectors/kafka/index.ts'
import type { Topology } from '../../../topology/index.ts'
import { TopologyBuilder, repartitionTopic } from '../../../topology/index.ts'
import type { DriverOptions, TopologyDriver } from '../../../topology/testing/index.ts'
import { HandClock } from '../../../topology/testing/index.ts'
import { override, pairs, random, send, spin, t0, useDrivers } from './harness.ts'
import { out, text } from './programs.ts'

const between = repartitionTopic('regroup', 'by-value')
const place = { topic: between, partition: 0 }
const intervalMs = 30_000

/** Sends each record to the key that is its value; there a call is made with it. */
function regroupProgram(call: (value: string) => Promise<string>): Topology {
  return new TopologyBuilder('regroup')
    .source('in', { topic: 'words', ...text })
    .part('route', { source: 'in' })
    .processor('route', {
      parents: ['in'],
      supplier: () => ({
        process: (record, context) =>
          context.forward(out(record.value as string, record.key as string, record.timestamp)),
      }),
    })
    .repartition('by-value')
    .sink('to', { parents: ['route'], topics: ['by-value'], ...text })
    .source('grouped', { topic: 'by-value', ...text })
    .part('calls', { source: 'grouped' })
    .store('done', { kind: 'done' })
    .store('waiting', { kind: 'waiting' })
    .async<string, string>('call', {
      parents: ['grouped'],
      doneStore: 'done',
      waitingStore: 'waiting',
      operator: {
        concurrency: 4,
        timeoutMs: 600_000,
        key: text.key,
        value: text.value,
        lane: (record) => record.key as string,
        notBefore: () => 0,
        limit: () => null,
        call: (record) => call(record.value),
        answered: (record, answer, context) => context.forward(out(record.key as string, answer, context.now())),
      },
    })
    .sink('out', { parents: ['call'], topics: ['answers'], ...text })
    .build()
}

const answering = (): Topology => regroupProgram((value) => Promise.resolve(`${value}!`))

async function logStart(log: Log): Promise<bigint | undefined> {
  return (await log.listOffsets([place], 'earliest'))[0]
}

async function committed(log: Log): Promise<bigint | undefined> {
  return (await log.committedOffsets('regroup', [place]))[0]?.offset
}

describe('consumed repartition records', () => {
  const drivers = useDrivers()
  const start = (more: Partial<DriverOptions> = {}): Promise<TopologyDriver> =>
    drivers.start({ topologies: [answering()], now: t0, ...more })

  test('are dropped after the interval, up to what is committed, and the next run goes on (U1, U2)', async () => {
    const driver = await start()
    await send(driver, 'words', 'a', 'x')
    await driver.settle()
    const before = await committed(driver.log)
    expect(await logStart(driver.log)).toBe(0n)
    await driver.advance(intervalMs)
    await send(driver, 'words', 'b', 'x')
    await driver.settle()
    expect(await logStart(driver.log)).toBe(before)
    expect(pairs(await driver.read(between))).toEqual(['x=b'])
    await send(driver, 'words', 'c', 'x')
    await driver.settle()
    expect(pairs(await driver.read(between))).toEqual(['x=b', 'x=c'])
    const next = await drivers.restart(driver, { topologies: [answering()] })
    await send(next, 'words', 'd', 'x')
    await next.settle()
    expect(pairs(await next.read('answers'))).toEqual(['x=a!', 'x=b!', 'x=c!', 'x=d!'])
  })

  test('stay from the first on that is not done yet (U1)', async () => {
    const slow = Promise.withResolvers<string>()
    const calls = regroupProgram((value) => (value === 'slow' ? slow.promise : Promise.resolve(`${value}!`)))
    const driver = await start({ topologies: [calls] })
    const { clock, log } = driver
    await send(driver, 'words', 'a', 'x')
    await driver.settle()
    await send(driver, 'words', 'slow', 'y')
    await send(driver, 'words', 'b', 'x')
    await spin(clock, intervalMs)
    await send(driver, 'words', 'c', 'x')
    await spin(clock, 1_000)
    await spin(clock, 1_000)
    expect(pairs(await driver.read('answers'))).toEqual(['x=a!', 'x=b!', 'x=c!'])
    expect(await logStart(log)).toBe(await committed(log))
    expect(pairs(await driver.read(between))).toEqual(['y=slow', 'x=b', 'x=c'])
    slow.resolve('at last')
    await driver.settle()
  })

  test('stay when no interval is set', async () => {
    const driver = await start({ settings: { repartitionPurgeIntervalMs: null } })
    for (const key of ['a', 'b']) {
      await send(driver, 'words', key, 'x')
      await driver.advance(2 * intervalMs)
    }
    expect(pairs(await driver.read(between))).toEqual(['x=a', 'x=b'])
  })

  test('stay while the log refuses, which is told once and stops nothing; the next purge has them all (U3)', async () => {
    const clock = new HandClock(t0)
    const inner = openMemoryLog({ clock, random })
    let asked = 0
    let refuses = true
    const log = override(inner, {
      deleteRecords: (before) => {
        asked++
        if (refuses) return Promise.reject(new LogError('TOPIC_AUTHORIZATION_FAILED', 'deletion of it', 'stop'))
        return inner.deleteRecords(before)
      },
    })
    const driver = await start({ log, clock })
    for (const key of ['a', 'b', 'c']) {
      await send(driver, 'words', key, 'x')
      await driver.advance(intervalMs)
    }
    expect(asked).toBe(2)
    expect(driver.notices.filter((line) => line.includes('stay for now'))).toEqual([
      'application "regroup": consumed repartition records stay for now: TOPIC_AUTHORIZATION_FAILED: deletion of it',
    ])
    expect(pairs(await driver.read('answers'))).toEqual(['x=a!', 'x=b!', 'x=c!'])
    refuses = false
    await send(driver, 'words', 'd', 'x')
    await driver.settle()
    expect(pairs(await driver.read(between))).toEqual(['x=d'])
  })

  test('that a refusal left are dropped with the next, also where nothing came since (U3)', async () => {
    const clock = new HandClock(t0)
    const inner = openMemoryLog({ clock, random })
    let refusals = 1
    const log = override(inner, {
      deleteRecords: (before) =>
        refusals-- > 0
          ? Promise.reject(new LogError('NOT_LEADER_OR_FOLLOWER', 'deletion of it', 'retry'))
          : inner.deleteRecords(before),
    })
    const driver = await start({ log, clock, partitions: 2 })
    const valueFor = (partition: number): string =>
      [...'abcdefgh'].find((value) => partitionFor(Buffer.from(value), 2) === partition)!
    const [quiet, busy] = [valueFor(0), valueFor(1)]
    await send(driver, 'words', 'a', quiet)
    for (const key of ['b', 'c', 'd']) {
      await driver.advance(intervalMs)
      await send(driver, 'words', key, busy)
    }
    await driver.settle()
    expect(refusals).toBeLessThan(0)
    expect(pairs(await driver.read(between))).not.toContain(`${quiet}=a`)
  })

  test('are asked for once at a time (U2)', async () => {
    const clock = new HandClock(t0)
    const inner = openMemoryLog({ clock, random })
    const asked: (() => void)[] = []
    const log = override(inner, {
      deleteRecords: async (before) => {
        await new Promise<void>((resolve) => asked.push(resolve))
        await inner.deleteRecords(before)
      },
    })
    const driver = await start({ log, clock })
    for (const key of ['a', 'b', 'c']) {
      await driver.advance(intervalMs)
      await send(driver, 'words', key, 'x')
      await driver.settle()
    }
    expect(asked).toHaveLength(1)
    asked[0]?.()
    await driver.advance(intervalMs)
    await send(driver, 'words', 'd', 'x')
    await driver.settle()
    expect(asked).toHaveLength(2)
    asked[1]?.()
    await driver.advance(1)
    expect(pairs(await driver.read(between))).toEqual(['x=d'])
  })
})
