import { describe, expect, test } from 'vitest'
import { LogError, openMemoryLog } from '../../../connectors/kafka/index.ts'
import { TaskState, memoryDatabases } from '../../../state-stores/index.ts'
import { restoreTask } from '../../../topology/runtime/restore.ts'
import { HandClock } from '../../../topology/testing/index.ts'
import { override, pairs, random, send, sendBatch, t0, turnedUntil, useDrivers } from './harness.ts'
import { countProgram } from './programs.ts'

const { start } = useDrivers()

/** An application that has counted one word of each of two tenants, closed. */
async function counted(clock: HandClock) {
  const log = openMemoryLog({ clock, random })
  let wiped = 0
  const inner = memoryDatabases()
  const databases = override(inner, {
    wipe: (path) => {
      wiped++
      return inner.wipe(path)
    },
  })
  const options = { topologies: [countProgram()], clock, log, databases }
  const driver = await start(options)
  for (const key of ['a|k', 'b|k']) await send(driver, 'words', key, 'x')
  await driver.settle()
  await driver.close()
  return { log, options, wiped: () => wiped }
}

describe('trouble while state is restored', () => {
  test('that passes does not wipe what is on disk (S2)', async () => {
    const clock = new HandClock(t0)
    const { log, options, wiped } = await counted(clock)
    let failures = 0
    const troubled = override(log, {
      fetch: async (request) => {
        const answer = await log.fetch(request)
        if (failures > 0 || request.partitions[0]?.topic.endsWith('-changelog') !== true) return answer
        failures++
        return answer.map((fetched) => ({ ...fetched, batches: Buffer.alloc(0), error: 'STORAGE_ERROR' as const }))
      },
    })
    const again = await turnedUntil(clock, start({ ...options, log: troubled }))
    for (const key of ['a|k', 'b|k']) await send(again, 'words', key, 'x')
    await again.settle()
    expect(failures).toBe(1)
    expect(wiped()).toBe(0)
    expect(pairs(await again.read('counts-out'))).toEqual(['a|k=1', 'b|k=1', 'a|k=2', 'b|k=2'])
  })

  test('after a wipe is survived too: state comes back from its changelogs (S2)', async () => {
    const clock = new HandClock(t0)
    const { log, options, wiped } = await counted(clock)
    let asked = 0
    const troubled = override(log, {
      listOffsets: (partitions, where) => {
        if (where !== 'latest' || partitions[0]?.topic.endsWith('-changelog') !== true)
          return log.listOffsets(partitions, where)
        asked++
        // The store stands beyond the changelog, then the log does not answer.
        if (asked === 1) return Promise.resolve(partitions.map(() => -1n))
        if (asked === 2) return Promise.reject(new LogError('TIMEOUT', 'no answer', 'retry'))
        return log.listOffsets(partitions, where)
      },
    })
    const again = await turnedUntil(clock, start({ ...options, log: troubled }))
    for (const key of ['a|k', 'b|k']) await send(again, 'words', key, 'x')
    await again.settle()
    expect(asked).toBe(3)
    expect(wiped()).toBe(1)
    expect(pairs(await again.read('counts-out'))).toEqual(['a|k=1', 'b|k=1', 'a|k=2', 'b|k=2'])
  })
})

describe('restoring', () => {
  test('puts the replayed tail on disk, so that kills in a row do not add their tails up (S3)', async () => {
    const clock = new HandClock(t0)
    const { options } = await counted(clock)
    const fresh = memoryDatabases()
    let rows = 0
    const databases = override(fresh, {
      open: async (path) => {
        const database = await fresh.open(path)
        return override(database, {
          write: (written, positions) => {
            rows += written.filter(({ store }) => ['counts', 'set-aside'].includes(store)).length
            return database.write(written, positions)
          },
        })
      },
    })
    await turnedUntil(clock, start({ ...options, databases }))
    expect(rows).toBe(2)
  })

  test('a long changelog is flushed on the way: what is held in memory stays bounded (S3)', async () => {
    const clock = new HandClock(t0)
    const log = openMemoryLog({ clock, random })
    const [part] = countProgram().subTopologies
    if (part === undefined) throw new Error('the program has a part')
    const topics = ['counter-counts-changelog', 'counter-set-aside-changelog']
    await log.createTopics(topics.map((name) => ({ name, partitions: 1, config: {} })))
    for (let batch = 0; batch < 30; batch++) {
      const rows = Array.from({ length: 100 }, (_, n) => ({ key: `${n % 2 === 0 ? 'a' : 'b'}|${batch}-${n}`, value: Buffer.alloc(1000), timestamp: t0 })) // prettier-ignore
      await sendBatch(log, { topic: 'counter-counts-changelog' }, rows)
    }
    const database = await memoryDatabases().open('task')
    const state = TaskState.open({ database, stores: part.stores.map(({ name, logged }) => ({ name, logged })) })
    let most = 0
    const watched = override(log, {
      fetch: (request) => {
        most = Math.max(most, state.uncommittedBytes + state.unflushedBytes)
        return log.fetch(request)
      },
    })
    const bounds = { fetchMaxBytes: 100_000, flushBytes: 200_000, now: () => t0 }
    const records = await restoreTask({ log: watched, application: 'counter', part, partition: 0, state, ...bounds })
    expect(records).toBe(3000)
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThan(600_000)
    for (const key of ['a|0-0', 'b|29-99']) expect(state.store('counts').get(Buffer.from(key))).toHaveLength(1000)
  })
})
