/** The embedded log on disks that are torn, damaged, full or slow to sync (L1-L4, L8). */

import { describe, expect, test } from 'vitest'

import { openEmbeddedLog } from '../../../connectors/kafka/index.ts'
import type { EmbeddedLogOptions, Log, ProducerSession } from '../../../connectors/kafka/index.ts'
import { batch, fails, readAll } from '../../contracts/log.ts'
import { HandClock, seededRandom, settle } from './hand-clock.ts'
import { broken, full, SimulatedDisk } from './simulated-disk.ts'

const TOPIC = 'events'
const WHERE = { topic: TOPIC, partition: 0 }

describe('recovery', () => {
  test('a tail torn at any byte of the last records is cut there, and says so in one line', async () => {
    const { disk, log } = await started({})
    const producer = await plain(log)
    for (let i = 0; i < 6; i++) await send(producer, `tenant-${i % 2 === 0 ? 'a' : 'b'}/${i}`)
    await log.close()
    const path = newestSegment(disk)
    const whole = disk.bytesOf(path)
    const ends = batchEnds(whole)
    for (let length = ends[2]!; length <= whole.length; length++) {
      const torn = disk.copy()
      torn.replace(path, whole.subarray(0, length))
      const notices: string[] = []
      const again = await open(torn, { notice: (line) => notices.push(line) })
      const kept = ends.filter((end) => end <= length).length
      expect(await valuesIn(again)).toEqual(
        [0, 1, 2, 3, 4, 5].slice(0, kept).map((i) => `tenant-${i % 2 === 0 ? 'a' : 'b'}/${i}`),
      )
      const cutBytes = length - ends[kept - 1]!
      if (cutBytes === 0) expect(notices).toEqual([])
      else
        expect(notices).toEqual([
          expect.stringContaining(`events-0: cut ${cutBytes} bytes of a torn tail at offset ${kept}`),
        ])
      expect(await send(await plain(again), 'next')).toBe(BigInt(kept))
      await again.close()
    }
  })

  test('damage in the newest segment cuts from there; in a sealed one it is for a person to see', async () => {
    const { disk, log } = await started({ segmentBytes: 250 })
    const producer = await plain(log)
    for (let i = 0; i < 6; i++) await send(producer, `v${i}`)
    await log.close()
    const segments = segmentsOf(disk)
    expect(segments.length).toBeGreaterThan(1)

    const newest = disk.copy()
    flip(newest, segments.at(-1)!, 70)
    const notices: string[] = []
    const cut = await open(newest, { segmentBytes: 250, notice: (line) => notices.push(line) })
    expect((await valuesIn(cut)).length).toBeLessThan(6)
    expect(notices).toHaveLength(1)

    const sealed = disk.copy()
    flip(sealed, segments[0]!, 70)
    await fails('STORAGE_ERROR', open(sealed, { segmentBytes: 250 }))
    await expect(open(sealed, { segmentBytes: 250 })).rejects.toThrow(
      `${segments[0]!} is damaged at byte 0 (offset 0): the CRC does not match`,
    )

    const missing = disk.copy()
    missing.remove(segments[1] === segments.at(-1) ? segments[0]! : segments[1]!)
    await fails('STORAGE_ERROR', open(missing, { segmentBytes: 250 }))
  })

  test('a damaged catalogue, and data that it does not know, are never written over (L11)', async () => {
    const { disk, log } = await started({})
    await send(await plain(log), 'precious')
    await log.close()
    const torn = disk.copy()
    torn.replace('/log/catalogue.json', Buffer.from('{"format":1,'))
    await fails('STORAGE_ERROR', open(torn, {}))
    const without = disk.copy()
    without.remove('/log/catalogue.json')
    const fresh = await open(without, {}).catch((error: unknown) => error)
    if (fresh instanceof Error) expect(fresh).toMatchObject({ code: 'STORAGE_ERROR' })
    else await fails('STORAGE_ERROR', (fresh as Log).createTopics([{ name: TOPIC, partitions: 1, config: {} }]))
    expect(without.bytesOf(newestSegment(without)).length).toBeGreaterThan(0)
  })

  test('deleted segments stay deleted (L12)', async () => {
    const { disk, log } = await started({ segmentBytes: 250 })
    const producer = await plain(log)
    for (let i = 0; i < 8; i++) await send(producer, `v${i}`)
    const before = segmentsOf(disk).length
    await log.deleteRecords([{ ...WHERE, offset: 7n }])
    expect(segmentsOf(disk).length).toBeLessThan(before)
    await log.close()
    const again = await open(disk, { segmentBytes: 250 })
    expect(await again.listOffsets([WHERE], 'earliest')).toEqual([7n])
    expect(await valuesIn(again, 7n)).toEqual(['v7'])
  })
})

