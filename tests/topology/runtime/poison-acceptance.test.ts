/**
 * One bad record in 50 among 10,000 (R5, B1-B3): two tenants, three partitions, every kind of poison. The good ones keep
 * their order per key, blocked keys are listed exactly, redrive takes them in order, and nothing is lost:
 * consumed = processed + dead-lettered + set aside.
 */

import { describe, expect, test } from 'vitest'
import type { Log } from '../../../connectors/kafka/index.ts'
import { openMemoryLog, RecordBatchBuilder } from '../../../connectors/kafka/index.ts'
import { memoryDatabases } from '../../../state-stores/index.ts'
import type { RuntimeSettings } from '../../../topology/index.ts'
import type { ReadRecord } from '../../../topology/testing/index.ts'
import { HandClock, TopologyDriver } from '../../../topology/testing/index.ts'
import { seeded } from '../../../deploy/chaos/seeded.ts'
import { header, pairs, random, spin, t0, turnedUntil, useDrivers } from './harness.ts'
import { mortalLog } from './mortal-log.ts'
import type { Given } from './poison-program.ts'
import {
  finalOutputs,
  isBad,
  kinds,
  modelOf,
  partitionOf,
  partitions,
  poisonProgram,
  reasons,
} from './poison-program.ts'

const { start } = useDrivers()

const total = 10_000
const accounts = 250

/** `kind n` for a bad record, `ok n` for a good one; keys and kinds drawn from a seed. */
function records(count: number, seed: number, first = 0): Given[] {
  const draw = seeded(seed)
  return Array.from({ length: count }, (_, index) => {
    const n = first + index
    const tenant = draw() < 0.5 ? 'a' : 'b'
    const account = Math.floor(draw() * accounts)
    const kind = n % 50 === 49 ? kinds[Math.floor(n / 50) % kinds.length] : undefined
    const key = Buffer.from(`${tenant}|${account}`)
    const value = Buffer.from(`${kind ?? 'ok'} ${n}`)
    const undecodable = (bytes: Buffer): Buffer => Buffer.concat([Buffer.of(0xff, 0xfe), bytes])
    return {
      key: kind === 'bad_key' ? undecodable(key) : key,
      value: kind === 'bad_value' ? undecodable(value) : value,
      timestamp: t0 + n,
    }
  })
}

async function sendAll(log: Log, given: readonly Given[]): Promise<void> {
  const session = await log.openProducer({ transactionalId: null, transactionTimeoutMs: 60_000 })
  for (let at = 0; at < given.length; at += 500) {
    const batches = new Map<number, RecordBatchBuilder>()
    for (const { key, value, timestamp } of given.slice(at, at + 500)) {
      const batch = batches.get(partitionOf(key)) ?? new RecordBatchBuilder()
      batches.set(partitionOf(key), batch)
      batch.append(timestamp, key, value)
    }
    await session.append([...batches].map(([partition, batch]) => ({ topic: 'in', partition, records: batch })))
  }
  await session.close()
}

async function newLog(clock: HandClock): Promise<Log> {
  const log = openMemoryLog({ clock, random })
  await log.createTopics(['in', 'out', 'other'].map((name) => ({ name, partitions, config: {} })))
  return log
}

const application = (driver: TopologyDriver) => {
  const found = driver.worker.application('poisoned')
  if (found === undefined) throw new Error('the application runs')
  return found
}

const ofPartition = (read: readonly ReadRecord[], partition: number): ReadRecord[] =>
  read.filter((record) => record.partition === partition)

/** By key, Latin-1: its outputs in order. */
async function outputsByKey(driver: TopologyDriver): Promise<Map<string, string[]>> {
  const read = await driver.read('out')
  const keyed = new Map<string, string[]>()
  for (const record of read) {
    const id = record.key?.toString('latin1') ?? ''
    keyed.set(id, [...(keyed.get(id) ?? []), pairs([record])[0] ?? ''])
  }
  return keyed
}

/** Original bytes and place of every dead letter, sorted. */
async function deadPlaces(driver: TopologyDriver): Promise<string[]> {
  const dead = await driver.read('in.dlq')
  return dead.map((record) => `${header(record, 'dlq-topic')}-${header(record, 'dlq-partition')}@${header(record, 'dlq-offset')}`).sort() // prettier-ignore
}

/** What `badPlaces` of a whole input must be in the end: each bad record stands in the dead-letter topic once. */
function badPlaces(given: readonly Given[]): string[] {
  const next = new Array<number>(partitions).fill(0)
  const places: string[] = []
  for (const record of given) {
    const partition = partitionOf(record.key)
    const offset = next[partition] ?? 0
    next[partition] = offset + 1
    if (isBad(record, false)) places.push(`in-${partition}@${offset}`)
  }
  return places.sort()
}

