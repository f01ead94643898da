import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openMemoryLog } from '../../../connectors/kafka/index.ts'
import { noHeaders } from '../../../topology/index.ts'
import { Collector } from '../../../topology/runtime/collector.ts'
import { HandClock } from '../../../topology/testing/index.ts'
import { header, pairs, random, send, t0, useDrivers } from './harness.ts'
import { emitProgram, out } from './programs.ts'

const { start } = useDrivers()

describe('a step that sends what cannot be written sends nothing (K1)', () => {
  test.each([
    ['no time', 'bad_timestamp', out('k', 'late', Number.NaN)],
    ['a time before 1970', 'bad_timestamp', out('k', 'late', -1)],
    ['more than a record may have', 'record_too_large', out('k', 'x'.repeat(1_000_001), t0)],
  ])('an output with %s, alone or after a good one, is refused within the step', async (_, reason, bad) => {
    const program = emitProgram(({ key, value, timestamp }) => {
      const good = out(key, value, timestamp)
      return value === 'alone' ? [bad] : value === 'second' ? [good, bad] : [good]
    })
    const driver = await start({ topologies: [program], now: t0 })
    for (const value of ['alone', 'second', 'fine']) {
      await send(driver, 'in', 'a|k', value)
      await send(driver, 'in', 'b|k', value)
    }
    await driver.settle()
    expect(pairs(await driver.read('out'))).toEqual(['a|k=fine', 'b|k=fine'])
    const dead = await driver.read('in.dlq')
    expect(pairs(dead)).toEqual(['a|k=alone', 'b|k=alone', 'a|k=second', 'b|k=second'])
    expect(dead.map((record) => header(record, 'dlq-reason'))).toEqual([reason, reason, reason, reason])
  })
})

describe('batches', () => {
  test('records that fit one by one are written in order, though together they pass the limit of a batch (K2)', async () => {
    const clock = new HandClock(t0)
    const log = openMemoryLog({ clock, random })
    const config = { 'max.message.bytes': '1048588' }
    await log.createTopics(['in', 'out'].map((name) => ({ name, partitions: 1, config })))
    const sizes = [500_000, 600_000, 10, 999_000, 20]
    const program = emitProgram(({ key, timestamp }) => sizes.map((size) => out(key, 'x'.repeat(size), timestamp)))
    const driver = await start({ topologies: [program], clock, log })
    for (const key of ['a|k', 'b|k']) await send(driver, 'in', key, 'x')
    await driver.settle()
    const written = await driver.read('out')
    expect(written.map((record) => `${record.key?.toString()} ${record.value?.length}`)).toEqual(
      ['a|k', 'b|k'].flatMap((key) => sizes.map((size) => `${key} ${size}`)),
    )
  })

  test('whatever is sent: each batch stays under 1 MiB, nothing is lost, what is rolled back is not written (K1)', () => {
    const step = fc.record({ sizes: fc.array(fc.integer({ min: 0, max: 400_000 }), { maxLength: 6 }), kept: fc.boolean() }) // prettier-ignore
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
        const collector = new Collector(new Map([['out', 2]]))
        for (const { sizes, kept } of steps) {
          for (const [n, size] of sizes.entries())
            collector.send('out', t0, Buffer.from(`k${n % 3}`), Buffer.alloc(size), noHeaders)
          if (kept) collector.release()
          else collector.rollback()
        }
        const batches = collector.take().flat()
        const released = steps.reduce((sum, { sizes, kept }) => sum + (kept ? sizes.length : 0), 0)
        expect(batches.reduce((sum, { records }) => sum + records.count, 0)).toBe(released)
        for (const { records } of batches) expect(records.sizeBytes).toBeLessThan(1024 * 1024)
        expect(collector.isEmpty).toBe(true)
      }),
      { numRuns: 50 },
    )
  })
})