describe('a full disk', () => {
  test('is STORAGE_FULL with nothing half visible, and work goes on when there is space', async () => {
    const { disk, log } = await started({ fsync: 'always' })
    const producer = await plain(log)
    await send(producer, 'before')
    disk.failWith = (kind) => (kind === 'append' ? full() : null)
    const refused = ['x', 'y', 'z'].map((value) => fails('STORAGE_FULL', send(producer, value)))
    await Promise.all(refused)
    expect(await valuesIn(log)).toEqual(['before'])
    const notices: string[] = []
    const copy = await open(disk.copy(), { notice: (line) => notices.push(line) })
    expect([await valuesIn(copy), notices]).toEqual([['before'], []])
    disk.failWith = () => null
    expect(await send(producer, 'after')).toBe(1n)
    await log.close()
    const again = await open(disk, {})
    expect(await valuesIn(again)).toEqual(['before', 'after'])
    expect(await sequencesIn(again)).toEqual([0, 1])
  })

  test('in a transaction leaves it to be aborted, never committed in part', async () => {
    const { disk, log } = await started({})
    const producer = await transactional(log)
    producer.begin()
    await send(producer, 'first')
    disk.failWith = (kind) => (kind === 'append' ? full() : null)
    await fails('STORAGE_FULL', send(producer, 'second'))
    disk.failWith = () => null
    await fails('INVALID_TXN_STATE', producer.end('commit'))
    await producer.end('abort')
    producer.begin()
    await send(producer, 'again')
    await producer.end('commit')
    expect(await valuesIn(log)).toEqual(['again'])
  })

  test('at the decision leaves the transaction open; asking again commits it', async () => {
    const { disk, log } = await started({})
    const producer = await transactional(log)
    producer.begin()
    await send(producer, 'a')
    disk.failWith = (kind, path) => (kind === 'append' && path.includes('__transaction_state') ? full() : null)
    await fails('STORAGE_FULL', producer.end('commit'))
    expect(await valuesIn(log)).toEqual([])
    disk.failWith = () => null
    await producer.end('commit')
    expect(await valuesIn(log)).toEqual(['a'])
  })

  test('at the markers does not undo the commit: they follow, and the next transaction waits for them', async () => {
    const { disk, log, clock } = await started({})
    const producer = await transactional(log)
    producer.begin()
    await send(producer, 'a')
    disk.failWith = (kind, path) => (kind === 'append' && path.includes('/events-') ? full() : null)
    await producer.end('commit')
    producer.begin()
    const next = send(producer, 'b')
    await clock.advance(1_000)
    expect(await valuesIn(log)).toEqual([])
    disk.failWith = () => null
    await clock.advance(200)
    expect(await valuesIn(log)).toEqual(['a'])
    await next
    await producer.end('commit')
    expect(await valuesIn(log)).toEqual(['a', 'b'])
  })

  test('a topic that found no space does not exist (L11)', async () => {
    const { disk, log } = await started({})
    disk.failWith = (kind, path) => (kind === 'append' && path.includes('catalogue') ? full() : null)
    await fails('STORAGE_FULL', log.createTopics([{ name: 'late', partitions: 1, config: {} }]))
    expect(await log.metadata(['late'])).toEqual([])
    disk.failWith = () => null
    await log.createTopics([{ name: 'late', partitions: 1, config: {} }])
    expect(await log.metadata(['late'])).toHaveLength(1)
  })
})