/** Keys of all that is blocked, as an operator has them: from the dead letters. */
async function blockedKeys(driver: TopologyDriver): Promise<Buffer[]> {
  const keys = new Map<string, Buffer>()
  for (const { key } of await driver.read('in.dlq')) if (key !== null) keys.set(key.toString('latin1'), key)
  return [...keys.values()]
}

/** Redrives every blocked key until it is free; what fails again is skipped. */
async function redriveAll(driver: TopologyDriver, between: () => Promise<void> = async () => undefined): Promise<void> {
  for (const key of await blockedKeys(driver)) {
    let left = await application(driver).redrive(key, { skipFirst: false })
    while (left > 0) left = await application(driver).redrive(key, { skipFirst: true })
    await between()
  }
  await driver.settle()
}

describe('one bad record in 50 among 10,000', () => {
  test('order of the good ones per key, dead letters with their bytes, exact blocked keys; then redriven (R5, B1, B2)', async () => {
    let broken = true
    const clock = new HandClock(t0)
    const log = await newLog(clock)
    const driver = await start({ topologies: [poisonProgram(() => broken)], clock, log })
    const given = records(total, 1)
    await sendAll(log, given)
    await driver.settle()

    const model = modelOf(given, true)
    const out = await driver.read('out')
    const dead = await driver.read('in.dlq')
    for (let partition = 0; partition < partitions; partition++) {
      expect(pairs(ofPartition(out, partition))).toEqual(model.outputs[partition])
      const expected = model.dead[partition] ?? []
      const actual = ofPartition(dead, partition)
      expect(actual.map(({ key, value }) => [key, value])).toEqual(expected.map(({ record: { key, value } }) => [key, value])) // prettier-ignore
      expect(actual.map((record) => ['dlq-topic', 'dlq-partition', 'dlq-offset', 'dlq-reason'].map((name) => header(record, name)))).toEqual(expected.map(({ kind, offset }) => ['in', String(partition), String(offset), reasons[kind]])) // prettier-ignore
    }
    expect(new Set(model.dead.flat().map(({ kind }) => kind))).toEqual(new Set(kinds))
    const listed = application(driver).blocked().map(({ reason, partition, offset, count }) => `${partition}@${offset} ${reason} ${count}`) // prettier-ignore
    const wanted = [...model.blocked.values()].map(({ kind, partition, offset, waiting }) => `${partition}@${offset} ${reasons[kind]} ${waiting.length}`) // prettier-ignore
    expect(listed.sort()).toEqual(wanted.sort())
    const status = application(driver).status()
    expect(status.processed).toBe(total)
    expect(out.length + status.deadLetters + status.setAside).toBe(total)
    expect(await driver.read('other')).toEqual([])

    broken = false
    await redriveAll(driver)
    expect(application(driver).blocked()).toEqual([])
    expect(await outputsByKey(driver)).toEqual(finalOutputs(given))
    const flaky = model.dead.flat().filter(({ kind }) => kind === 'flaky').map(({ partition, offset }) => `in-${partition}@${offset}`) // prettier-ignore
    expect(await deadPlaces(driver)).toEqual([...badPlaces(given), ...flaky].sort())
  }, 60_000)

  const moments = (['append', 'sendOffsets', 'end'] as const).flatMap((call) =>
    (['before', 'after'] as const).map((moment) => [moment, call] as const),
  )

  test.each(moments)(
    'killed %s %s of a commit with dead letters: they move with the offset, each stands there once (R5)',
    async (moment, call) => {
      const clock = new HandClock(t0)
      const log = await newLog(clock)
      const mortal = mortalLog(log, 'poisoned')
      const topologies = [poisonProgram(() => true)]
      const settings = { fetchMaxBytes: 4_096, commitIntervalMs: 10 }
      // Not closed after the test: a dead process does not close.
      const killed = await TopologyDriver.start({ topologies, clock, log: mortal.log, settings })
      const given = records(2_000, 5)
      await sendAll(log, given.slice(0, 1_000))
      await killed.settle()
      mortal.killAt(call, moment)
      await sendAll(log, given.slice(1_000))
      for (let n = 0; n < 20 && !mortal.isDead; n++) await spin(clock, 100)
      expect(mortal.isDead).toBe(true)
      const again = await turnedUntil(clock, start({ topologies, clock, log, databases: memoryDatabases() }))
      await again.settle()
      const model = modelOf(given, true)
      const dead = await again.read('in.dlq')
      for (let partition = 0; partition < partitions; partition++)
        expect(ofPartition(dead, partition).map((record) => header(record, 'dlq-offset'))).toEqual((model.dead[partition] ?? []).map(({ offset }) => String(offset))) // prettier-ignore
      expect(application(again).blocked()).toHaveLength(model.blocked.size)
    },
    60_000,
  )

  test('redriven while new records arrive, poison among them: order per key, nothing lost (B1, B2)', async () => {
    let broken = true
    const clock = new HandClock(t0)
    const log = await newLog(clock)
    const driver = await start({ topologies: [poisonProgram(() => broken)], clock, log })
    const given = records(2_000, 2)
    await sendAll(log, given)
    await driver.settle()
    broken = false
    await redriveAll(driver, async () => {
      const more = records(40, given.length, given.length)
      given.push(...more)
      await sendAll(log, more)
      if (given.length % 200 === 0) await driver.settle()
    })
    for (let round = 0; round < 5 && application(driver).blocked().length > 0; round++) await redriveAll(driver)
    expect(application(driver).blocked()).toEqual([])
    expect(await outputsByKey(driver)).toEqual(finalOutputs(given))
    const places = new Set(await deadPlaces(driver))
    for (const place of badPlaces(given)) expect(places.has(place), place).toBe(true)
  }, 60_000)

  test('over a restart in the middle of the redrive: what was redriven is not redriven again', async () => {
    let broken = true
    const clock = new HandClock(t0)
    const log = await newLog(clock)
    const topologies = [poisonProgram(() => broken)]
    const driver = await start({ topologies, clock, log })
    const given = records(2_000, 3)
    await sendAll(log, given)
    await driver.settle()
    broken = false
    const keys = await blockedKeys(driver)
    for (const key of keys.slice(0, keys.length / 2)) await application(driver).redrive(key, { skipFirst: false })
    await driver.close()
    const again = await start({ topologies, clock, log, databases: memoryDatabases() })
    await redriveAll(again)
    expect(application(again).blocked()).toEqual([])
    expect(await outputsByKey(again)).toEqual(finalOutputs(given))
  }, 60_000)

  test.each(moments)('killed %s %s of the redrive: redriven whole or not at all (R4)', async (moment, call) => {
    let broken = true
    const clock = new HandClock(t0)
    const log = await newLog(clock)
    const mortal = mortalLog(log, 'poisoned')
    const topologies = [poisonProgram(() => broken)]
    // Not closed after the test: a dead process does not close.
    const killed = await TopologyDriver.start({ topologies, clock, log: mortal.log })
    const given = records(1_000, 4)
    await sendAll(log, given)
    await killed.settle()
    const before = application(killed).blocked().length
    broken = false
    mortal.killAt(call, moment)
    for (const key of await blockedKeys(await reader(log, clock)))
      await application(killed).redrive(key, { skipFirst: false })
    for (let n = 0; n < 20 && !mortal.isDead; n++) await spin(clock, 100)
    expect(mortal.isDead).toBe(true)
    const again = await turnedUntil(clock, start({ topologies, clock, log, databases: memoryDatabases() }))
    const blocked = application(again).blocked().length
    // The commit that decides is `end`: before it nothing of the redrive stands, after it all does.
    if (call === 'end' && moment === 'after') expect(blocked).toBeLessThan(before)
    else expect(blocked).toBe(before)
    await redriveAll(again)
    expect(application(again).blocked()).toEqual([])
    expect(await outputsByKey(again)).toEqual(finalOutputs(given))
  }, 60_000) // prettier-ignore

  /** Reads a log without running anything on it. */
  const reader = (log: Log, clock: HandClock): Promise<TopologyDriver> => start({ topologies: [], log, clock })
})

