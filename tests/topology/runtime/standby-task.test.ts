/** A standby by itself: which rows it takes (SB1), and that it stands still while memory is short (SB3). */

import { describe, expect, test } from 'vitest'
import type { FetchRequest, ProducerSession } from '../../../connectors/kafka/index.ts'
import { RecordBatchBuilder, noCrash, openMemoryLog } from '../../../connectors/kafka/index.ts'
import { StateBudget, TaskState, memoryDatabases } from '../../../state-stores/index.ts'
import { readingsOf } from '../../../topology/runtime/changelog.ts'
import { defaultRuntimeSettings } from '../../../topology/runtime/settings.ts'
import { StandbyTask, StandbyTasks } from '../../../topology/runtime/standby-task.ts'
import { HandClock } from '../../../topology/testing/index.ts'
import { override, random, spin, t0 } from './harness.ts'
import { countProgram } from './programs.ts'

const topic = 'counter-counts-changelog'
const rowOfA = Buffer.from('a|k')

async function row(session: ProducerSession, key: string, value: string): Promise<void> {
  session.begin()
  const records = new RecordBatchBuilder()
  records.append(t0, Buffer.from(key), Buffer.from(value))
  await session.append([{ topic, partition: 0, records }])
}

/** A standby of the counting program's task over a log of its own. @param bufferBytes bound of all write buffers */
async function standing(bufferBytes: number) {
  const clock = new HandClock(t0)
  const log = openMemoryLog({ clock, random })
  await log.createTopics([topic, 'counter-set-aside-changelog'].map((name) => ({ name, partitions: 1, config: {} })))
  const asked: FetchRequest[] = []
  const watched = override(log, {
    fetch: (request) => {
      asked.push(request)
      return log.fetch(request)
    },
  })
  const [part] = countProgram().subTopologies
  if (part === undefined) throw new Error('the program has a part')
  const database = await memoryDatabases().open('task')
  const state = TaskState.open({ database, stores: part.stores.map(({ name, logged }) => ({ name, logged })) })
  const budget = new StateBudget({ bytes: bufferBytes, flushBytes: 1_000_000, flushMs: 60_000, now: () => clock.now() })
  budget.register(state)
  const broken: unknown[] = []
  const standbys = new StandbyTasks({
    log: watched,
    clock,
    budget,
    settings: { ...defaultRuntimeSettings, retryMinMs: 1 },
    crash: noCrash,
    caughtUp: () => undefined,
    broken: (_, error) => broken.push(error),
  })
  const now = (): number => clock.now()
  const readings = await readingsOf({ log, application: 'counter', part, partition: 0, state, now })
  standbys.add(new StandbyTask('main_0', state, readings, false))
  const open = (transactionalId: string): Promise<ProducerSession> =>
    log.openProducer({ transactionalId, transactionTimeoutMs: 900_000 })
  const value = (key: Buffer): string | undefined => state.store('counts').get(key)?.toString()
  const turn = (): Promise<void> => spin(clock, 1000)
  return { log, state, standbys, database, value, open, turn, asked, broken }
}

describe('a standby', () => {
  test('takes committed rows only, with the position they end at: also on disk (SB1)', async () => {
    const { log, state, standbys, database, value, open, turn, broken } = await standing(1_000_000)
    const [first, aborting, late] = [await open('first'), await open('aborting'), await open('late')]
    await row(first, 'a|k', 'committed')
    await first.end('commit')
    await row(aborting, 'a|k', 'aborted')
    await aborting.end('abort')
    const [stable] = await log.listOffsets([{ topic, partition: 0 }], 'latest')
    await row(late, 'a|k', 'still open')
    await turn()
    expect(value(rowOfA)).toBe('committed')
    expect(state.positions().get('counts')).toBe(stable)
    await state.flush()
    expect(database.get('counts', rowOfA)?.toString()).toBe('committed')
    expect(database.position('counts')).toBe(stable)
    await late.end('commit')
    await turn()
    expect(value(rowOfA)).toBe('still open')
    await standbys.remove('main_0')
    expect(broken).toEqual([])
  })

  test('reads nothing while the write buffers of the process are full (SB3)', async () => {
    const { state, standbys, value, open, turn, asked } = await standing(1000)
    const session = await open('writer')
    await row(session, 'a|k', 'x'.repeat(2000))
    await session.end('commit')
    await turn()
    expect(value(rowOfA)).toHaveLength(2000)
    const before = asked.length
    await row(session, 'a|k', 'later')
    await session.end('commit')
    for (let n = 0; n < 5; n++) await turn()
    expect(asked.length).toBe(before)
    expect(value(rowOfA)).toHaveLength(2000)
    await state.flush()
    await turn()
    expect(value(rowOfA)).toBe('later')
    await standbys.remove('main_0')
  })
})