describe('fsync', () => {
  test('always: one fsync serves all appends that wait', async () => {
    const { disk, log } = await started({ fsync: 'always' })
    const producers = await Promise.all(Array.from({ length: 100 }, () => plain(log)))
    await send(producers[0]!, 'first')
    const before = disk.counts.fsync
    await Promise.all(producers.map((producer, i) => send(producer, `v${i}`)))
    expect(disk.counts.fsync - before).toBeLessThanOrEqual(3)
    expect((await valuesIn(log)).length).toBe(101)
  })

  test('always: a commit costs one fsync per partition written and one for the decision, markers none', async () => {
    const { disk, log } = await started({ fsync: 'always' })
    await log.createTopics([{ name: 'more', partitions: 3, config: {} }])
    const producer = await transactional(log)
    const commit = async (): Promise<void> => {
      producer.begin()
      await producer.append([0, 1, 2].map((partition) => ({ topic: 'more', partition, records: batch('v') })))
      await producer.end('commit')
    }
    await commit()
    const before = disk.counts.fsync
    await commit()
    expect(disk.counts.fsync - before).toBe(4)
  })

  test('interval: synced at the latest after the interval, once for all', async () => {
    const { disk, log, clock } = await started({ fsync: 'interval', fsyncIntervalMs: 200 })
    const producer = await plain(log)
    await clock.advance(200)
    const before = disk.counts.fsync
    for (let i = 0; i < 10; i++) await send(producer, `v${i}`)
    await clock.advance(199)
    expect(disk.counts.fsync).toBe(before)
    await clock.advance(1)
    expect(disk.counts.fsync).toBe(before + 1)
    await send(producer, 'last')
    await log.close()
    expect(disk.counts.fsync).toBeGreaterThan(before + 1)
  })

  test('interval: what was written is on disk before records are deleted for it', async () => {
    const { disk, log } = await started({ fsync: 'interval', fsyncIntervalMs: 200 })
    await log.createTopics([{ name: 'derived', partitions: 1, config: {} }])
    const producer = await plain(log)
    for (let i = 0; i < 4; i++) await send(producer, `v${i}`)
    await producer.append([{ topic: 'derived', partition: 0, records: batch('of all') }])
    await log.deleteRecords([{ ...WHERE, offset: 4n }])
    disk.restart('power', () => 0)
    const again = await open(disk, {})
    expect(await again.listOffsets([WHERE], 'earliest')).toEqual([4n])
    const derived = await readAll(again, { topic: 'derived', partition: 0 }, 'read_committed', 0n)
    expect(derived.map(({ value }) => value)).toEqual(['of all'])
  })

  test('a failed fsync ends writing to the partition: nobody knows what the disk holds', async () => {
    const { disk, log } = await started({ fsync: 'always' })
    const producer = await plain(log)
    await send(producer, 'before')
    disk.failWith = (kind) => (kind === 'fsync' ? broken() : null)
    await expect(send(producer, 'lost')).rejects.toMatchObject({ code: 'STORAGE_ERROR', then: 'stop' })
    disk.failWith = () => null
    await expect(send(producer, 'refused')).rejects.toMatchObject({ code: 'STORAGE_ERROR', then: 'stop' })
    expect(await valuesIn(log)).toEqual(['before'])
    await log.close()
    const again = await open(disk, {})
    expect((await valuesIn(again))[0]).toBe('before')
    await send(await plain(again), 'after')
    expect((await valuesIn(again)).at(-1)).toBe('after')
  })
})

test('a write still on its way when its producer is fenced is part of what is aborted', async () => {
  const { disk, log } = await started({ fsync: 'never' })
  const zombie = await transactional(log)
  zombie.begin()
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  disk.slow = (path) => (path.includes('/events-') ? released : null)
  const late = send(zombie, 'late')
  const owner = transactional(log)
  await settle()
  release()
  expect(await late).toBe(0n)
  await owner
  expect(await log.listOffsets([WHERE], 'stable')).toEqual([2n])
  expect(await valuesIn(log)).toEqual([])
})

test('a transaction that ended leaves no timer behind', async () => {
  const { log, clock } = await started({ fsync: 'never' })
  const producer = await transactional(log)
  for (const outcome of ['commit', 'abort'] as const) {
    producer.begin()
    await send(producer, outcome)
    expect(clock.pending).toBe(1)
    await producer.end(outcome)
    expect(clock.pending).toBe(0)
  }
})

