/** The order of a commit and of what surrounds it (W1-W3, C1, C2): watched call by call. */

import { describe, expect, test } from 'vitest'
import type { GroupOptions, Log, ProducerSession } from '../../../connectors/kafka/index.ts'
import { openMemoryLog } from '../../../connectors/kafka/index.ts'
import { memoryDatabases } from '../../../state-stores/index.ts'
import { HandClock, TopologyDriver } from '../../../topology/testing/index.ts'
import { override, pairs, random, send, sendBatch, spin, t0, turnedUntil, turns, useDrivers } from './harness.ts'
import { mortalLog } from './mortal-log.ts'
import { countProgram } from './programs.ts'

const { start } = useDrivers()

/** Three keys of two tenants on three partitions. */
const keys = ['a|0', 'a|1', 'b|2']

interface Watched {
  readonly log: Log
  readonly inner: Log
  readonly calls: string[]
  group: GroupOptions | null
  /** What the end of a transaction waits for. */
  hold: Promise<void>
}

/** A log that writes down what the application `counter` asks of it. */
function watchedLog(inner: Log): Watched {
  const calls: string[] = []
  const wrap = (session: ProducerSession): ProducerSession =>
    override(session, {
      begin: () => {
        calls.push('begin')
        session.begin()
      },
      append: async (batches) => {
        calls.push(`append ${batches.length}`)
        const answer = await session.append(batches)
        calls.push('appended')
        return answer
      },
      sendOffsets: async (group, offsets) => {
        calls.push(`offsets ${offsets.map(({ partition }) => partition).sort().join(' ')}`) // prettier-ignore
        await session.sendOffsets(group, offsets)
        calls.push('sent')
      },
      end: async (outcome) => {
        calls.push(outcome)
        await watched.hold
        await session.end(outcome)
        calls.push('ended')
      },
    })
  const log = override(inner, {
    openProducer: async (options) => {
      if (options.transactionalId === null) return inner.openProducer(options)
      const session = await inner.openProducer(options)
      calls.push('opened')
      return wrap(session)
    },
    committedOffsets: (...args) => {
      calls.push('committed offsets')
      return inner.committedOffsets(...args)
    },
    joinGroup: (options) => {
      watched.group = options
      return inner.joinGroup(options)
    },
  })
  const watched: Watched = { log, inner, calls, group: null, hold: Promise.resolve() }
  return watched
}

async function running(): Promise<{ driver: TopologyDriver; watched: Watched; clock: HandClock }> {
  const clock = new HandClock(t0)
  const watched = watchedLog(openMemoryLog({ clock, random }))
  const driver = await start({ topologies: [countProgram()], clock, log: watched.log, partitions: 3 })
  return { driver, watched, clock }
}

const openBefore = (calls: readonly string[]): number => calls.lastIndexOf('opened', calls.indexOf('committed offsets'))

describe('starting', () => {
  test('the producer is opened before committed offsets are read (W1)', async () => {
    const { watched } = await running()
    expect(watched.calls).toContain('committed offsets')
    expect(openBefore(watched.calls)).toBe(0)
  })

  test('so what a killed predecessor left open is decided: its records count once (W1)', async () => {
    const clock = new HandClock(t0)
    const log = openMemoryLog({ clock, random })
    const mortal = mortalLog(log, 'counter')
    // Not closed after the test: a dead process does not close.
    const killed = await TopologyDriver.start({ topologies: [countProgram()], clock, log: mortal.log, partitions: 3 })
    mortal.killAt('end', 'before')
    for (const key of keys) await send(killed, 'words', key, 'x')
    for (let n = 0; n < 20 && !mortal.isDead; n++) await spin(clock)
    expect(mortal.isDead).toBe(true)
    const options = { topologies: [countProgram()], clock, log, databases: memoryDatabases() }
    const again = await turnedUntil(clock, start(options))
    await again.settle()
    expect(pairs(await again.read('counts-out')).sort()).toEqual(keys.map((key) => `${key}=1`))
  })
})

