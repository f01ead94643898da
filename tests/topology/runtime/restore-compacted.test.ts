/** State comes back from changelogs that were compacted, whole and from a position in the middle (K1-K3). */

import { expect, test } from 'vitest'
import { openMemoryLog, RecordBatchBuilder, RecordCursor } from '../../../connectors/kafka/index.ts'
import type { Log, ProducerSession } from '../../../connectors/kafka/index.ts'
import { memoryDatabases, TaskState } from '../../../state-stores/index.ts'
import { restoreTask } from '../../../topology/runtime/restore.ts'
import { HandClock } from '../../../topology/testing/index.ts'
import { random, spin, t0 } from './harness.ts'
import { countProgram } from './programs.ts'

const CHANGELOG = 'counter-counts-changelog'
const COMPACTED = { 'cleanup.policy': 'compact', 'segment.bytes': '500', 'min.cleanable.dirty.ratio': '0.01' }
const KEYS = ['a|1', 'a|2', 'b|1', 'b|2', 'b|3']

test('a store that is restored over compacted changelogs holds what was committed', async () => {
  const clock = new HandClock(t0)
  const log = openMemoryLog({ clock, random, cleanIntervalMs: 10 })
  for (const name of [CHANGELOG, 'counter-set-aside-changelog'])
    await log.createTopics([{ name, partitions: 1, config: COMPACTED }])
  const producer = await log.openProducer({ transactionalId: 'p', transactionTimeoutMs: 60_000 })
  const model = new Map<string, string>()
  await write(producer, model, 0, 60)

  const behind = await opened()
  await restore(log, behind)
  expect(rowsOf(behind)).toEqual(model)
  await write(producer, model, 60, 200)
  const before = await recordsIn(log)
  for (let pass = 0; pass < 20; pass++) await spin(clock)
  expect(await recordsIn(log)).toBeLessThan(before / 3)

  await restore(log, behind)
  expect(rowsOf(behind)).toEqual(model)
  const fresh = await opened()
  await restore(log, fresh)
  expect(rowsOf(fresh)).toEqual(model)
})

/** One row a transaction; every third is a tombstone, every fourth transaction is aborted. */
async function write(producer: ProducerSession, model: Map<string, string>, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    const [key, value] = [KEYS[i % KEYS.length]!, i % 3 === 0 ? null : `v${i}`]
    const records = new RecordBatchBuilder()
    records.append(t0, Buffer.from(key), value === null ? null : Buffer.from(value))
    producer.begin()
    await producer.append([{ topic: CHANGELOG, partition: 0, records }])
    await producer.end(i % 4 === 0 ? 'abort' : 'commit')
    if (i % 4 === 0) continue
    if (value === null) model.delete(key)
    else model.set(key, value)
  }
}

const part = countProgram().subTopologies[0]!

async function opened(): Promise<TaskState> {
  const database = await memoryDatabases().open('task')
  return TaskState.open({ database, stores: part.stores.map(({ name, logged }) => ({ name, logged })) })
}

const restore = (log: Log, state: TaskState): Promise<number> =>
  restoreTask({
    log,
    application: 'counter',
    part,
    partition: 0,
    state,
    fetchMaxBytes: 700,
    flushBytes: 1_000,
    now: () => t0,
  })

function rowsOf(state: TaskState): ReadonlyMap<string, string> {
  const store = state.store('counts')
  return new Map(
    KEYS.flatMap((key) => {
      const value = store.get(Buffer.from(key))?.toString()
      return value === undefined ? [] : [[key, value] as const]
    }),
  )
}

async function recordsIn(log: Log): Promise<number> {
  const where = { topic: CHANGELOG, partition: 0 }
  const [end] = await log.listOffsets([where], 'latest')
  let count = 0
  for (let offset = 0n; offset < end!;) {
    const partitions = [{ ...where, offset, maxBytes: 1 << 20 }]
    const [fetched] = await log.fetch({ partitions, isolation: 'read_uncommitted', maxWaitMs: 0 })
    const cursor = new RecordCursor(fetched!, offset, 'read_uncommitted')
    while (cursor.next()) count++
    offset = cursor.nextOffset
  }
  return count
}