test('internal topics stay short, and nothing is forgotten (L14)', async () => {
  const { disk, log } = await started({ checkpointBytes: 4_000 })
  const [producer, other] = [
    await transactional(log),
    await log.openProducer({ transactionalId: 'other', transactionTimeoutMs: 900_000 }),
  ]
  const commit = async (by: ProducerSession, offset: bigint): Promise<void> => {
    by.begin()
    await by.append([{ ...WHERE, records: batch(`v${offset}`) }])
    await by.sendOffsets({ groupId: 'g', generationId: -1, memberId: '', groupInstanceId: null }, [
      { ...WHERE, offset, metadata: 'm' },
    ])
    await by.end('commit')
  }
  other.begin()
  await other.sendOffsets({ groupId: 'slow', generationId: -1, memberId: '', groupInstanceId: null }, [
    { ...WHERE, offset: 5n, metadata: '' },
  ])
  for (let i = 1n; i <= 200n; i++) await commit(producer, i)
  await other.end('commit')
  for (let i = 201n; i <= 300n; i++) await commit(producer, i)
  await settle()
  const [stateStart, offsetsStart] = await log.listOffsets(
    ['__transaction_state', '__consumer_offsets'].map((topic) => ({ topic, partition: 0 })),
    'earliest',
  )
  expect(stateStart).toBeGreaterThan(100n)
  expect(offsetsStart).toBeGreaterThan(100n)
  await log.close()
  const again = await open(disk, {})
  expect(await again.committedOffsets('g', [WHERE])).toEqual([{ ...WHERE, offset: 300n, metadata: 'm' }])
  expect(await again.committedOffsets('slow', [WHERE])).toEqual([{ ...WHERE, offset: 5n, metadata: '' }])
  const next = await again.openProducer({ transactionalId: 'other', transactionTimeoutMs: 1 })
  expect(next.producerId).toBe(other.producerId)
  expect(next.epoch).toBeGreaterThan(other.epoch)
  expect(await valuesIn(again)).toHaveLength(300)
})

async function started(
  options: Partial<EmbeddedLogOptions>,
): Promise<{ disk: SimulatedDisk; log: Log; clock: HandClock }> {
  const [disk, clock] = [new SimulatedDisk(), new HandClock()]
  const log = await open(disk, { clock, ...options })
  await log.createTopics([{ name: TOPIC, partitions: 1, config: {} }])
  return { disk, log, clock }
}

const open = (disk: SimulatedDisk, options: Partial<EmbeddedLogOptions>): Promise<Log> =>
  openEmbeddedLog({
    directory: '/log',
    clock: new HandClock(),
    random: seededRandom('storage'),
    fsync: 'interval',
    fsyncIntervalMs: 100,
    notice: () => {},
    files: disk.mount(),
    ...options,
  })

const plain = (log: Log): Promise<ProducerSession> =>
  log.openProducer({ transactionalId: null, transactionTimeoutMs: 60_000 })
const transactional = (log: Log): Promise<ProducerSession> =>
  log.openProducer({ transactionalId: 'p', transactionTimeoutMs: 60_000 })

async function send(producer: ProducerSession, value: string): Promise<bigint> {
  return (await producer.append([{ ...WHERE, records: batch(value) }]))[0]!.baseOffset
}

async function valuesIn(log: Log, from = 0n): Promise<(string | null)[]> {
  return (await readAll(log, WHERE, 'read_committed', from)).map(({ value }) => value)
}

/** The base sequences of all batches. */
async function sequencesIn(log: Log): Promise<number[]> {
  const partitions = [{ ...WHERE, offset: 0n, maxBytes: 1 << 20 }]
  const [fetched] = await log.fetch({ partitions, isolation: 'read_uncommitted', maxWaitMs: 0 })
  return [0, ...batchEnds(fetched!.batches).slice(0, -1)].map((at) => fetched!.batches.readInt32BE(at + 53))
}

const segmentsOf = (disk: SimulatedDisk): readonly string[] =>
  disk.paths().filter((path) => path.startsWith('/log/events-0/'))
const newestSegment = (disk: SimulatedDisk): string => segmentsOf(disk).at(-1)!

function batchEnds(bytes: Buffer): number[] {
  const ends: number[] = []
  for (let at = 0; at < bytes.length; ends.push(at)) at += 12 + bytes.readInt32BE(at + 8)
  return ends
}

function flip(disk: SimulatedDisk, path: string, at: number): void {
  const bytes = Buffer.from(disk.bytesOf(path))
  bytes[at]! ^= 1
  disk.replace(path, bytes)
}
