/** The engine under a few real kills, and its checker shown everything that it must find. */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { beforeAll, describe, expect, test } from 'vitest'
import { readChaosArguments } from '../../deploy/chaos/arguments.ts'
import type { Asked } from '../../deploy/chaos/arguments.ts'
import { folded, ledgerFindings } from '../../deploy/chaos/ledger/checks.ts'
import { entryOf, idleMsOf, parseEntry, valueOf } from '../../deploy/chaos/ledger/entries.ts'
import type { Expectation } from '../../deploy/chaos/ledger/expectation.ts'
import { auditProgram, ledgerProgram, topics } from '../../deploy/chaos/ledger/programs.ts'
import type { LedgerData, ReadRecord, StoreRows } from '../../deploy/chaos/ledger/read.ts'
import { readLedger } from '../../deploy/chaos/ledger/read.ts'
import { runLedger } from '../../deploy/chaos/ledger/run.ts'
import { schedule } from '../../deploy/chaos/ledger/schedule.ts'
import type { Planned } from '../../deploy/chaos/ledger/schedule.ts'
import { rocksDatabases } from '../../state-stores/index.ts'
import { HandClock, TopologyDriver } from '../../topology/testing/index.ts'
import { whyNoKafka } from '../conformance/record.ts'

test('six kills: nobody could tell (G1-G11)', async () => {
  const options = readChaosArguments(['--embedded', '--kills', '6', '--check-every', '3', '--life-ms', '700'], 11)
  if (typeof options === 'string') throw new Error(options)
  const report = await runLedger(options)
  expect(report.findings).toEqual([])
  expect(report).toMatchObject({ seed: 11, kills: 6, checks: 3 })
  expect(report.acknowledged).toBeGreaterThan(0)
  expect(report.entries).toBeGreaterThanOrEqual(report.acknowledged)
}, 120_000)

const lacks = await whyNoKafka()
const inCI = process.env.CI === 'true'
if (lacks !== null) console.log(`nothing is killed on a real Kafka: ${lacks}`)

test.skipIf(lacks !== null && !inCI)(
  `four kills on Kafka, one of them of the broker too: nobody could tell (G1-G11)${lacks === null ? '' : ` (${lacks})`}`,
  async () => {
    const options = readChaosArguments(['--kafka', '--kills', '4', '--broker-kills', '1', '--check-every', '2'], 14)
    if (typeof options === 'string') throw new Error(options)
    const report = await runLedger(options)
    expect(report.findings).toEqual([])
    expect(report).toMatchObject({ kills: 4, broker_kills: 1, checks: 3 })
    expect(report.acknowledged).toBeGreaterThan(0)
  },
  400_000,
)

test.skipIf(lacks !== null && !inCI)(
  `every fault on the way to a Kafka, over two slices: nobody could tell (G1-G11)${lacks === null ? '' : ` (${lacks})`}`,
  async () => {
    const faults = [
      '--cuts',
      '3',
      '--late',
      '1',
      '--zombies',
      '1',
      '--rebalances',
      '2',
      '--places',
      '1',
      '--place',
      'C16',
    ]
    const given = ['--kafka', '--kills', '0', ...faults]
    const options = readChaosArguments([...given, '--minutes', '0'], 15)
    if (typeof options === 'string') throw new Error(options)
    const first = await runLedger(options)
    expect(first).toMatchObject({ finished: false, lives: 0, checks: 1, findings: [] })
    const resumed = readChaosArguments(['--kafka', '--resume', first.directory], 99)
    if (typeof resumed === 'string') throw new Error(resumed)
    const report = await runLedger(resumed)
    expect(report.findings).toEqual([])
    expect(report).toMatchObject({ finished: true, seed: 15, checks: 2, kills_at_places: { C16: 1 } })
    expect(report.faults).toMatchObject({
      'cut answer EndTxn': 1,
      'cut answer Produce': 1,
      'cut answer TxnOffsetCommit': 1,
      'late EndTxn, given up: done': 1,
      'zombie at any moment': 1,
    })
    const names = Object.keys(report.faults)
    for (const sign of ['JoinGroup', 'LeaveGroup']) expect(names.filter((name) => name.startsWith(`${sign} during`))).toHaveLength(1) // prettier-ignore
  },
  600_000,
)

