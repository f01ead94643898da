import { describe, expect, test } from 'vitest'
import type { Log } from '../../../connectors/kafka/index.ts'
import { LogError, openMemoryLog } from '../../../connectors/kafka/index.ts'
import { StateError, TaskState, memoryDatabases } from '../../../state-stores/index.ts'
import { restoreTask } from '../../../topology/runtime/restore.ts'
import { HandClock } from '../../../topology/testing/index.ts'
import {
  lastingDatabases,
  override,
  pairs,
  random,
  send,
  sendBatch,
  spin,
  t0,
  turnedUntil,
  useDrivers,
} from './harness.ts'
import { carelessProgram, countProgram } from './programs.ts'

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
  test('that passes does not wipe what is on disk (RS2)', async () => {
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

  test('after a wipe is survived too: state comes back from its changelogs (RS2)', async () => {
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

describe('state and changelog that do not belong together', () => {
  const topic = 'counter-counts-changelog'
  const hour = 60 * 60 * 1000

  /** Two words counted and flushed, then one more of each that only the changelog has. */
  async function flushedOnce() {
    const clock = new HandClock(t0)
    const databases = lastingDatabases()
    const options = { topologies: [countProgram()], clock, log: openMemoryLog({ clock, random }) }
    const first = await start({ ...options, databases })
    const words = async (driver: typeof first): Promise<void> => {
      for (const key of ['a|k', 'b|k']) await send(driver, 'words', key, 'x')
      await driver.settle()
    }
    await words(first)
    await first.close()
    const elsewhere = await start({ ...options, databases: memoryDatabases() })
    await words(elsewhere)
    await elsewhere.close()
    const again = async (log: Log, at = clock): Promise<readonly string[]> => {
      const driver = await turnedUntil(at, start({ ...options, clock: at, databases, log }))
      await words(driver)
      const counts = pairs(await driver.read('counts-out'))
      expect(counts.slice(-2)).toEqual(['a|k=3', 'b|k=3'])
      return driver.notices
    }
    return { clock, log: options.log, databases, again }
  }

  const withConfig = (log: Log, change: object): Log =>
    override(log, {
      metadata: async (names) => (await log.metadata(names)).map((found) => (found.name === topic ? { ...found, ...change } : found)), // prettier-ignore
    })

  test('a store of the same log is caught up', async () => {
    const { log, databases, again } = await flushedOnce()
    await again(log)
    expect(databases.wiped).toEqual([])
  })

  test('a changelog that was made anew is another one, by its id (RS2)', async () => {
    const { log, databases, again } = await flushedOnce()
    const notices = await again(withConfig(log, { topicId: 'another' }))
    expect(databases.wiped).toEqual(['counter/main_0'])
    expect(notices.join('\n')).toContain('store "counts" was made from changelog')
  })

  test('another cluster is another log, whatever its topics are called (RS2)', async () => {
    const { log, databases, again } = await flushedOnce()
    await again(override(log, { clusterId: 'another' }))
    expect(databases.wiped).toEqual(['counter/main_0'])
  })

  test.each([
    ['kept a day', {}, 23 * hour, 0],
    ['kept a day, come back too late', {}, 25 * hour, 1],
    ['kept an hour', { config: { 'cleanup.policy': 'compact', 'delete.retention.ms': String(hour) } }, 2 * hour, 1],
    ['never compacted', { config: { 'cleanup.policy': 'delete' } }, 1000 * hour, 0],
    ['after the clock went back', {}, -hour, 1],
  ])('deletions %s (RS4)', async (_, change, afterMs, wiped) => {
    const { clock, log, databases, again } = await flushedOnce()
    if (afterMs > 0) await clock.turnTo(clock.now() + afterMs)
    const at = afterMs > 0 ? clock : new HandClock(clock.now() + afterMs)
    const changed = withConfig(log, change)
    // The topics are there; that one of them has another policy is not judged again here.
    await again(afterStart(log, changed), at)
    expect(databases.wiped).toHaveLength(wiped)
  })

  /** `log` for the first look at the topics, then `later`. */
  const afterStart = (log: Log, later: Log): Log => {
    let looks = 0
    return override(later, { metadata: (names) => (looks++ < 2 ? log : later).metadata(names) })
  }
})

describe('damage that a step has met', () => {
  test('is not committed although the step went on: wiped, restored, done again (state-stores S8)', async () => {
    const clock = new HandClock(t0)
    const databases = lastingDatabases()
    let damaged = false
    const failing = override(databases, {
      open: async (path) => {
        const database = await databases.open(path)
        return override(database, {
          get: (store, key) => {
            if (damaged && store === 'counts') throw new StateError('STATE_CORRUPT', 'a block is damaged', 'restore')
            return database.get(store, key)
          },
        })
      },
      wipe: async (path) => {
        damaged = false
        await databases.wipe(path)
      },
    })
    const options = { topologies: [carelessProgram()], clock, log: openMemoryLog({ clock, random }) }
    const first = await start({ ...options, databases: failing })
    for (const key of ['a|k', 'b|k']) await send(first, 'words', key, 'x')
    await first.settle()
    await first.close()
    const driver = await start({ ...options, databases: failing, settings: { retryMinMs: 1 } })
    damaged = true
    for (const key of ['a|k', 'b|k']) await send(driver, 'words', key, 'x')
    await driver.settle()
    expect(pairs(await driver.read('counts-out'))).toEqual(['a|k=1', 'b|k=1', 'a|k=2', 'b|k=2'])
    expect(databases.wiped).toEqual(['counter/main_0'])
  })
})

describe('damage that a flush has met', () => {
  test('is restored although nothing is to be done (state-stores S8)', async () => {
    const clock = new HandClock(t0)
    const databases = lastingDatabases()
    let damaged = true
    const failing = override(databases, {
      open: async (path) => {
        const database = await databases.open(path)
        return override(database, {
          write: async (rows, positions) => {
            if (damaged) throw new StateError('STATE_CORRUPT', 'a file is gone', 'restore')
            await database.write(rows, positions)
          },
        })
      },
      wipe: async (path) => {
        damaged = false
        await databases.wipe(path)
      },
    })
    const log = openMemoryLog({ clock, random })
    const settings = { retryMinMs: 1, retryMaxMs: 1 }
    const driver = await start({ topologies: [countProgram()], clock, log, databases: failing, settings })
    for (const key of ['a|k', 'b|k']) await send(driver, 'words', key, 'x')
    await driver.settle()
    for (let n = 0; n < 20 && databases.wiped.length === 0; n++) await spin(clock, 1000)
    await driver.settle()
    expect(databases.wiped).toEqual(['counter/main_0'])
    expect(driver.notices.filter((line) => line.startsWith('flush of local state failed'))).toHaveLength(1)
    for (const key of ['a|k', 'b|k']) await send(driver, 'words', key, 'x')
    await driver.settle()
    expect(pairs(await driver.read('counts-out'))).toEqual(['a|k=1', 'b|k=1', 'a|k=2', 'b|k=2'])
  })
})

describe('restoring', () => {
  test('puts the replayed tail on disk, so that kills in a row do not add their tails up (RS3)', async () => {
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

  test('a long changelog is flushed on the way: what is held in memory stays bounded (RS3)', async () => {
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
