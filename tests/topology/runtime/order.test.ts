/** Which record is next, and what time it is (R1, R2, Q1, Q2). */

import { describe, expect, test } from 'vitest'
import type { Log } from '../../../connectors/kafka/index.ts'
import { RecordBatchBuilder, openMemoryLog } from '../../../connectors/kafka/index.ts'
import type { Topology } from '../../../topology/index.ts'
import { TopologyBuilder } from '../../../topology/index.ts'
import { PartitionQueue } from '../../../topology/runtime/partition-queue.ts'
import { HandClock } from '../../../topology/testing/index.ts'
import { override, pairs, random, send, sendBatch, spin, t0, useDrivers } from './harness.ts'
import { mergeProgram, out, text } from './programs.ts'

const { start, restart } = useDrivers()

describe('of several inputs', () => {
  /** Two topics; the answers for one of them can be held back. */
  async function twoInputs(held: string) {
    const clock = new HandClock(t0)
    const inner = openMemoryLog({ clock, random })
    await inner.createTopics(['left', 'right', 'merged'].map((name) => ({ name, partitions: 1, config: {} })))
    let isHeld = true
    const log = override(inner, {
      fetch: async (request) => {
        const answer = await inner.fetch(request)
        if (!isHeld) return answer
        // As a broker that has no room in its answer for the partition: it comes with a later one.
        await new Promise<void>((resolve) => void clock.after(10, resolve))
        return answer.map((of) => (of.topic === held ? { ...of, batches: Buffer.alloc(0) } : of))
      },
    })
    return { clock, log, inner, release: () => void (isHeld = false) }
  }

  test.each([['left'], ['right']])(
    'while %s may have records that were not fetched, no record of the other is taken (R1)',
    async (held) => {
      const other = held === 'left' ? 'right' : 'left'
      const { clock, log, inner, release } = await twoInputs(held)
      await sendBatch(inner, { topic: held }, [{ key: 'k', value: '1', timestamp: t0 + 1 }])
      await sendBatch(inner, { topic: other }, [{ key: 'k', value: '2', timestamp: t0 + 2 }])
      const driver = await start({ topologies: [mergeProgram()], clock, log })
      for (let n = 0; n < 20; n++) await spin(clock)
      expect(driver.worker.application('merger')?.status().processed).toBe(0)
      release()
      await driver.settle()
      expect(pairs(await driver.read('merged')).at(-1)).toBe(`k=${held[0]}1 ${other[0]}2`)
    },
  )

  test('records of one partition keep their order, whatever their timestamps say (R1)', async () => {
    const { clock, log, inner, release } = await twoInputs('none')
    release()
    const times = [50, 10, 40, 20, 30]
    await sendBatch(inner, { topic: 'left' }, times.map((time) => ({ key: 'k', value: String(time), timestamp: t0 + time }))) // prettier-ignore
    await sendBatch(inner, { topic: 'right' }, [{ key: 'k', value: '45', timestamp: t0 + 45 }])
    const driver = await start({ topologies: [mergeProgram()], clock, log })
    await driver.settle()
    expect(pairs(await driver.read('merged')).at(-1)).toBe('k=r45 l50 l10 l40 l20 l30')
  })
})

describe('stream time', () => {
  /** Writes the stream time that each record sees. */
  const program = (): Topology =>
    new TopologyBuilder('times')
      .source('in', { topic: 'in', ...text })
      .processor('look', {
        parents: ['in'],
        supplier: () => ({
          process: (record, context) =>
            context.forward(out(record.key as string, String(context.streamTime - t0), record.timestamp)),
        }),
      })
      .sink('out', { parents: ['look'], topics: ['out'], ...text })
      .build()

  test('is the greatest timestamp taken, and never goes back, also over a restart (R2)', async () => {
    const options = { topologies: [program()], now: t0 }
    const driver = await start(options)
    for (const time of [10, 30, 20]) await send(driver, 'in', 'a|k', 'x', t0 + time)
    await driver.settle()
    const again = await restart(driver, options)
    for (const time of [5, 25, 31, 6]) await send(again, 'in', 'b|k', 'x', t0 + time)
    await again.settle()
    const seen = ['a|k=10', 'a|k=30', 'a|k=30', 'b|k=30', 'b|k=30', 'b|k=31', 'b|k=31']
    expect(pairs(await again.read('out'))).toEqual(seen)
  })
})

describe('a partition queue', () => {
  /** Committed and aborted transactions in turn, of one record each: a marker follows each. */
  async function mixedLog(): Promise<Log> {
    const log = openMemoryLog({ clock: new HandClock(t0), random })
    await log.createTopics([{ name: 'in', partitions: 1, config: {} }])
    const session = await log.openProducer({ transactionalId: 't', transactionTimeoutMs: 10_000 })
    for (let n = 0; n < 6; n++) {
      session.begin()
      const records = new RecordBatchBuilder()
      records.append(t0 + n, Buffer.from('k'), Buffer.from(String(n)))
      await session.append([{ topic: 'in', partition: 0, records }])
      await session.end(n % 2 === 0 ? 'commit' : 'abort')
    }
    return log
  }

  async function fill(queue: PartitionQueue, log: Log, maxBytes: number): Promise<void> {
    const place = { topic: 'in', partition: 0, offset: queue.fetchNext, maxBytes }
    const [fetched] = await log.fetch({ partitions: [place], isolation: 'read_committed', maxWaitMs: 0 })
    if (fetched !== undefined) queue.add(fetched)
  }

  test.each([[1], [1_000_000]])(
    'gives records in offset order and skips only markers and what was aborted, fetched by %i bytes (Q1)',
    async (maxBytes) => {
      const log = await mixedLog()
      const queue = new PartitionQueue('in', 0, 0n, -1)
      const seen: string[] = []
      for (let n = 0; n < 20; n++) {
        await fill(queue, log, maxBytes)
        for (; queue.head !== null; queue.advance()) seen.push(`${queue.head.offset}=${queue.head.value()?.toString()}`)
      }
      expect(seen).toEqual(['0=0', '4=2', '8=4'])
      expect(queue.bufferedBytes).toBe(0)
    },
  )

  test('stands at its head, or past everything fetched: what a commit writes (Q2)', async () => {
    const log = await mixedLog()
    const queue = new PartitionQueue('in', 0, 0n, -1)
    expect(queue.position).toBe(0n)
    await fill(queue, log, 1_000_000)
    const positions: bigint[] = []
    for (; queue.head !== null; queue.advance()) positions.push(queue.position)
    expect(positions).toEqual([0n, 4n, 8n])
    // Nothing is left: past the aborted one and its marker.
    expect(queue.position).toBe(12n)
    expect(queue.mayHaveMore).toBe(false)
  })

  test('a position taken from a commit goes on exactly there (Q2)', async () => {
    const log = await mixedLog()
    for (const [position, wanted] of [
      [0n, '0'],
      [1n, '2'],
      [4n, '2'],
      [5n, '4'],
      [9n, undefined],
    ] as const) {
      // prettier-ignore
      const queue = new PartitionQueue('in', 0, position, -1)
      await fill(queue, log, 1_000_000)
      expect(queue.head?.value()?.toString()).toBe(wanted)
    }
  })
})