describe('a commit', () => {
  test('produces, then sends offsets, then ends, one after the other (C1); one transaction for all tasks (W3)', async () => {
    const { driver, watched, clock } = await running()
    watched.calls.length = 0
    for (const key of keys) await send(driver, 'words', key, 'x')
    await driver.settle()
    await clock.turnTo(clock.now() + 200)
    expect(watched.calls.filter((call) => call === 'opened')).toEqual([])
    const commits = watched.calls.join(', ').split(/(?<=\bended)(?:, |$)/).filter((commit) => commit !== '') // prettier-ignore
    for (const commit of commits) expect(commit).toMatch(/^begin, (append \d+, appended, )+offsets [\d ]+, sent, commit, ended$/) // prettier-ignore
    expect(commits.length).toBeGreaterThan(0)
    expect(pairs(await driver.read('counts-out')).sort()).toEqual(keys.map((key) => `${key}=1`))
  })

  test('holds the tasks of every partition when all of them have work (W3)', async () => {
    const { driver, watched, clock } = await running()
    await driver.settle()
    watched.calls.length = 0
    const { promise, resolve } = Promise.withResolvers<void>()
    watched.hold = promise
    // The first commit is held, so that the next finds work on all three.
    await send(driver, 'words', 'a|0', 'x')
    for (let n = 0; n < 20 && !watched.calls.includes('commit'); n++) await spin(clock)
    for (let n = 0; n < 30; n++) await send(driver, 'words', `${n % 2 === 0 ? 'a' : 'b'}|${n}`, 'x')
    await turns()
    resolve()
    await driver.settle()
    expect(watched.calls).toContain('offsets 0 1 2')
  })

  test('moves rows down in the stores only when the log has committed, with their changelog positions (C2)', async () => {
    const clock = new HandClock(t0)
    const watched = watchedLog(openMemoryLog({ clock, random }))
    const inner = memoryDatabases()
    const written: { rows: number; position: bigint | undefined }[] = []
    const databases = override(inner, {
      open: async (path) => {
        const database = await inner.open(path)
        return override(database, {
          write: (rows, positions) => {
            written.push({
              rows: rows.filter(({ store }) => store === 'counts').length,
              position: positions.get('counts'),
            })
            return database.write(rows, positions)
          },
        })
      },
    })
    const driver = await start({ topologies: [countProgram()], clock, log: watched.log, databases })
    await driver.settle()
    written.length = 0
    const { promise, resolve } = Promise.withResolvers<void>()
    watched.hold = promise
    await sendBatch(driver.log, { topic: 'words' }, keys.map((key) => ({ key, value: 'x', timestamp: t0 }))) // prettier-ignore
    // Longer than the age bound of a flush, shorter than the transaction timeout.
    for (let n = 0; n < 10; n++) await spin(clock, 700)
    const meanwhile = written.filter(({ rows, position }) => rows > 0 || position !== 0n)
    const lastCall = watched.calls.at(-1)
    resolve()
    await driver.settle()
    await driver.advance(10_000)
    expect(lastCall).toBe('commit')
    expect(meanwhile).toEqual([])
    expect(written.reduce((sum, { rows }) => sum + rows, 0)).toBe(keys.length)
    const [end] = await driver.log.listOffsets([{ topic: 'counter-counts-changelog', partition: 0 }], 'stable')
    // The marker of the transaction takes the last offset.
    expect(written.at(-1)?.position).toBe((end ?? 0n) - 1n)
  })
})

describe('a rebalance', () => {
  test('waits for the turn at work, and the next turn waits for it (W2)', async () => {
    const { driver, watched, clock } = await running()
    await driver.settle()
    const { promise, resolve } = Promise.withResolvers<void>()
    watched.hold = promise
    await send(driver, 'words', 'a|0', 'x')
    for (let n = 0; n < 20 && watched.calls.at(-1) !== 'commit'; n++) await spin(clock)
    expect(watched.calls.at(-1)).toBe('commit')
    let revoked = false
    const places = [0, 1, 2].map((partition) => ({ topic: 'words', partition }))
    const revoking = watched.group?.listener.revoked(places).then(() => (revoked = true))
    for (let n = 0; n < 5; n++) await spin(clock)
    expect(revoked).toBe(false)
    expect(driver.worker.application('counter')?.status().tasks).toBe(3)
    resolve()
    await turnedUntil(clock, revoking ?? Promise.resolve(false))
    expect(revoked).toBe(true)
    expect(watched.calls.at(-1)).toBe('ended')
    expect(driver.worker.application('counter')?.status().tasks).toBe(0)
    expect(pairs(await driver.read('counts-out'))).toEqual(['a|0=1'])
  })
})
