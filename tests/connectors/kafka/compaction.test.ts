/** Compaction and retention of the embedded log: what stays, what goes, and what a crash in the middle leaves (K1-K7, L17, L18). */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { LogClient, openEmbeddedBroker, RecordBatchBuilder, RecordCursor } from '../../../connectors/kafka/index.ts'
import type { Broker, EmbeddedLogOptions, Isolation, Log, ProducerSession } from '../../../connectors/kafka/index.ts'
import { fails } from '../../contracts/log.ts'
import { HandClock, seededRandom, settle } from './hand-clock.ts'
import { broken, full, SimulatedDisk } from './simulated-disk.ts'

const TOPIC = 'rows'
const WHERE = { topic: TOPIC, partition: 0 }
const CLEAN_MS = 1_000
const DAY_MS = 86_400_000
const COMPACTED = { 'cleanup.policy': 'compact', 'segment.bytes': '400', 'min.cleanable.dirty.ratio': '0.1' }

interface Row {
  readonly offset: bigint
  readonly key: string
  readonly value: string | null
}

/** What was written, in order, and what became of it. */
interface Written extends Row {
  outcome: 'committed' | 'aborted' | 'unknown'
}

describe('compaction', () => {
  test('keeps the last record of each key at its offset, and the rest is gone', async () => {
    const world = await started({})
    const producer = await world.plain()
    for (let i = 0; i < 30; i++) await put(producer, `k${i % 3}`, `v${i}`)
    await world.clean()
    const rows = await world.rows()
    expect(rows.length).toBeLessThan(15)
    for (const key of ['k0', 'k1', 'k2']) {
      const last = rows.findLast((row) => row.key === key)!
      expect([last.offset, last.value]).toEqual([27n + BigInt(key[1]!), `v${27 + Number(key[1])}`])
    }
    expect(await world.log.listOffsets([WHERE], 'earliest')).toEqual([0n])
    expect(await world.log.listOffsets([WHERE], 'latest')).toEqual([30n])
  })

  test('puts small segments together, and a reopen finds the same', async () => {
    const world = await started({})
    const producer = await world.plain()
    for (let i = 0; i < 60; i++) await put(producer, `k${i % 2}`, `v${i}`)
    const before = segmentsOf(world.disk).length
    await world.clean()
    await fill(world)
    await world.clean()
    expect(segmentsOf(world.disk).length).toBeLessThanOrEqual(before / 2)
    const rows = await world.rows()
    await world.reopen()
    expect(await world.rows()).toEqual(rows)
  })

  test('what was aborted is gone for every reader, what was committed is there, also after a reopen (K2)', async () => {
    const world = await started({})
    const producer = await world.transactional('p')
    for (let i = 0; i < 20; i++) {
      producer.begin()
      await put(producer, `k${i % 3}`, `v${i}`)
      await producer.end(i % 2 === 0 ? 'commit' : 'abort')
    }
    await fill(world)
    await world.clean()
    for (const isolation of ['read_committed', 'read_uncommitted'] as const) {
      const rows = (await world.rows(isolation)).filter(({ key }) => key.startsWith('k'))
      expect(rows.map(({ value }) => value)).toEqual(['v14', 'v16', 'v18'])
    }
    await world.reopen()
    expect((await world.rows()).filter(({ key }) => key.startsWith('k')).map(({ value }) => value)).toEqual([
      'v14',
      'v16',
      'v18',
    ])
    expect(await world.log.listOffsets([WHERE], 'stable')).toEqual(await world.log.listOffsets([WHERE], 'latest'))
    const next = await world.transactional('p')
    next.begin()
    await put(next, 'k0', 'after')
    await next.end('commit')
    expect((await world.rows()).at(-1)!.value).toBe('after')
  })

  test('nothing at or above an open transaction is touched (K1)', async () => {
    const world = await started({})
    const [open, plain] = [await world.transactional('p'), await world.plain()]
    for (let i = 0; i < 20; i++) await put(plain, 'k', `early${i}`)
    open.begin()
    await put(open, 'k', 'undecided')
    for (let i = 0; i < 20; i++) await put(plain, 'k', `late${i}`)
    await world.clean()
    expect((await world.rows('read_uncommitted')).filter(({ value }) => value!.startsWith('late'))).toHaveLength(20)
    await open.end('abort')
    const rows = await world.rows()
    expect(rows.some(({ value }) => value === 'undecided')).toBe(false)
    expect(rows.some(({ value }) => value!.startsWith('early'))).toBe(true)
  })

  test('a tombstone stays for its time after the pass that cleaned it, then goes (K4)', async () => {
    const world = await started({})
    const producer = await world.plain()
    await put(producer, 'gone', 'x')
    await put(producer, 'gone', null)
    await fill(world)
    await world.clean()
    expect(await world.of('gone')).toEqual([null])
    await world.clock.advance(DAY_MS - 2 * CLEAN_MS)
    await fill(world)
    await world.clean()
    expect(await world.of('gone')).toEqual([null])
    await world.reopen()
    await fill(world)
    await world.clean()
    await world.clock.advance(2 * CLEAN_MS)
    await fill(world)
    await world.clean()
    expect(await world.of('gone')).toEqual([])
  })

  test('a producer goes on where it was, although its records are gone (K3)', async () => {
    const world = await started({})
    const broker = world.broker()
    const identity = await broker.initProducerId({ transactionalId: null, transactionTimeoutMs: 1 })
    const send = async (sequence: number) => {
      const records = new RecordBatchBuilder()
      records.append(1, Buffer.from('mine'), Buffer.from(`s${sequence}`))
      const batch = records.build({ ...identity, baseSequence: sequence, transactional: false })
      return (await world.broker().produce({ transactionalId: null, batches: [{ ...WHERE, batch }] }))[0]!
    }
    for (let sequence = 0; sequence < 4; sequence++) await send(sequence)
    await put(await world.plain(), 'mine', 'of another')
    await fill(world)
    await world.clean()
    expect(await world.of('mine')).toEqual(['of another'])
    await world.reopen()
    expect(await world.of('mine')).toEqual(['of another'])
    expect(await send(3)).toMatchObject({ error: null, baseOffset: 3n })
    expect((await send(5)).error).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect((await send(4)).error).toBe(null)
    expect((await send(3)).baseOffset).toBe(3n)
  })

  test('a map that is too small for all keys takes several passes (K5)', async () => {
    const world = await started({ cleanMapBytes: 500 })
    const producer = await world.plain()
    for (let i = 0; i < 120; i++) await put(producer, `k${i % 30}`, `v${i}`)
    await fill(world)
    for (let pass = 0; pass < 60; pass++) await world.clean()
    const keys = (await world.rows()).map(({ key }) => key).filter((key) => key.startsWith('k'))
    expect(new Set(keys).size).toBe(30)
    expect(keys.length).toBe(30)
  })

  test('what lies above the part that was looked at keeps its markers (K1, K5)', async () => {
    const world = await started({ cleanMapBytes: 500 })
    const producer = await world.transactional('p')
    const committed: string[] = []
    for (let i = 0; i < 40; i++) {
      producer.begin()
      await put(producer, `k${i}`, `v${i}`)
      await producer.end(i % 2 === 0 ? 'abort' : 'commit')
      if (i % 2 === 1) committed.push(`v${i}`)
    }
    await fill(world)
    for (let pass = 0; pass < 20; pass++) {
      await world.clean()
      expect((await world.rows()).map(({ value }) => value).filter((value) => value!.startsWith('v'))).toEqual(
        committed,
      )
    }
  })

  test('a reader that a pass overtakes gets bytes and aborted transactions that belong together (L17)', async () => {
    const world = await started({ tailBytes: 0 })
    const producer = await world.transactional('p')
    producer.begin()
    await put(producer, 'k', 'aborted')
    await producer.end('abort')
    await fill(world)
    const { promise, resolve } = Promise.withResolvers<void>()
    world.disk.slowRead = () => promise
    const reading = world.rows()
    await settle()
    world.disk.slowRead = () => null
    await world.clean()
    resolve()
    expect((await reading).map(({ value }) => value)).not.toContain('aborted')
    expect(await world.of('k')).toEqual([])
  })

  test('readers in the middle of a pass see bytes and aborted transactions that belong together (L17)', async () => {
    const world = await started({ tailBytes: 0 })
    const producer = await world.transactional('p')
    for (let i = 0; i < 40; i++) {
      producer.begin()
      await put(producer, `k${i % 4}`, i % 2 === 0 ? `good${i}` : `bad${i}`)
      await producer.end(i % 2 === 0 ? 'commit' : 'abort')
    }
    await fill(world)
    const cleaning = world.clean()
    let reads = 0
    for (let done = false; !done; reads++) {
      done = await Promise.race([cleaning.then(() => true), settle().then(() => false)])
      const rows = await world.rows('read_committed', BigInt(reads % 40), 300)
      expect(rows.filter(({ value }) => value!.startsWith('bad'))).toEqual([])
      for (const key of ['k0', 'k2']) if (reads % 40 < 36) expect(rows.some((row) => row.key === key)).toBe(true)
    }
    expect(reads).toBeGreaterThan(5)
  })

  test('trouble with the disk leaves everything as it was, is said once a pass, and is tried again', async () => {
    const world = await started({})
    const producer = await world.plain()
    for (let i = 0; i < 30; i++) await put(producer, 'k', `v${i}`)
    const before = await world.rows()
    for (const failure of [full(), broken()]) {
      world.disk.failWith = (_, path) => (path.endsWith('.rewritten') ? failure : null)
      await world.clean()
      expect(await world.rows()).toEqual(before)
      expect(world.notices.at(-1)).toContain('rows-0 was not cleaned')
    }
    world.disk.failWith = () => null
    await world.clean()
    expect((await world.rows()).length).toBeLessThan(10)
  })

  test('records of a compacted topic go by their keys alone, and need one', async () => {
    const world = await started({})
    await fails('POLICY_VIOLATION', world.log.deleteRecords([{ ...WHERE, offset: 0n }]))
    const producer = await world.plain()
    const records = new RecordBatchBuilder()
    records.append(1, null, Buffer.from('x'))
    await fails('INVALID_RECORD', producer.append([{ ...WHERE, records }]))
  })

  test('closing in the middle of a pass ends it', async () => {
    const world = await started({})
    const producer = await world.plain()
    for (let i = 0; i < 200; i++) await put(producer, `k${i % 3}`, `v${i}`)
    const before = await world.rows()
    const cleaning = world.clock.advance(CLEAN_MS)
    await world.reopen()
    await cleaning
    const after = await world.rows()
    for (const key of ['k0', 'k1', 'k2'])
      expect(after.findLast((row) => row.key === key)).toEqual(before.findLast((row) => row.key === key))
  })
})