/** A checkout of the last revision alone has none before it. */
const hasBefore = spawnSync('git', ['rev-parse', '--verify', '--quiet', 'HEAD^']).status === 0
if (!hasBefore) console.log('nothing is upgraded: there is no revision before this one here')

test.skipIf(!hasBefore || (lacks !== null && !inCI))(
  'three processes of the build before become this one, twice, one of them killed each time: nobody could tell (G1-G11)',
  async () => {
    const options = readChaosArguments(['--kafka', '--upgrades', '2'], 17)
    if (typeof options === 'string') throw new Error(options)
    const report = await runLedger(options)
    expect(report.findings).toEqual([])
    expect(report.faults).toEqual({ 'killed and started as this build': 2, 'stopped and started as this build': 4 })
  },
  600_000,
)

test('a run on the embedded log goes on where its minutes ended, and a directory of none is said to be', async () => {
  const options = readChaosArguments(['--embedded', '--kills', '2', '--minutes', '0'], 12)
  if (typeof options === 'string') throw new Error(options)
  const first = await runLedger(options)
  expect(first).toMatchObject({ finished: false, kills: 0, findings: [] })
  const report = await runLedger({ ...options, seed: 1, kills: 9, timeoutMin: 5, resume: first.directory })
  expect(report).toMatchObject({ finished: true, seed: 12, kills: 2, checks: 2, findings: [] })
  await expect(runLedger({ ...options, resume: first.directory })).rejects.toThrow(/holds no run of chaos/)
}, 120_000)

describe('what is planned', () => {
  const none = { kills: 0, brokerKills: 0, places: 0, placeNames: null, cuts: 0, late: 0, zombies: 0, rebalances: 0, upgrades: 0, before: 'HEAD^', secured: false } // prettier-ignore
  const planned = (asked: Partial<Asked>, seed = 1): readonly Planned[] =>
    schedule(seed, { ...none, transactionVersion: 2, ...asked }, 'kafka', 1_000)
  const everything = { kills: 12, brokerKills: 3, places: 2, cuts: 30, late: 24, zombies: 8, rebalances: 10, upgrades: 2 } // prettier-ignore

  test('follows from the seed, and is mixed', () => {
    expect(planned(everything)).toEqual(planned(everything))
    expect(planned(everything)).not.toEqual(planned(everything, 2))
    const kinds = planned(everything).map(({ kind }) => kind)
    expect(kinds).not.toEqual([...kinds].sort())
  })

  test('is as much as is asked for', () => {
    const lives = Map.groupBy(planned(everything), ({ kind }) => kind)
    const counts = Object.fromEntries([...lives].map(([kind, of]) => [kind, of.length]))
    expect(counts).toEqual({ kill: 12, place: 2 * 19, wire: 2 * 3, cuts: 8, late: 24, zombie: 8, rebalance: 5, upgrade: 2 }) // prettier-ignore
    const places = (lives.get('place') ?? []).map((life) => (life.kind === 'place' ? life.place : ''))
    const names = Array.from({ length: 19 }, (_, n) => `C${String(n + 1).padStart(2, '0')}`)
    expect(places.sort()).toEqual([...names, ...names].sort())
    expect(planned(everything).filter((life) => life.kind === 'kill' && life.brokerAwayMs !== null)).toHaveLength(3)
    expect(planned(everything).filter((life) => life.kind === 'late' && life.api === 'EndTxn')).toHaveLength(20)
    for (const until of ['given up', 'successor', 'next transaction', 'timed out', 'its process is dead', 'dead and timed out']) // prettier-ignore
      expect(planned(everything).filter((life) => life.kind === 'late' && life.api === 'EndTxn' && life.until === until).length, until).toBeGreaterThan(1) // prettier-ignore
  })

  test.each([
    [2, ['EndTxn', 'Produce', 'TxnOffsetCommit', 'plain Produce']],
    [
      0,
      [
        'AddOffsetsToTxn',
        'AddPartitionsToTxn',
        'EndTxn',
        'InitProducerId',
        'Produce',
        'TxnOffsetCommit',
        'plain Produce',
      ],
    ],
  ] as const)(
    'cuts every request that writes, as often, before and after it is done (transaction version %i)',
    (version, names) => {
      const cuts = planned({ cuts: 12 * names.length, transactionVersion: version }).flatMap((life) => (life.kind === 'cuts' ? life.cuts : [])) // prettier-ignore
      const byName = Map.groupBy(cuts, ({ api, transactional }) => (transactional ? api : `plain ${api}`))
      expect([...byName.keys()].sort()).toEqual(names)
      for (const of of byName.values())
        expect(of.map(({ deed, side }) => `${deed} ${side}`).sort()).toEqual([
          ...Array<string>(6).fill('cut answer'),
          ...Array<string>(3).fill('cut request'),
          ...Array<string>(2).fill('silence answer'),
          'silence request',
        ])
    },
  )

  test('is some places alone where they are named, on the wire too', () => {
    const lives = planned({ places: 3, placeNames: ['C06', 'C07'], transactionVersion: 0 })
    const names = lives.map((life) => (life.kind === 'place' ? life.place : life.kind === 'wire' ? `${life.side} ${life.api}` : '')) // prettier-ignore
    expect(names.sort()).toEqual([
      ...['C06', 'C06', 'C06', 'C07', 'C07', 'C07'],
      ...['answer AddOffsetsToTxn', 'answer TxnOffsetCommit', 'answer TxnOffsetCommit'],
      ...['request AddOffsetsToTxn', 'request AddOffsetsToTxn', 'request TxnOffsetCommit'],
    ])
  })
})

