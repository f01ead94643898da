/** The checkers of the chaos run, each shown what it must find. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Log, ProducerSession } from '../../connectors/kafka/index.ts'
import { openMemoryLog, RecordBatchBuilder } from '../../connectors/kafka/index.ts'
import { readChaosArguments } from '../../deploy/chaos/arguments.ts'
import { collectEventIds, eventIdOf } from '../../deploy/chaos/event-ids.ts'
import { differentRows } from '../../deploy/chaos/rows.ts'
import { killMoments, seeded } from '../../deploy/chaos/seeded.ts'
import { startLogFindings } from '../../deploy/chaos/start-log.ts'
import type { TaskLag } from '../../deploy/chaos/state-lag.ts'
import { stateLagFindings, taskLags } from '../../deploy/chaos/state-lag.ts'
import { machineClock, machineRandom } from '../../deploy/machine.ts'
import { rocksDatabases } from '../../state-stores/index.ts'

function newLog(): Log {
  return openMemoryLog({ clock: machineClock, random: machineRandom })
}

async function topic(log: Log, name: string, partitions = 1): Promise<void> {
  await log.createTopics([{ name, partitions, config: {} }])
}

/** One transaction with these values in partition 0. */
async function transact(
  session: ProducerSession,
  topicName: string,
  values: readonly Buffer[],
  outcome: 'commit' | 'abort' = 'commit',
): Promise<void> {
  session.begin()
  const records = new RecordBatchBuilder()
  for (const value of values) records.append(1, Buffer.from('k'), value)
  await session.append([{ topic: topicName, partition: 0, records }])
  await session.end(outcome)
}

const producer = (log: Log): Promise<ProducerSession> =>
  log.openProducer({ transactionalId: 't', transactionTimeoutMs: 10_000 })

/** An event as on the wire, as far as its id. */
function framed(id: string, rest = 'x'): Buffer {
  const text = Buffer.from(id)
  const length: number[] = []
  for (let zigzag = text.length * 2; ; zigzag >>>= 7) {
    length.push(zigzag < 0x80 ? zigzag : (zigzag & 0x7f) | 0x80)
    if (zigzag < 0x80) break
  }
  return Buffer.concat([Buffer.from([0, 0, 0, 0, 7, ...length]), text, Buffer.from(rest)])
}

describe('moments', () => {
  test('follow from the seed alone and lie where they may', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 500, max: 20_000 }),
        (seed, kills, lifeMs) => {
          const moments = killMoments(seed, kills, lifeMs)
          expect(moments).toEqual(killMoments(seed, kills, lifeMs))
          expect(moments).toHaveLength(kills)
          for (const { after, waitMs } of moments) expect(waitMs).toBeLessThan(after === 'start' ? 2_500 : lifeMs)
        },
      ),
    )
  })

  test('another seed gives others, and some fall into the start', () => {
    expect(killMoments(1, 25, 8000)).not.toEqual(killMoments(2, 25, 8000))
    const starts = killMoments(1, 1000, 8000).filter(({ after }) => after === 'start').length
    expect(starts).toBeGreaterThan(100)
    expect(starts).toBeLessThan(300)
  })

  test('numbers are spread evenly from 0 to 1', () => {
    const draw = seeded(42)
    const tenths = new Array<number>(10).fill(0)
    for (let count = 0; count < 10_000; count++) {
      const tenth = Math.floor(draw() * 10)
      tenths[tenth] = (tenths[tenth] ?? 0) + 1
    }
    for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(150)
  })
})