test('any history: of each key the last committed record stays, and nothing else appears', async () => {
  const act = fc.record({
    producer: fc.integer({ min: 0, max: 2 }),
    key: fc.integer({ min: 0, max: 4 }),
    tombstone: fc.boolean(),
    act: fc.constantFrom('put', 'put', 'put', 'put', 'commit', 'abort', 'plain', 'clean', 'reopen'),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(act, { minLength: 20, maxLength: 120 }),
      fc.integer({ min: 60, max: 900 }),
      async (acts, map) => {
        const world = await started({ cleanMapBytes: map })
        const written: Written[] = []
        let producers = await Promise.all([0, 1, 2].map((i) => world.transactional(`p${i}`)))
        let plain = await world.plain()
        let open: Written[][] = [[], [], []]
        const end = async (i: number, outcome: 'commit' | 'abort'): Promise<void> => {
          if (open[i]!.length === 0) return
          await producers[i]!.end(outcome)
          for (const row of open[i]!) row.outcome = outcome === 'commit' ? 'committed' : 'aborted'
          open[i] = []
        }
        for (const [step, { producer, key, tombstone, act: name }] of acts.entries()) {
          const [k, value] = [`k${key}`, tombstone ? null : `v${step}`]
          if (name === 'plain') {
            written.push({ offset: await put(plain, k, value), key: k, value, outcome: 'committed' })
          } else if (name === 'put') {
            if (open[producer]!.length === 0) producers[producer]!.begin()
            const row: Written = {
              offset: await put(producers[producer]!, k, value),
              key: k,
              value,
              outcome: 'unknown',
            }
            written.push(row)
            open[producer]!.push(row)
          } else if (name === 'clean') await world.clean()
          else if (name === 'reopen') {
            for (const i of [0, 1, 2]) await end(i, 'abort')
            await world.reopen()
            producers = await Promise.all([0, 1, 2].map((i) => world.transactional(`p${i}`)))
            plain = await world.plain()
            open = [[], [], []]
          } else await end(producer, name)
        }
        for (const i of [0, 1, 2]) await end(i, 'commit')
        for (let pass = 0; pass < 3; pass++) {
          await world.clean()
          await expectCompacted(world, written)
        }
        await world.reopen()
        await expectCompacted(world, written)
        await world.log.close()
      },
    ),
    { numRuns: 40 },
  )
})