test('an entry follows from seed, producer and number, and is read back', () => {
  const entry = entryOf(7, '3.1', 42)
  expect(entryOf(7, '3.1', 42)).toEqual(entry)
  expect(parseEntry(entry.key, valueOf(entry))).toEqual(entry)
  expect(new Set([entry, entryOf(8, '3.1', 42), entryOf(7, '3.0', 42), entryOf(7, '3.1', 43)].map(valueOf)).size).toBe(4) // prettier-ignore
})

const seed = 5
const count = 300

interface Draft {
  entries: ReadRecord[][]
  postings: ReadRecord[][]
  moved: ReadRecord[][]
  groups: ReadRecord[][]
  checked: ReadRecord[][]
  passed: ReadRecord[][]
  dead: ReadRecord[][]
  deadElsewhere: number
  committed: Map<string, bigint>
  stores: (Omit<StoreRows, 'rows' | 'changelog'> & { rows: Map<string, string>; changelog: ReadRecord[] })[]
  open: string[]
  left: string[]
}

let data: LedgerData
const expected: Expectation = {
  ...{ seed, acknowledged: new Map([['0.0', count - 1]]), slow: [], committedBefore: new Map(), isEnd: true },
}

/** An entry, and how long before it came to the log it was written, in ms. */
type Sent = readonly [n: number, ageMs: number]

/** The programs' own work, on a log in memory. */
async function worked(entries: readonly Sent[], pauseMs: (n: number) => number): Promise<LedgerData> {
  const clock = new HandClock()
  const topologies = [ledgerProgram(), auditProgram(clock, () => 5)]
  const directory = mkdtempSync(join(tmpdir(), 'ledger-'))
  const caches = { blockCacheBytes: 1 << 20, writeBufferBytes: 1 << 20 }
  const databases = rocksDatabases({ directory, notice: () => undefined, ...caches })
  const driver = await TopologyDriver.start({ topologies, clock, partitions: 3, databases })
  for (const [n, ageMs] of entries) {
    const entry = entryOf(seed, '0.0', n)
    const [key, value, timestamp] = [Buffer.from(entry.key), Buffer.from(valueOf(entry)), clock.now() - ageMs]
    await driver.send(topics.entries, { key, value, timestamp })
    if (pauseMs(n) > 0) await driver.advance(pauseMs(n))
  }
  await driver.advance(5_000)
  await driver.close()
  const read = { ...(await readLedger(driver.log, [{ name: 'a', databases }])), left: [] }
  await databases.close()
  rmSync(directory, { recursive: true })
  return read
}