describe('arguments', () => {
  test('have defaults', () => {
    expect(readChaosArguments(['--embedded'], 5)).toMatchObject({ program: 'ledger', kills: 400, seed: 5, keep: false })
    expect(readChaosArguments(['--kafka', '--cuts', '3'], 5)).toMatchObject({
      kills: 0,
      cuts: 3,
      transactionVersion: 2,
    })
    expect(readChaosArguments(['--kafka', '--places', '3', '--place', 'C06,C07', '--kills', '2'], 5)).toMatchObject({
      ...{ kills: 2, places: 3, placeNames: ['C06', 'C07'] },
    })
    expect(readChaosArguments(['--embedded', '--program', 'acquire'], 5)).toMatchObject({
      ...{ program: 'acquire', kills: 25, copies: 10, lifeMs: 12_000 },
    })
    expect(readChaosArguments(['--embedded', '--kills', '3', '--seed', '9', '--keep'], 5)).toMatchObject({
      kills: 3,
      seed: 9,
      keep: true,
    })
  })
  test.each([
    [[], '--embedded, --kafka: wanted one of the two'],
    [['--embedded', '--kafka'], '--embedded, --kafka: wanted one of the two'],
    [['--kafka', '--program', 'acquire'], '--kafka: is given with --program acquire'],
    [['--embedded', '--cuts', '3'], '--cuts: is given without --kafka'],
    [['--embedded', '--secured'], '--secured: is given without --kafka'],
    [['--kafka', '--secured', '--cuts', '3'], '--secured: is given with faults on the wire'],
    [['--kafka', '--transaction-version', '1'], '--transaction-version: 1 is given; wanted 0 or 2'],
    [['--kafka', '--places', '3', '--place', 'EndTxn'], '--place: EndTxn is given; wanted places'],
    [['--kafka', '--place', 'C06'], '--place: is given without --places'],
    [['--embedded', '--broker-kills', '1'], '--broker-kills: is given without --kafka'],
    [['--kafka', '--kills', '2', '--broker-kills', '3'], '--broker-kills: 3 is given; wanted at most'],
    [['--embedded', '--kills', 'x'], '--kills: x is given; wanted a whole number'],
    [['--embedded', '--kill', '3'], "Unknown option '--kill'"],
    [['--embedded', '--program', 'x'], '--program: x is given; wanted ledger or acquire'],
  ])('%j is one line', (argv, line) => {
    expect(readChaosArguments(argv, 5)).toContain(line)
  })
})

describe('event ids', () => {
  test('are read from the frame', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 300, unit: 'grapheme' }), (id) => {
        expect(eventIdOf(framed(id))).toBe(id)
      }),
    )
  })

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['another frame', Buffer.from([1, 0, 0, 0, 7, 2, 65])],
    ['an empty id', framed('')],
    ['an id beyond the end', framed('abc', '').subarray(0, 7)],
    ['an endless length', Buffer.from([0, 0, 0, 0, 7, 255, 255, 255, 255, 255, 255])],
  ])('%s is refused', (_, bytes) => {
    expect(() => eventIdOf(bytes)).toThrow(/Confluent framing|no event id/)
  })

  test('an id that occurs again is found, in another topic too; an aborted one does not count (K2)', async () => {
    const log = newLog()
    await topic(log, 'a_events', 2)
    await topic(log, 'b_events')
    const session = await producer(log)
    await transact(session, 'a_events', [framed('one'), framed('two')])
    await transact(session, 'a_events', [framed('three')], 'abort')
    await transact(session, 'b_events', [framed('three')])
    expect(await collectEventIds(log, ['a_events', 'b_events'])).toEqual({ events: 3, repeated: [] })
    await transact(session, 'b_events', [framed('two')])
    const { events, repeated } = await collectEventIds(log, ['a_events', 'b_events'])
    expect(events).toBe(4)
    expect(repeated).toEqual([expect.stringMatching(/^event two stands at a_events-0@1 and at b_events-0@\d+$/)])
    await log.close()
  })
})

