/** Window stores in the runtime: a tumbling count with grace, over several partitions, restarts, aborts and restores. */

import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { openMemoryLog, partitionFor } from '../../../connectors/kafka/index.ts'
import { memoryDatabases } from '../../../state-stores/index.ts'
import { describe as described } from '../../../topology/index.ts'
import type { ReadRecord } from '../../../topology/testing/index.ts'
import { HandClock } from '../../../topology/testing/index.ts'
import { random, send, sendBatch, spin, t0, useDrivers } from './harness.ts'
import { tumblingProgram } from './programs.ts'
import { troubledLog } from './troubled-log.ts'

const { start, restart } = useDrivers()

const MINUTE = 60_000
const WINDOW = { sizeMs: MINUTE, graceMs: MINUTE / 2 }
const PARTITIONS = 3
const base = t0 - (t0 % MINUTE)

interface Word {
  readonly key: string
  readonly timestamp: number
}

interface Expected {
  readonly outputs: readonly string[]
  readonly late: number
}

/** Every partition for itself, record by record. */
function model(words: readonly Word[]): readonly Expected[] {
  return Array.from({ length: PARTITIONS }, (_, partition) => {
    const counts = new Map<string, number>()
    const outputs: string[] = []
    let [streamTime, late] = [-1, 0]
    for (const { key, timestamp } of words) {
      if (partitionFor(Buffer.from(key), PARTITIONS) !== partition) continue
      streamTime = Math.max(streamTime, timestamp)
      const from = timestamp - (timestamp % WINDOW.sizeMs)
      if (from + WINDOW.sizeMs <= streamTime - WINDOW.graceMs) {
        late++
        continue
      }
      const count = (counts.get(`${key}@${from}`) ?? 0) + 1
      counts.set(`${key}@${from}`, count)
      outputs.push(`${key}=${from}: ${count}`)
    }
    return { outputs, late }
  })
}

const outputsOf = (records: readonly ReadRecord[]): string[][] =>
  Array.from({ length: PARTITIONS }, (_, partition) =>
    records
      .filter((record) => record.partition === partition)
      .map(({ key, value }) => `${key?.toString()}=${value?.toString()}`),
  )

const lateIn = (expected: readonly Expected[]): number => expected.reduce((sum, { late }) => sum + late, 0)

const words = fc
  .array(
    fc.record({
      key: fc.constantFrom('a|1', 'a|2', 'a|3', 'b|1', 'b|2', 'b|3'),
      ahead: fc.oneof(fc.nat(20_000), fc.nat(200_000)),
      back: fc.oneof(fc.constant(0), fc.nat(200_000)),
    }),
    { minLength: 20, maxLength: 60 },
  )
  .map((steps) => {
    let now = base
    return steps.map(({ key, ahead, back }): Word => {
      now += ahead
      return { key, timestamp: Math.max(base, now - back) }
    })
  })