describe('a redrive that fails again (B2)', () => {
  const given = (value: string, n: number): Given => ({ key: Buffer.from('a|k'), value: Buffer.from(value), timestamp: t0 + n }) // prettier-ignore

  test('stops there, and the record that failed stands in the dead-letter topic; what is skipped does too', async () => {
    let broken = true
    const clock = new HandClock(t0)
    const log = await newLog(clock)
    const driver = await start({ topologies: [poisonProgram(() => broken)], clock, log })
    await sendAll(log, ['flaky 0', 'ok 1', 'throw 2', 'ok 3', 'throw 4', 'ok 5'].map(given))
    await driver.settle()
    const key = Buffer.from('a|k')
    expect(await application(driver).redrive(key, { skipFirst: false })).toBe(6)
    broken = false
    expect(await application(driver).redrive(key, { skipFirst: false })).toBe(4)
    await driver.settle()
    expect(application(driver).blocked()).toMatchObject([{ offset: '2', reason: 'step_failed', count: 4 }])
    expect(pairs(await driver.read('in.dlq'))).toEqual(['a|k=flaky 0', 'a|k=throw 2'])
    // Tried again without a skip: it is the same record, no second dead letter.
    expect(await application(driver).redrive(key, { skipFirst: false })).toBe(4)
    await driver.settle()
    expect(pairs(await driver.read('in.dlq'))).toHaveLength(2)
    expect(await application(driver).redrive(key, { skipFirst: true })).toBe(2)
    expect(await application(driver).redrive(key, { skipFirst: true })).toBe(0)
    await driver.settle()
    expect(pairs(await driver.read('out'))).toEqual(['a|k=0:1', 'a|k=1:2', 'a|k=3:3', 'a|k=5:4'])
    expect(pairs(await driver.read('in.dlq'))).toEqual(['a|k=flaky 0', 'a|k=throw 2', 'a|k=throw 4'])
    expect(application(driver).status().deadLetters).toBe(3)
  })
})