describe('state and changelog', () => {
  test('what lies between position and end is measured, by task and store', async () => {
    const log = newLog()
    const directory = mkdtempSync(join(tmpdir(), 'lag-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    const databases = rocksDatabases({
      directory,
      blockCacheBytes: 1 << 20,
      writeBufferBytes: 1 << 20,
      notice: () => undefined,
    })
    for (const store of ['sessions', 'timers']) await topic(log, `research-${store}-changelog`)
    await topic(log, 'research_events')
    const session = await producer(log)
    await transact(session, 'research-sessions-changelog', [Buffer.alloc(9), Buffer.alloc(19)])
    await transact(session, 'research-sessions-changelog', [Buffer.alloc(99)])
    await transact(session, 'research-sessions-changelog', [Buffer.alloc(999)], 'abort')
    const written = await databases.open('research/main_0')
    await written.write([], new Map([['sessions', 1n]]))
    await written.close()
    const [lag, ...others] = await taskLags(log, databases, ['research/main_0'])
    expect(others).toEqual([])
    expect(lag?.task).toBe('research/main_0')
    const stores = new Map(lag?.stores.map((store) => [store.store, store]))
    expect([...stores.keys()].sort()).toEqual(['sessions', 'timers'])
    expect(stores.get('sessions')).toMatchObject({ position: 1n, bytesBehind: 20 + 100, largestTransactionBytes: 100 })
    expect(stores.get('timers')).toMatchObject({ position: null, end: 0n, bytesBehind: 0 })
    await databases.close()
    await log.close()
  })

  const task = (changes: Partial<TaskLag['stores'][number]>): TaskLag => ({
    task: 'research/main_0',
    stores: [{ store: 'sessions', position: 5n, end: 9n, bytesBehind: 1000, largestTransactionBytes: 300, ...changes }],
  })

  test('the bound is the flush size plus one transaction (L2, K5)', () => {
    expect(stateLagFindings([task({})], 700)).toEqual([])
    expect(stateLagFindings([task({})], 699)).toEqual([
      expect.stringContaining('1000 bytes behind its changelogs; at most 999 are allowed'),
    ])
    expect(stateLagFindings([task({ position: 9n, bytesBehind: 0 }), task({ position: null })], 700)).toEqual([])
  })

  test('a store that stands for more than was committed is found (L1)', () => {
    expect(stateLagFindings([task({ position: 10n, bytesBehind: 0 })], 700)).toEqual([
      'research/main_0: store sessions stands at 10, its changelog ends at 9',
    ])
  })
})

describe('rows', () => {
  const rows = (tables: Record<string, string[]>): ReadonlyMap<string, string[]> => new Map(Object.entries(tables))

  test('equal rows have no difference', () => {
    const tables = { organizations: ['{"a":1}', '{"a":2}'], reviews: [] }
    expect(differentRows(rows(tables), rows(tables))).toEqual([])
  })

  test('a lost, a new and a changed row are found (K3)', () => {
    const before = rows({ a: ['1', '2'], b: ['1'], c: ['1'] })
    const after = rows({ a: ['1'], b: ['1', '2'], c: ['9'] })
    expect(differentRows(before, after)).toEqual([
      'a: 1 rows only before, 0 only after the rebuild; only before: 2',
      'b: 0 rows only before, 1 only after the rebuild; only after: 2',
      'c: 1 rows only before, 1 only after the rebuild; only before: 1; only after: 9',
    ])
    expect(differentRows(before, rows({}))).toHaveLength(3)
  })
})

describe('the log of the process', () => {
  test('mere recovery is fine', () => {
    const log =
      'task research/main_0: restored 12 changelog records\nlog: auth_events-0: torn tail of 17 bytes truncated\n'
    expect(startLogFindings(log)).toEqual([])
  })
  test.each([
    'task research/main_0: local state wiped and restored from its changelogs: x',
    '2026-01-01T00:00:00.000Z bug: TypeError',
    'cannot go on: STORAGE_FULL',
    'STATE_CORRUPT: bad position',
  ])('%s is a finding (K4)', (line) => {
    expect(startLogFindings(`ready\n${line}\n`)).toHaveLength(1)
  })
})