describe('a tumbling count with grace', () => {
  test('equals its model element by element, whatever happens in between', { timeout: 60_000 }, async () => {
    let [dropped, trials] = [0, 0]
    const trouble = fc.array(fc.constantFrom('none', 'restart', 'lost state', 'abort'), { minLength: 3, maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(words, trouble, async (sent, troubles) => {
        const clock = new HandClock(t0)
        const troubled = troubledLog(openMemoryLog({ clock, random }), 'tumbling')
        const options = { topologies: [tumblingProgram(WINDOW)], clock, log: troubled.log, partitions: PARTITIONS }
        let driver = await start({ ...options, settings: { retryMinMs: 1, retryMaxMs: 1 } })
        const share = Math.ceil(sent.length / troubles.length)
        for (const [n, happens] of troubles.entries()) {
          if (happens === 'restart') driver = await restart(driver, options)
          if (happens === 'lost state') {
            await driver.close()
            driver = await start({ ...options, databases: memoryDatabases() })
          }
          if (happens === 'abort') troubled.failNext('end', 'lost request')
          for (const { key, timestamp } of sent.slice(n * share, (n + 1) * share))
            await send(driver, 'words', key, 'x', timestamp)
          await driver.settle()
        }
        const expected = model(sent)
        expect(outputsOf(await driver.read('window-counts'))).toEqual(expected.map(({ outputs }) => outputs))
        await driver.close()
        trials++
        dropped += lateIn(expected)
      }),
      { numRuns: 25 },
    )
    expect(dropped).toBeGreaterThan(trials)
  })

  test('late records are counted, puts that the store refuses too', async () => {
    const driver = await start({
      topologies: [tumblingProgram({ sizeMs: MINUTE, graceMs: 0 })],
      partitions: PARTITIONS,
    })
    await send(driver, 'words', 'a|1', 'x', base)
    await send(driver, 'words', 'a|1', 'x', base + 10 * MINUTE)
    await send(driver, 'words', 'a|1', 'x', base)
    await send(driver, 'words', 'a|1', 'throw', base + 10 * MINUTE)
    await driver.settle()
    expect(driver.worker.applications[0]?.status()).toMatchObject({ lateRecords: 1, expiredPuts: 0, deadLetters: 1 })
    expect(outputsOf(await driver.read('window-counts')).flat()).toEqual([
      `a|1=${base}: 1`,
      `a|1=${base + 10 * MINUTE}: 1`,
    ])
  })

  test('a step that throws leaves neither its count nor the time it had seen', async () => {
    const driver = await start({ topologies: [tumblingProgram(WINDOW)], partitions: 1 })
    const partition = { topic: 'words', partition: 0 }
    await sendBatch(driver.log, partition, [
      { key: 'a|1', value: 'x', timestamp: base },
      { key: 'b|1', value: 'throw', timestamp: base + MINUTE },
      { key: 'b|1', value: 'x', timestamp: base + MINUTE },
      { key: 'a|1', value: 'x', timestamp: base + 1 },
    ])
    await driver.settle()
    expect((await driver.read('window-counts')).map(({ key, value }) => `${String(key)}=${String(value)}`)).toEqual([
      `a|1=${base}: 1`,
      `b|1=${base + MINUTE}: 1`,
      `a|1=${base}: 2`,
    ])
  })
})

describe('the changelog of a window store', () => {
  test('expires by compaction and retention: the store’s and a day', async () => {
    const driver = await start({ topologies: [tumblingProgram(WINDOW)], partitions: PARTITIONS })
    const [changelog] = await driver.log.metadata(['tumbling-windows-changelog'])
    expect(changelog).toMatchObject({
      partitions: PARTITIONS,
      config: { 'cleanup.policy': 'compact,delete', 'retention.ms': String(1.5 * MINUTE + 24 * 60 * MINUTE) },
    })
  })

  test('that somebody made without it is refused, in one line', async () => {
    const clock = new HandClock(t0)
    const log = openMemoryLog({ clock, random })
    const config = { 'cleanup.policy': 'compact' }
    await log.createTopics([{ name: 'tumbling-windows-changelog', partitions: PARTITIONS, config }])
    const starting = start({ topologies: [tumblingProgram(WINDOW)], partitions: PARTITIONS, clock, log })
    await expect(starting).rejects.toThrow('has cleanup.policy compact, this topology needs compact,delete')
  })

  test('is read back after compaction took the rows between: nothing expired comes back (WS4)', async () => {
    const clock = new HandClock(t0)
    const log = openMemoryLog({ clock, random })
    const options = { topologies: [tumblingProgram(WINDOW)], clock, log, partitions: 1 }
    const driver = await start(options)
    for (const minute of [0, 1, 9, 10]) await send(driver, 'words', 'a|1', 'x', base + minute * MINUTE)
    await driver.settle()
    await driver.close()
    await log.deleteRecords([{ topic: 'tumbling-windows-changelog', partition: 0, offset: 2n }])
    const again = await start({ ...options, databases: memoryDatabases() })
    for (const minute of [10, 9, 0]) await send(again, 'words', 'a|1', 'x', base + minute * MINUTE)
    await spin(clock)
    await again.settle()
    const counts = (await again.read('window-counts')).map(({ value }) => value?.toString())
    expect(counts.slice(-2)).toEqual([`${base + 10 * MINUTE}: 2`, `${base + 9 * MINUTE}: 2`])
    expect(again.worker.applications[0]?.status().lateRecords).toBe(1)
  })
})

test('the wiring says what a window store keeps', () => {
  expect(described(tumblingProgram(WINDOW))).toContain('    store windows (window of 60000 ms, kept 90000 ms)\n')
})