beforeAll(async () => {
  data = await worked(Array.from({ length: count }, (_, n): Sent => [n, 0]), (n) => (n % 10 === 0 ? 150 : 0)) // prettier-ignore
})

test('an entry that comes long after its time, when its timer has fired, is posted and arms nothing in the past', async () => {
  const first = Array.from({ length: count }, (_, n) => n).find((n) => !entryOf(seed, '0.0', n).bad) ?? 0
  const { key } = entryOf(seed, '0.0', first)
  const ofKey = Array.from({ length: count }, (_, n) => n).filter(
    (n) => n > first && entryOf(seed, '0.0', n).key === key,
  )
  const [late = 0, later = 0] = ofKey.filter((n) => !entryOf(seed, '0.0', n).bad)
  const read = await worked([[first, 0], [late, 20_000], [later, 0]], () => 6_000) // prettier-ignore
  expect(read.dead.flat()).toEqual([])
  const values = read.postings.flat().map(({ value }) => value?.split(':').slice(0, 2).join(':'))
  const idle = expect.stringMatching(/^idle:/) as unknown as string
  expect(values).toEqual([`0.0:${first}`, idle, `0.0:${late}`, `0.0:${later}`, idle])
  const told = {
    seed,
    committedBefore: new Map<string, bigint>(),
    isEnd: true,
    acknowledged: new Map<string, number>(),
  }
  const rules = ledgerFindings(read, { ...told, slow: [] }).filter((line) => !line.startsWith('G1 '))
  expect(rules).toEqual([])
})

const copy = (): Draft => structuredClone(data) as unknown as Draft

test('the data has what the rules speak of, and no finding', () => {
  expect(ledgerFindings(data, expected)).toEqual([])
  expect(data.entries.flat()).toHaveLength(count)
  expect(data.postings.flat().filter(({ value }) => value?.startsWith('idle:')).length).toBeGreaterThan(50)
  expect(data.dead.flat().length).toBeGreaterThan(2)
  expect(data.groups.flat()).toHaveLength(count - data.dead.flat().length)
  expect(data.checked.flat()).toHaveLength(data.postings.flat().length)
  expect(data.passed.flat()).toHaveLength(data.groups.flat().length)
  for (const store of ['balances', 'totals', 'seen', 'idle-timers'])
    expect(
      data.stores.some(({ store: name, rows }) => name === store && rows.size > 0),
      store,
    ).toBe(true)
})

type Topic = 'entries' | 'postings' | 'moved' | 'groups' | 'checked' | 'passed'

const partitionOf = (draft: Draft, topic: Topic): ReadRecord[] => {
  const found = draft[topic].find((records) => records.length > 20)
  if (found === undefined) throw new Error(`no partition of ${topic} is long enough`)
  return found
}

const lose = (topic: Topic) => (draft: Draft) => void partitionOf(draft, topic).splice(10, 1)

const double = (topic: Topic) => (draft: Draft) => {
  const records = partitionOf(draft, topic)
  records.splice(11, 0, records[10] as ReadRecord)
}

/** Two records of one account change places. */
const swap = (topic: Topic) => (draft: Draft) => {
  const records = partitionOf(draft, topic)
  const [a, b] = [4, records.findIndex(({ key }, index) => index > 4 && key === records[4]?.key)]
  const [first, second] = [records[a] as ReadRecord, records[b] as ReadRecord]
  records[a] = { ...second, offset: first.offset }
  records[b] = { ...first, offset: second.offset }
}

const change = (topic: Topic) => (draft: Draft) => {
  const records = partitionOf(draft, topic)
  const record = records[10] as ReadRecord
  records[10] = { ...record, value: `${record.value}1` }
}

const isIdle = ({ value }: ReadRecord): boolean => value?.startsWith('idle:') === true

function storeOf(draft: Draft, name: string): Draft['stores'][number] {
  const store = draft.stores.find((candidate) => candidate.store === name && candidate.rows.size > 0)
  if (store === undefined) throw new Error(`no rows in ${name}`)
  return store
}