describe('a reader that would turn its whole input into dead letters (POISON_RATE)', () => {
  const mixed = (bad: number, good: number): Given[] =>
    Array.from({ length: bad + good }, (_, n) => ({
      key: Buffer.from(`${n % 2 === 0 ? 'a' : 'b'}|${n}`),
      value: Buffer.from(n % Math.ceil((bad + good) / bad) === 0 ? `flaky ${n}` : `ok ${n}`),
      timestamp: t0 + n,
    }))

  async function run(given: readonly Given[], settings: Partial<RuntimeSettings>) {
    const state = { broken: true }
    const clock = new HandClock(t0)
    const log = await newLog(clock)
    const options = { topologies: [poisonProgram(() => state.broken)], clock, log, settings }
    const driver = await start(options)
    await sendAll(log, given)
    for (let n = 0; n < 20 && driver.failures.length === 0; n++) await spin(clock, 50)
    return { driver, options, state }
  }

  test('is stopped with one line; repaired, it goes on where it was and loses nothing (R5)', async () => {
    const given = mixed(200, 0)
    const { driver, options, state } = await run(given, { deadLettersPerMinute: 10 })
    expect(driver.failures).toMatchObject([{ code: 'POISON_RATE' }])
    expect(driver.failures[0]?.message).toContain('step_failed: Error: the step broke')
    expect(application(driver).state).toBe('failed')
    const dead = (await driver.read('in.dlq')).length
    expect(dead).toBeLessThan(200)
    await driver.close()
    state.broken = false
    const again = await start({ ...options, databases: driver.databases })
    await again.settle()
    await redriveAll(again)
    expect(await outputsByKey(again)).toEqual(finalOutputs(given))
  })

  test('more than the limit, but less than half of the records: it goes on', async () => {
    const { driver } = await run(mixed(60, 140), { deadLettersPerMinute: 10 })
    expect(driver.failures).toEqual([])
    await driver.settle()
    expect((await driver.read('in.dlq')).length).toBeGreaterThan(10)
  })

  test('most of the records, but no more than the limit a minute: it goes on', async () => {
    const { driver } = await run(mixed(20, 0), { deadLettersPerMinute: 20 })
    expect(driver.failures).toEqual([])
    await driver.settle()
    expect(await driver.read('in.dlq')).toHaveLength(20)
  })
})

describe('the bound of what is set aside (B3)', () => {
  test('past it the task stops rather than dropping; with room again it goes on, in order', async () => {
    let broken = true
    const clock = new HandClock(t0)
    const log = await newLog(clock)
    const topologies = [poisonProgram(() => broken)]
    const given = Array.from({ length: 200 }, (_, n): Given => {
      const key = Buffer.from(`${n % 2 === 0 ? 'a' : 'b'}|k`)
      return { key, value: Buffer.from(n < 2 ? `flaky ${n}` : `ok ${n}`), timestamp: t0 + n }
    })
    const driver = await start({ topologies, clock, log, settings: { setAsideMaxBytes: 4_000 } })
    await sendAll(log, given)
    for (let n = 0; n < 20 && driver.failures.length === 0; n++) await spin(clock, 50)
    expect(driver.failures).toMatchObject([{ code: 'SET_ASIDE_FULL' }])
    await driver.close()
    expect(pairs(await driver.read('out'))).toEqual([])
    const again = await start({ topologies, clock, log, databases: driver.databases })
    await again.settle()
    const counts = application(again).blocked().map(({ key, count }) => [key, count]) // prettier-ignore
    expect(counts.sort()).toEqual([['a|k', 100], ['b|k', 100]]) // prettier-ignore
    broken = false
    await redriveAll(again)
    expect(await outputsByKey(again)).toEqual(finalOutputs(given))
  })
})
