/** How far a restore reads (RS1): to the high watermark it saw, through whatever stands there, and committed rows only. */

import { describe, expect, test } from 'vitest'
import type { Log, ProducerSession } from '../../../connectors/kafka/index.ts'
import { RecordBatchBuilder, openMemoryLog } from '../../../connectors/kafka/index.ts'
import { TaskState, memoryDatabases } from '../../../state-stores/index.ts'
import { restoreTask } from '../../../topology/runtime/restore.ts'
import { HandClock } from '../../../topology/testing/index.ts'
import { random, spin, t0, turnedUntil } from './harness.ts'
import { countProgram } from './programs.ts'

const topic = 'counter-counts-changelog'

async function changelog() {
  const clock = new HandClock(t0)
  const log = openMemoryLog({ clock, random })
  const names = [topic, 'counter-set-aside-changelog']
  await log.createTopics(names.map((name) => ({ name, partitions: 1, config: {} })))
  const open = (transactionalId: string): Promise<ProducerSession> =>
    log.openProducer({ transactionalId, transactionTimeoutMs: 900_000 })
  return { clock, log, open }
}

/** Writes a row in a transaction that is left open. */
async function begin(session: ProducerSession, key: string, value: string): Promise<void> {
  session.begin()
  const records = new RecordBatchBuilder()
  records.append(t0, Buffer.from(key), Buffer.from(value))
  await session.append([{ topic, partition: 0, records }])
}

async function restoring(log: Log) {
  const [part] = countProgram().subTopologies
  if (part === undefined) throw new Error('the program has a part')
  const database = await memoryDatabases().open('task')
  const state = TaskState.open({ database, stores: part.stores.map(({ name, logged }) => ({ name, logged })) })
  const bounds = { fetchMaxBytes: 100_000, flushBytes: 1_000_000, now: () => t0 }
  let ended = false
  const restored = restoreTask({ log, application: 'counter', part, partition: 0, state, ...bounds })
  const end = (): void => void (ended = true)
  restored.then(end, end)
  const value = (key: string): string | undefined => state.store('counts').get(Buffer.from(key))?.toString()
  return { restored, state, value, hasEnded: () => ended }
}

describe('a restore', () => {
  test('ends although markers and aborted rows stand at the end of the changelog', async () => {
    const { clock, log, open } = await changelog()
    const session = await open('writer')
    await begin(session, 'a|k', '1')
    await session.end('commit')
    await begin(session, 'a|k', '2')
    await session.end('abort')
    const { restored, state, value } = await restoring(log)
    expect(await turnedUntil(clock, restored)).toBe(1)
    expect(value('a|k')).toBe('1')
    const [end] = await log.listOffsets([{ topic, partition: 0 }], 'latest')
    expect(state.positions().get('counts')).toBe(end)
  })

  test.each([
    ['commit', '2'],
    ['abort', '1'],
  ] as const)('waits for a transaction that was open when it began; after its %s the row is %s', async (outcome, wanted) => {
    const { clock, log, open } = await changelog()
    const [before, other] = [await open('before'), await open('other')]
    await begin(before, 'a|k', '1')
    await before.end('commit')
    await begin(other, 'a|k', '2')
    const { restored, value, hasEnded } = await restoring(log)
    for (let n = 0; n < 10; n++) await spin(clock, 100)
    expect(hasEnded()).toBe(false)
    await other.end(outcome)
    await turnedUntil(clock, restored)
    expect(value('a|k')).toBe(wanted)
  }) // prettier-ignore

  test('is not kept from its end by what is written after it began', async () => {
    const { clock, log, open } = await changelog()
    const [before, other] = [await open('before'), await open('other')]
    await begin(before, 'a|k', '1')
    await before.end('commit')
    const { restored, value } = await restoring(log)
    await begin(other, 'b|k', '2')
    await turnedUntil(clock, restored)
    expect(value('a|k')).toBe('1')
    expect(value('b|k')).toBeUndefined()
  })

  test('lets others have their turn between two slices, and stops there when it is told to (RS5)', async () => {
    const { clock, log, open } = await changelog()
    const session = await open('writer')
    session.begin()
    const records = new RecordBatchBuilder()
    for (let n = 0; n < 5000; n++) records.append(t0, Buffer.from(`a|${n}`), Buffer.from('1'))
    await session.append([{ topic, partition: 0, records }])
    await session.end('commit')
    const [part] = countProgram().subTopologies
    if (part === undefined) throw new Error('the program has a part')
    const database = await memoryDatabases().open('task')
    const state = TaskState.open({ database, stores: part.stores.map(({ name, logged }) => ({ name, logged })) })
    const stop = new AbortController()
    let turns = 0
    const pause = (): Promise<void> => {
      turns++
      stop.abort(new Error('given up'))
      return Promise.resolve()
    }
    const bounds = { fetchMaxBytes: 1_000_000, flushBytes: 1_000_000, now: () => t0 }
    const { signal } = stop
    const restored = restoreTask({ log, application: 'counter', part, partition: 0, state, pause, signal, ...bounds })
    await expect(turnedUntil(clock, restored)).rejects.toThrow('given up')
    expect(turns).toBe(1)
    expect(state.positions().get('counts')).toBeNull()
    expect(state.store('counts').get(Buffer.from('a|4999'))).toBeUndefined()
  })
})