describe.each([
  ['lost', lose],
  ['twice', double],
  ['out of order', swap],
  ['changed', change],
])('one record is %s', (_, spoil) => {
  test.each([
    ['entries', 'G1'],
    ['postings', 'G2'],
    ['moved', 'G4'],
    ['groups', 'G4'],
    ['checked', 'G5'],
    ['passed', 'G11'],
  ] as const)('of %s: found (%s)', (topic, rule) => {
    const draft = copy()
    if (topic === 'postings') for (const records of draft.postings) records.splice(0, records.length, ...records.filter((record) => !isIdle(record))) // prettier-ignore
    spoil(topic)(draft)
    expect(ledgerFindings(draft, expected)).toContainEqual(expect.stringMatching(`^${rule} `))
  })
})

test.each<[string, string, (draft: Draft) => void]>([
  ['G1', 'an acknowledged entry at the end is lost', (draft) => void draft.entries.find(({ length }) => length > 0)?.pop()],
  ['G1', 'an entry that nobody sent', (draft) => {
    const record = draft.entries[0]?.at(-1) as ReadRecord
    const entry = entryOf(seed, '0.0', count + 1000)
    draft.entries[0]?.push({ ...record, key: entry.key, value: valueOf(entry), offset: record.offset + 1n })
  }],
  ['G2', 'a posting is ahead of the committed offset', (draft) => {
    const place = `ledger ${topics.entries}-0`
    draft.committed.set(place, (draft.committed.get(place) ?? 0n) - 1n)
  }],
  ['G3', 'a timer did not fire before a later entry', (draft) => {
    const records = draft.postings.find((of) => of.some(isIdle)) ?? []
    const at = records.findIndex((record, index) => isIdle(record) && records.slice(index + 1).some(({ key }) => key === record.key)) // prettier-ignore
    records.splice(at, 1)
  }],
  ['G3', 'a timer fired twice', (draft) => {
    const records = draft.postings.find((of) => of.some(isIdle)) ?? []
    const at = records.findIndex(isIdle)
    records.splice(at, 0, records[at] as ReadRecord)
  }],
  ['G3', 'a timer fired although an earlier entry came later', (draft) => {
    const records = draft.postings.find((of) => of.length > 20) ?? []
    const at = records.findIndex((record, index) => !isIdle(record) && idleMsOf(record.key) > 1_000 && records.slice(index + 1).find(({ key }) => key === record.key)?.value?.startsWith('idle:') === false) // prettier-ignore
    const { key, timestamp, offset, value } = records[at] as ReadRecord
    const before = Math.max(...records.slice(0, at + 1).filter((record) => record.key === key).map((record) => record.timestamp)) // prettier-ignore
    const dueAt = before + idleMsOf(key)
    expect(timestamp).toBeLessThanOrEqual(before)
    records.splice(at + 1, 0, { key, offset, timestamp: dueAt, value: `idle:${dueAt}:${value?.split(':')[2]}` })
  }],
  ['G5', 'what was committed as read was not checked', (draft) => {
    for (const records of draft.checked) records.pop()
  }],
  ['G5', 'an account nobody posted to was checked', (draft) => {
    const record = draft.checked[0]?.[0] as ReadRecord
    draft.checked[0]?.push({ ...record, key: 'c|99' })
  }],
  ['G6', 'a row on disk is old', (draft) => {
    const { rows } = storeOf(draft, 'balances')
    const [key = ''] = [...rows.keys()]
    rows.set(key, '1:1:1:')
  }],
  ['G6', 'a row on disk is missing', (draft) => {
    const { rows } = storeOf(draft, 'seen')
    rows.delete([...rows.keys()][0] ?? '')
  }],
  ['G6', 'a row on disk is too many', (draft) => void storeOf(draft, 'totals').rows.set('g9', '1:1:0:')],
  ['G6', 'the disk stands past what is committed', (draft) => {
    const store = storeOf(draft, 'balances')
    Object.assign(store, { position: store.lastStableOffset + 1n })
  }],
  ['G7', 'a changelog row is lost', (draft) => {
    const { changelog } = storeOf(draft, 'totals')
    changelog.pop()
  }],
  ['G7', 'a changelog row is not what the program makes', (draft) => {
    const { changelog } = storeOf(draft, 'balances')
    const last = changelog.pop() as ReadRecord
    changelog.push({ ...last, value: '0:0:0:' })
  }],
  ['G9', 'a transaction is open', (draft) => void draft.open.push('x-0: stable to 1, written to 2')],
  ['G9', 'a member is left in its group', (draft) => void draft.left.push('member x is left in group ledger')],
  ['G10', 'a dead letter is lost', (draft) => void draft.dead.find(({ length }) => length > 0)?.pop()],
  ['G10', 'a dead letter is there twice', (draft) => {
    const records = draft.dead.find(({ length }) => length > 0) ?? []
    records.push(records.at(-1) as ReadRecord)
  }],
  ['G10', 'a dead letter is not what came in', (draft) => {
    const records = draft.dead.find(({ length }) => length > 0) ?? []
    records.push({ ...(records.pop() as ReadRecord), value: 'x' })
  }],
  ['G10', 'a good record of another topic is a dead letter', (draft) => Object.assign(draft, { deadElsewhere: 1 })],
  ['G9', 'a record was not read', (draft) => {
    const place = `audit ${topics.postings}-0`
    draft.committed.set(place, (draft.committed.get(place) ?? 0n) - 2n)
  }],
  ['G9', 'a timer is armed still', (draft) => {
    const { changelog } = storeOf(draft, 'idle-timers')
    const last = changelog.at(-1) as ReadRecord
    changelog.push({ ...last, value: Buffer.alloc(16, 1).toString('latin1') })
  }],
])('%s finds it when %s', (rule, _, spoil) => {
  const draft = copy()
  spoil(draft)
  expect(ledgerFindings(draft, expected)).toContainEqual(expect.stringMatching(`^${rule} `))
}) // prettier-ignore

