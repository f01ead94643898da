/** What is fetched is prepared before it is processed, and stale answers are dropped (F2, F3). */

import { describe, expect, test } from 'vitest'
import { openMemoryLog } from '../../../connectors/kafka/index.ts'
import type { Serde, Topology } from '../../../topology/index.ts'
import { TopologyBuilder, stringSerde } from '../../../topology/index.ts'
import { HandClock } from '../../../topology/testing/index.ts'
import { override, pairs, random, send, sendBatch, spin, t0, turns, useDrivers } from './harness.ts'
import { countProgram } from './programs.ts'
import { troubledLog } from './troubled-log.ts'

const { start } = useDrivers()

/** A codec that reads a value only when its schema was loaded, as by a registry. */
function loadedSerde(load: (values: readonly string[]) => Promise<void>) {
  const loaded = new Set<string>()
  const serde: Serde<string> = {
    serialize: (value) => Buffer.from(value),
    deserialize: (bytes) => {
      if (!loaded.has(bytes.toString())) throw new Error(`${bytes.toString()} was not loaded`)
      return bytes.toString()
    },
    prepare: async (records) => {
      const values = records.flatMap(({ value }) => (value === null ? [] : [value.toString()]))
      await load(values)
      for (const value of values) loaded.add(value)
    },
  }
  return serde
}

const passing = (value: Serde<string>): Topology =>
  new TopologyBuilder('passing')
    .source('in', { topic: 'in', key: stringSerde, value })
    .processor('pass', {
      parents: ['in'],
      supplier: () => ({ process: (record, context) => context.forward(record) }),
    })
    .sink('out', { parents: ['pass'], topics: ['out'], key: stringSerde, value: stringSerde })
    .build()

describe('what the synchronous pass needs (F2)', () => {
  test('is loaded before a record is queued, however long that takes', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const driver = await start({ topologies: [passing(loadedSerde(() => promise))], now: t0 })
    for (const key of ['a|k', 'b|k']) await send(driver, 'in', key, `of ${key}`)
    for (let n = 0; n < 10; n++) await spin(driver.clock)
    expect(driver.worker.application('passing')?.status().processed).toBe(0)
    resolve()
    await driver.settle()
    expect(pairs(await driver.read('out'))).toEqual(['a|k=of a|k', 'b|k=of b|k'])
    expect(await driver.read('in.dlq')).toEqual([])
  })

  test('that cannot be loaded now is tried again; the record is not poison', async () => {
    let failures = 3
    const load = (): Promise<void> =>
      failures-- > 0 ? Promise.reject(new Error('the registry is away')) : Promise.resolve()
    const driver = await start({ topologies: [passing(loadedSerde(load))], now: t0 })
    for (const key of ['a|k', 'b|k']) await send(driver, 'in', key, `of ${key}`)
    for (let n = 0; n < 100 && failures >= 0; n++) await spin(driver.clock, 100)
    await driver.settle()
    expect(pairs(await driver.read('out'))).toEqual(['a|k=of a|k', 'b|k=of b|k'])
    expect(await driver.read('in.dlq')).toEqual([])
    expect(driver.notices.filter((line) => line.includes('PREPARE_FAILED'))).toHaveLength(3)
  })
})

describe('an answer to a fetch that was asked before tasks went back (F3)', () => {
  test('is dropped, whenever it comes: every record counts once', async () => {
    const clock = new HandClock(t0)
    const troubled = troubledLog(openMemoryLog({ clock, random }), 'counter')
    const late = Promise.withResolvers<void>()
    let holds = false
    let held = 0
    const log = override(troubled.log, {
      fetch: async (request) => {
        const answer = await troubled.log.fetch(request)
        if (!holds || !request.partitions.some(({ topic }) => topic === 'words')) return answer
        holds = false
        held = answer.reduce((sum, { batches }) => sum + batches.length, 0)
        await late.promise
        return answer
      },
    })
    const settings = { commitMinIntervalMs: 300, commitIntervalMs: 300 }
    const driver = await start({ topologies: [countProgram()], clock, log, settings })
    const batch = (key: string) => sendBatch(troubled.log, { topic: 'words' }, [{ key, value: 'x', timestamp: t0 }])
    await batch('a|0')
    await driver.settle()
    await batch('a|k')
    await turns()
    // The next fetch is answered with this batch, but the answer is under way while the commit of the one before fails.
    holds = true
    troubled.failNext('end', 'lost request')
    await batch('b|k')
    for (let n = 0; n < 20; n++) await spin(clock, 50)
    expect(troubled.failures).toBe(1)
    expect(held).toBeGreaterThan(0)
    await driver.settle()
    late.resolve()
    await turns()
    await driver.settle()
    expect(pairs(await driver.read('counts-out'))).toEqual(['a|0=1', 'a|k=1', 'b|k=1'])
  })
})