for (const how of ['kill', 'power'] as const) {
  test(`${how} at every operation of a pass: every key keeps its last record, and the next pass goes on (L18)`, async () => {
    let crashAt = 0
    let crashes = 0
    for (let finished = false; !finished; crashAt++) {
      const world = await started({ fsync: 'always' })
      const written = await history(world)
      await world.clean()
      await fill(world)
      world.disk.operations = 0
      world.disk.crashAt = crashAt
      const removed = world.disk.counts.remove
      await world.clean()
      finished = !world.disk.crashed
      if (finished) expect(world.disk.counts.remove).toBeGreaterThan(removed)
      if (!finished) crashes++
      const random = seededRandom(`pick-${crashAt}`)
      world.disk.restart(how, (below) => random.bytes(4).readUInt32BE() % below)
      await world.open()
      await expectCompacted(world, written)
      await world.clean()
      await fill(world)
      await world.clean()
      await expectCompacted(world, written)
      const leftOver = world.disk.paths().filter((path) => path.endsWith('.rewritten'))
      expect(leftOver).toEqual([])
    }
    expect(crashes).toBeGreaterThan(15)
  })
}

test.each(['kill', 'power'] as const)('%s between the rename and the end of it (C29)', async (how) => {
  let passes = 0
  for (let finished = false; !finished; passes++) {
    let left = Infinity
    const world: World = await started({
      fsync: 'always',
      crash: (name) => {
        if (name === 'C29' && left-- === 0) world.disk.stop()
      },
    })
    const written = await history(world)
    await world.clean()
    await fill(world)
    left = passes
    await world.clean()
    finished = !world.disk.crashed
    const random = seededRandom(`pick-${passes}`)
    world.disk.restart(how, (below) => random.bytes(4).readUInt32BE() % below)
    await world.open()
    await expectCompacted(world, written)
  }
  expect(passes).toBeGreaterThan(2)
})