test('G8 finds it when a committed offset steps back', () => {
  const [place = '', offset = 0n] = [...data.committed].find(([, of]) => of > 0n) ?? []
  const before = { ...expected, committedBefore: new Map([[place, offset + 1n]]) }
  expect(ledgerFindings(data, before)).toEqual([`G8 ${place} was committed to ${offset + 1n}, now to ${offset}`])
})

test('G3 forgives it to an entry that was under way for long, or of which its producer never heard', () => {
  const draft = copy()
  const records = draft.postings.find((of) => of.length > 20) ?? []
  const at = records.findIndex((record, index) => !isIdle(record) && idleMsOf(record.key) > 1_000 && records.slice(index + 1).find(({ key }) => key === record.key)?.value?.startsWith('idle:') === false) // prettier-ignore
  const { key, offset, value } = records[at] as ReadRecord
  const before = Math.max(...records.slice(0, at + 1).filter((record) => record.key === key).map((record) => record.timestamp)) // prettier-ignore
  const dueAt = before + idleMsOf(key)
  const later = Number(
    records
      .slice(at + 1)
      .find((record) => record.key === key)
      ?.value?.split(':')[1],
  )
  records.splice(at + 1, 0, { key, offset, timestamp: dueAt, value: `idle:${dueAt}:${value?.split(':')[2]}` })
  const early = (told: Partial<Expectation>): string[] =>
    ledgerFindings(draft, { ...expected, ...told }).filter((line) => line.includes(`due at ${dueAt} fired before`))
  expect(early({})).toHaveLength(1)
  expect(early({ slow: [['0.0', later, later]] })).toEqual([])
  expect(early({ slow: [['0.0', later + 1, later + 9], ['0.1', later, later]] })).toHaveLength(1) // prettier-ignore
  expect(early({ acknowledged: new Map([['0.0', later - 1]]) })).toEqual([])
})

test('G9 is asked only in the end: in between something may be left', () => {
  const draft = copy()
  draft.open.push('x-0: stable to 1, written to 2')
  expect(ledgerFindings(draft, { ...expected, isEnd: false })).toEqual([])
})

test('a changelog is folded up to a position: later rows and deleted ones do not count', () => {
  const row = (offset: bigint, key: string, value: string | null): ReadRecord => ({ offset, key, value, timestamp: 0 })
  const rows = [row(0n, 'a', '1'), row(1n, 'b', '1'), row(2n, 'a', null), row(5n, 'b', '2')]
  expect(folded(rows, 5n)).toEqual(new Map([['b', '1']]))
  expect(folded(rows, 6n)).toEqual(new Map([['b', '2']]))
})