describe('retention', () => {
  test('by age: sealed segments go when all their records are too old, and the start moves durably', async () => {
    const world = await started({}, { 'retention.ms': '60000', 'segment.bytes': '400' })
    const producer = await world.plain()
    for (let i = 0; i < 20; i++) await put(producer, 'k', `old${i}`, world.clock.now())
    await world.clock.advance(50_000)
    for (let i = 0; i < 20; i++) await put(producer, 'k', `new${i}`, world.clock.now())
    await world.clean()
    expect(await world.rows()).toHaveLength(40)
    await world.clock.advance(20_000)
    const [start] = await world.log.listOffsets([WHERE], 'earliest')
    expect(start).toBeGreaterThan(15n)
    expect(start).toBeLessThanOrEqual(20n)
    expect((await world.rows()).filter(({ value }) => value!.startsWith('new'))).toHaveLength(20)
    await world.reopen()
    expect(await world.log.listOffsets([WHERE], 'earliest')).toEqual([start])
    await world.clock.advance(DAY_MS)
    expect((await world.rows()).length).toBeLessThan(10)
  })

  test('by size: the oldest segments go while the rest is as much as may stay', async () => {
    const world = await started({}, { 'retention.bytes': '1000', 'segment.bytes': '400' })
    const producer = await world.plain()
    for (let i = 0; i < 40; i++) await put(producer, 'k', `v${i}`)
    await world.clean()
    const rows = await world.rows()
    expect(rows.length).toBeLessThan(20)
    expect(rows.at(-1)!.value).toBe('v39')
  })

  test('a topic that says nothing keeps everything, and no timer runs for it', async () => {
    const world = await started({}, { 'segment.bytes': '400' })
    const producer = await world.plain()
    for (let i = 0; i < 40; i++) await put(producer, 'k', `v${i}`)
    await settle()
    await world.clock.advance(100)
    expect(world.clock.pending).toBe(0)
    await world.clock.advance(365 * DAY_MS)
    expect(await world.rows()).toHaveLength(40)
  })
})

interface World {
  readonly clock: HandClock
  readonly disk: SimulatedDisk
  readonly notices: string[]
  readonly log: Log
  broker(): Broker
  plain(): Promise<ProducerSession>
  transactional(id: string): Promise<ProducerSession>
  rows(isolation?: Isolation, from?: bigint, maxBytes?: number): Promise<readonly Row[]>
  of(key: string): Promise<readonly (string | null)[]>
  /** Lets a pass run. */
  clean(): Promise<void>
  open(): Promise<void>
  reopen(): Promise<void>
}

async function started(
  options: Partial<EmbeddedLogOptions>,
  config: Readonly<Record<string, string>> = COMPACTED,
): Promise<World> {
  const [disk, clock, notices] = [new SimulatedDisk(), new HandClock(), [] as string[]]
  let broker: Broker
  let log: Log
  const open = async (): Promise<void> => {
    const random = seededRandom('compaction')
    broker = await openEmbeddedBroker({
      directory: '/log',
      clock,
      random,
      fsync: 'interval',
      fsyncIntervalMs: 10,
      cleanIntervalMs: CLEAN_MS,
      notice: (line) => notices.push(line),
      files: disk.mount(),
      ...options,
    })
    log = new LogClient({ broker, clock, random })
  }
  await open()
  await log!.createTopics([{ name: TOPIC, partitions: 1, config }])
  const rows = async (isolation: Isolation = 'read_committed', from?: bigint, maxBytes = 1 << 20) => {
    const [start] = await log.listOffsets([WHERE], 'earliest')
    return readRows(log, isolation, from ?? start!, maxBytes)
  }
  return {
    clock,
    disk,
    notices,
    get log() {
      return log
    },
    broker: () => broker,
    plain: () => log.openProducer({ transactionalId: null, transactionTimeoutMs: 60_000 }),
    transactional: (id) => log.openProducer({ transactionalId: id, transactionTimeoutMs: 900_000 }),
    rows,
    of: async (key) => (await rows()).filter((row) => row.key === key).map(({ value }) => value),
    clean: () => clock.advance(CLEAN_MS),
    open,
    reopen: async () => {
      await log.close()
      await open()
    },
  }
}

async function put(producer: ProducerSession, key: string, value: string | null, timestamp = 1): Promise<bigint> {
  const records = new RecordBatchBuilder()
  records.append(timestamp, Buffer.from(key), value === null ? null : Buffer.from(value))
  return (await producer.append([{ ...WHERE, records }]))[0]!.baseOffset
}

/** Enough records of other keys that what came before lies in sealed segments. */
async function fill(world: World): Promise<void> {
  const producer = await world.plain()
  for (let i = 0; i < 12; i++) await put(producer, `fill${i % 2}`, `f${i}`)
}

async function history(world: World): Promise<readonly Written[]> {
  const written: Written[] = []
  const [plain, p] = [await world.plain(), await world.transactional('p')]
  for (let i = 0; i < 24; i++) {
    const [key, value] = [`k${i % 5}`, i % 7 === 0 ? null : `v${i}`]
    if (i % 3 === 0) written.push({ offset: await put(plain, key, value), key, value, outcome: 'committed' })
    else {
      p.begin()
      const offset = await put(p, key, value)
      await p.end(i % 3 === 1 ? 'commit' : 'abort')
      written.push({ offset, key, value, outcome: i % 3 === 1 ? 'committed' : 'aborted' })
    }
  }
  await fill(world)
  return written
}

async function expectCompacted(world: World, written: readonly Written[]): Promise<void> {
  const committed = new Map(written.filter(({ outcome }) => outcome === 'committed').map((row) => [row.offset, row]))
  const rows = (await world.rows()).filter(({ key }) => key.startsWith('k'))
  for (const { offset, key, value } of rows) {
    const was = committed.get(offset)
    expect({ offset, key, value }).toEqual({ offset: was?.offset, key: was?.key, value: was?.value })
  }
  const last = new Map([...committed.values()].map((row) => [row.key, row]))
  for (const { offset, key, value } of last.values()) expect(rows).toContainEqual({ offset, key, value })
  // From any place, in small pieces, the same is read.
  for (const from of [0n, 1n, (rows.at(-1)?.offset ?? 0n) / 2n, rows.at(-1)?.offset ?? 0n]) {
    const read = await world.rows('read_committed', from, 1)
    expect(read.filter(({ key }) => key.startsWith('k'))).toEqual(rows.filter(({ offset }) => offset >= from))
  }
}

async function readRows(log: Log, isolation: Isolation, from: bigint, maxBytes: number): Promise<readonly Row[]> {
  const [end] = await log.listOffsets([WHERE], isolation === 'read_committed' ? 'stable' : 'latest')
  const rows: Row[] = []
  while (from < end!) {
    const [fetched] = await log.fetch({ partitions: [{ ...WHERE, offset: from, maxBytes }], isolation, maxWaitMs: 0 })
    expect(fetched!.error).toBe(null)
    const cursor = new RecordCursor(fetched!, from, isolation)
    while (cursor.next())
      rows.push({ offset: cursor.offset, key: cursor.key()!.toString(), value: cursor.value()?.toString() ?? null })
    expect(cursor.nextOffset).toBeGreaterThan(from)
    from = cursor.nextOffset
  }
  return rows
}

const segmentsOf = (disk: SimulatedDisk): readonly string[] =>
  disk.paths().filter((path) => path.startsWith('/log/rows-0/'))
