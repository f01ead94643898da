/** The embedded broker, request by request: what is late, what comes twice, what restarts (BR1-BR3, L6-L10, L15, L16). */

import { beforeEach, describe, expect, test } from 'vitest'

import {
  openEmbeddedBroker,
  openMemoryBroker,
  RecordBatchBuilder,
  RecordCursor,
} from '../../../connectors/kafka/index.ts'
import type {
  Broker,
  EmbeddedLogOptions,
  GroupMetadata,
  LogErrorCode,
  OffsetAndMetadata,
  ProducedPartition,
  ProducerIdentity,
} from '../../../connectors/kafka/index.ts'
import { batch, fails } from '../../contracts/log.ts'
import { HandClock, seededRandom, settle } from './hand-clock.ts'
import { full, SimulatedDisk } from './simulated-disk.ts'

const TOPIC = 'events'
const WHERE = { topic: TOPIC, partition: 0 }
const NOBODY: GroupMetadata = { groupId: 'g', generationId: -1, memberId: '', groupInstanceId: null }

let clock: HandClock
let broker: Broker

beforeEach(async () => {
  clock = new HandClock()
  broker = openMemoryBroker({ clock, random: seededRandom('broker') })
  await broker.createTopics([{ name: TOPIC, partitions: 2, config: {} }])
})

describe('epochs', () => {
  test('every end bumps the epoch, and the markers carry it (L15)', async () => {
    const first = await init('p')
    await write(first, 'a')
    const second = await end(first, 'commit')
    await write(second, 'b')
    const third = await end(second, 'abort')
    expect([second, third]).toEqual([
      { producerId: first.producerId, epoch: first.epoch + 1 },
      { producerId: first.producerId, epoch: first.epoch + 2 },
    ])
    const fetched = await fetchAll()
    expect(epochsIn(fetched)).toEqual([first.epoch, second.epoch, second.epoch, third.epoch])
    expect(await values()).toEqual(['a'])
  })

  test('what is late belongs to no later transaction (BR3)', async () => {
    const first = await init('p')
    await write(first, 'a')
    const second = await end(first, 'commit')
    await write(second, 'b')
    expect((await produce(first, 'late', 1)).error).toBe('INVALID_PRODUCER_EPOCH')
    expect((await produce(first, 'late', 0, 1)).error).toBe('INVALID_PRODUCER_EPOCH')
    await fails('INVALID_PRODUCER_EPOCH', commitOffsets(first, 9n))
    await fails('PRODUCER_FENCED', end(first, 'abort'))
    await fails('PRODUCER_FENCED', end(first, 'commit'))
    await end(second, 'commit')
    expect(await values()).toEqual(['a', 'b'])
    expect(await broker.offsetFetch({ groupId: 'g', partitions: [WHERE], requireStable: true })).toEqual([null])
  })

  test('an end that comes twice is answered twice, with the next identity (KIP-890)', async () => {
    const first = await init('p')
    await write(first, 'a')
    const request = { transactionalId: 'p', ...first, outcome: 'commit' } as const
    const [once, twice] = await Promise.all([broker.endTxn(request), broker.endTxn(request)])
    expect(twice).toEqual(once)
    expect(await broker.endTxn(request)).toEqual(once)
    await fails('INVALID_TXN_STATE', end(first, 'abort'))
    await write(once, 'b')
    await end(once, 'commit')
    expect(await values()).toEqual(['a', 'b'])
    await fails('PRODUCER_FENCED', end(first, 'commit'))
  })

  test('an empty transaction cannot be committed; aborting it bumps the epoch', async () => {
    const first = await init('p')
    await fails('INVALID_TXN_STATE', end(first, 'commit'))
    const second = await end(first, 'abort')
    expect(second.epoch).toBe(first.epoch + 1)
    expect(await end(first, 'abort')).toEqual(second)
    const third = await end(second, 'abort')
    await write(third, 'a')
    await end(third, 'commit')
    await fails('INVALID_TXN_STATE', end(third, 'abort'))
  })

  test('who is not known is refused', async () => {
    const stranger = { producerId: 77n, epoch: 0 }
    const known = await init('p')
    expect((await produce(stranger, 'a')).error).toBe('INVALID_PRODUCER_ID_MAPPING')
    await fails('INVALID_PRODUCER_ID_MAPPING', commitOffsets(stranger, 1n))
    await fails('INVALID_PRODUCER_ID_MAPPING', end(stranger, 'commit'))
    const ofNobody = { transactionalId: 'nobody', ...known, outcome: 'commit' } as const
    await fails('INVALID_PRODUCER_ID_MAPPING', broker.endTxn(ofNobody))
    const ahead = { ...known, epoch: known.epoch + 1 }
    expect((await produce(ahead, 'a')).error).toBe('INVALID_PRODUCER_EPOCH')
    await fails('PRODUCER_FENCED', end(ahead, 'abort'))
  })

  test('an end and an opening of one id that are asked for together happen in turn (L10)', async () => {
    const { disk } = await onDisk({})
    const first = await init('p')
    await write(first, 'a')
    let release = (): void => undefined
    disk.slow = (path) =>
      path.includes('/__transaction_state-') ? new Promise((resolve) => (release = resolve)) : null
    const ending = end(first, 'commit')
    const opening = init('p')
    await settle()
    expect((await produce(first, 'late', 0, 1)).error).toBe('CONCURRENT_TRANSACTIONS')
    disk.slow = () => null
    release()
    const second = await ending
    expect((await opening).epoch).toBeGreaterThan(second.epoch)
    expect(await values()).toEqual(['a'])
  })

  test('opening an id again fences, and aborts what was open (L9)', async () => {
    const zombie = await init('p')
    await write(zombie, 'zombie')
    await commitOffsets(zombie, 9n)
    const owner = await init('p')
    expect(owner.producerId).toBe(zombie.producerId)
    expect((await produce(zombie, 'late', 0, 1)).error).toBe('INVALID_PRODUCER_EPOCH')
    await fails('PRODUCER_FENCED', end(zombie, 'commit'))
    expect(await broker.listOffsets([WHERE], 'stable')).toEqual(await broker.listOffsets([WHERE], 'latest'))
    expect(await broker.offsetFetch({ groupId: 'g', partitions: [WHERE], requireStable: true })).toEqual([null])
    await write(owner, 'owner')
    await end(owner, 'commit')
    expect(await values()).toEqual(['owner'])
  })

  test('the timeout runs from the first write, aborts, and fences', async () => {
    const slow = await init('p', 5_000)
    await clock.advance(6_000)
    await write(slow, 'a')
    await clock.advance(4_999)
    expect(await broker.listOffsets([WHERE], 'stable')).toEqual([0n])
    await clock.advance(1)
    expect(await broker.listOffsets([WHERE], 'stable')).toEqual([2n])
    expect((await produce(slow, 'b', 0, 1)).error).toBe('INVALID_PRODUCER_EPOCH')
    await fails('INVALID_TXN_STATE', end(slow, 'commit'))
    expect(await end(slow, 'abort')).toEqual({ ...slow, epoch: slow.epoch + 1 })
    expect((await init('p')).epoch).toBeGreaterThan(slow.epoch + 1)
    await fails('PRODUCER_FENCED', end(slow, 'abort'))
    await fails('INVALID_TRANSACTION_TIMEOUT', init('q', 900_001))
    await fails('INVALID_TRANSACTION_TIMEOUT', init('q', 0))
  })

  test('when epochs are used up a new producer id follows, and the end may still be asked for again', async () => {
    let identity = await init('p')
    const old = identity.producerId
    await write(identity, 'a')
    identity = await end(identity, 'commit')
    while (identity.epoch < 0x7ffe) identity = await end(identity, 'abort')
    await write(identity, 'b')
    const next = await end(identity, 'commit')
    expect(next.epoch).toBe(0)
    expect(next.producerId).toBeGreaterThan(old)
    expect(await end(identity, 'commit')).toEqual(next)
    expect((await produce(identity, 'late', 0, 1)).error).toBe('INVALID_PRODUCER_EPOCH')
    await write(next, 'c')
    await end(next, 'commit')
    expect(await values()).toEqual(['a', 'b', 'c'])
    expect(epochsIn(await fetchAll())).toContain(0x7fff)
    await fails('INVALID_PRODUCER_ID_MAPPING', end(identity, 'commit'))
  })
})

describe('what comes twice', () => {
  test('a Produce is written once, also when the same bytes come again later (BR2)', async () => {
    const plain = await broker.initProducerId({ transactionalId: null, transactionTimeoutMs: 1 })
    const bytes = sealed(plain, 'a', 0, false)
    const request = { transactionalId: null, batches: [{ ...WHERE, batch: bytes }] }
    const answers = await Promise.all([broker.produce(request), broker.produce(request)])
    expect(answers.flat().map(({ baseOffset }) => baseOffset)).toEqual([0n, 0n])
    for (let sequence = 1; sequence < 8; sequence++) await produce(plain, 'more', 0, sequence, false)
    expect((await broker.produce(request))[0]!.error).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(await values()).toHaveLength(8)
  })

  test('bytes that were written once are never stamped again', async () => {
    const identity = await init('p')
    const bytes = sealed(identity, 'b', 1, true)
    await write(identity, 'a')
    await broker.produce({ transactionalId: 'p', batches: [{ ...WHERE, batch: bytes }] })
    await broker.produce({ transactionalId: 'p', batches: [{ ...WHERE, partition: 1, batch: bytes }] })
    await end(identity, 'commit')
    const cursor = new RecordCursor(await fetchAll(), 0n, 'read_committed')
    const offsets: bigint[] = []
    while (cursor.next()) offsets.push(cursor.offset)
    expect(offsets).toEqual([0n, 1n])
  })

  test('a repeated batch of a transaction is written once', async () => {
    const identity = await init('p')
    const bytes = sealed(identity, 'a', 0, true)
    await broker.produce({ transactionalId: 'p', batches: [{ ...WHERE, batch: bytes }] })
    await produce(identity, 'b', 0, 1)
    await broker.produce({ transactionalId: 'p', batches: [{ ...WHERE, batch: bytes }] })
    await end(identity, 'commit')
    expect(await values()).toEqual(['a', 'b'])
  })

  test('one fsync serves many batches of one producer that are sent without waiting (L2)', async () => {
    const { disk } = await onDisk({ fsync: 'always' })
    const plain = await broker.initProducerId({ transactionalId: null, transactionTimeoutMs: 1 })
    await produce(plain, 'first', 0, 0, false)
    const before = disk.counts.fsync
    await Promise.all(Array.from({ length: 100 }, (_, i) => produce(plain, `v${i}`, 0, i + 1, false)))
    expect(disk.counts.fsync - before).toBeLessThanOrEqual(3)
    expect(await values()).toHaveLength(101)
  })
})

describe('bytes are not trusted', () => {
  test.each([
    ['CORRUPT_MESSAGE', (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(1)])],
    ['CORRUPT_MESSAGE', (bytes: Buffer) => flipped(bytes, 70)],
    ['CORRUPT_MESSAGE', (bytes: Buffer) => bytes.subarray(0, 20)],
    ['INVALID_RECORD', () => sealed({ producerId: 0n, epoch: 1 }, 'a', 0, false)],
    ['INVALID_RECORD', () => sealed({ producerId: 0n, epoch: 1 }, 'a', -1, true)],
  ] as const)('%s', async (code, change) => {
    const identity = await init('p')
    const bytes = change(sealed(identity, 'a', 0, true))
    const [answer] = await broker.produce({ transactionalId: 'p', batches: [{ ...WHERE, batch: bytes }] })
    expect(answer).toMatchObject({ error: code, baseOffset: -1n })
    expect(await broker.listOffsets([WHERE], 'latest')).toEqual([0n])
  })

  test('answers are for each batch', async () => {
    const identity = await init('p')
    const answers = await broker.produce({
      transactionalId: 'p',
      batches: [
        { topic: 'nothing', partition: 0, batch: sealed(identity, 'a', 0, true) },
        { ...WHERE, batch: sealed(identity, 'b', 0, true) },
        { topic: '__consumer_offsets', partition: 0, batch: sealed(identity, 'c', 0, true) },
      ],
    })
    expect(answers.map(({ error }) => error)).toEqual(['UNKNOWN_TOPIC_OR_PARTITION', null, 'INVALID_TOPIC_EXCEPTION'])
  })
})

describe('offsets', () => {
  test('unstable while a transaction may move them, for who asks so', async () => {
    await broker.offsetCommit({ group: NOBODY, offsets: [offset(2n)] })
    const identity = await init('p')
    await commitOffsets(identity, 5n)
    const ask = (requireStable: boolean, partition = 0) =>
      broker.offsetFetch({ groupId: 'g', partitions: [{ topic: TOPIC, partition }], requireStable })
    await fails('UNSTABLE_OFFSET_COMMIT', ask(true))
    expect(await ask(true, 1)).toEqual([null])
    expect(await ask(false)).toEqual([offset(2n)])
    await end(identity, 'commit')
    expect(await ask(true)).toEqual([offset(5n)])
  })

  test('of two commits the one written later counts, whichever was decided first', async () => {
    const [early, late] = [await init('p'), await init('q')]
    await commitOffsets(early, 1n)
    await commitOffsets(late, 2n, 'q')
    await end(late, 'commit', 'q')
    await end(early, 'commit')
    const committed = () => broker.offsetFetch({ groupId: 'g', partitions: [WHERE], requireStable: true })
    expect(await committed()).toEqual([offset(2n)])
    const third = await init('p')
    await commitOffsets(third, 3n)
    await broker.offsetCommit({ group: NOBODY, offsets: [offset(4n)] })
    await end(third, 'commit')
    expect(await committed()).toEqual([offset(4n)])
  })

  test('what counts is the same after a restart, also from a state that was written anew', async () => {
    const { reopen } = await onDisk({ checkpointBytes: 2_000 })
    await broker.offsetCommit({ group: NOBODY, offsets: [offset(100n)] })
    const early = await init('p')
    await commitOffsets(early, 1n)
    const elsewhere = { ...offset(7n), partition: 1 }
    for (let i = 0; i < 40; i++) await broker.offsetCommit({ group: NOBODY, offsets: [elsewhere] })
    await settle()
    await end(early, 'commit')
    const committed = () => broker.offsetFetch({ groupId: 'g', partitions: [WHERE], requireStable: true })
    expect(await committed()).toEqual([offset(1n)])
    await reopen()
    expect(await committed()).toEqual([offset(1n)])
  })

  test('metadata has a bound, and partitions must be there', async () => {
    const long = { ...offset(1n), metadata: 'x'.repeat(4_097) }
    await fails('OFFSET_METADATA_TOO_LARGE', broker.offsetCommit({ group: NOBODY, offsets: [long] }))
    const nowhere = { ...offset(1n), topic: 'nothing' }
    await fails('UNKNOWN_TOPIC_OR_PARTITION', broker.offsetCommit({ group: NOBODY, offsets: [nowhere] }))
  })
})

describe('producer ids', () => {
  test.each(['beside', 'behind'])(
    'are given out once, also when the next block is reserved %s a write after which the state is written anew (L16)',
    async (when) => {
      const { disk, reopen } = await onDisk({ checkpointBytes: 1 })
      const fresh = () => broker.initProducerId({ transactionalId: null, transactionTimeoutMs: 60_000 })
      await init('p')
      for (let given = 1; given < 1000; given++) await fresh()
      const reserving: Promise<ProducerIdentity>[] = []
      disk.failWith = (kind, path) => {
        if (kind === 'append' && path.includes('/__transaction_state') && reserving.length === 0)
          reserving.push(fresh())
        return null
      }
      if (when === 'beside') reserving.push(fresh())
      await init('p')
      const [given] = await Promise.all(reserving)
      expect(given?.producerId).toBe(1000n)
      await reopen()
      expect((await fresh()).producerId).toBeGreaterThan(1000n)
    },
  )
})

describe('markers that are not written yet', () => {
  test('refuse the next transaction with CONCURRENT_TRANSACTIONS; the commit stands (L8)', async () => {
    const { disk } = await onDisk({})
    const first = await init('p')
    await write(first, 'a')
    disk.failWith = (kind, path) => (kind === 'append' && path.includes('/events-') ? full() : null)
    const second = await end(first, 'commit')
    expect((await produce(second, 'b')).error).toBe('CONCURRENT_TRANSACTIONS')
    await fails('CONCURRENT_TRANSACTIONS', commitOffsets(second, 1n))
    await fails('CONCURRENT_TRANSACTIONS', init('p'))
    await fails('CONCURRENT_TRANSACTIONS', end(second, 'abort'))
    expect(await end(first, 'commit')).toEqual(second)
    expect((await produce(first, 'late', 0, 1)).error).toBe('INVALID_PRODUCER_EPOCH')
    disk.failWith = () => null
    await clock.advance(100)
    await write(second, 'b')
    await end(second, 'commit')
    expect(await values()).toEqual(['a', 'b'])
  })

  test('a restart writes them, and who wrote before must open anew (L6, L16)', async () => {
    const { disk, reopen } = await onDisk({})
    const [decided, open] = [await init('p'), await init('q')]
    await write(decided, 'decided')
    await produce(open, 'open', 0, 0, true, 'q')
    disk.failWith = (kind, path) => (kind === 'append' && path.includes('/events-') ? full() : null)
    const next = await end(decided, 'commit')
    disk.failWith = () => null
    await reopen()
    expect(await values()).toEqual(['decided'])
    expect(await broker.listOffsets([WHERE], 'stable')).toEqual(await broker.listOffsets([WHERE], 'latest'))
    expect((await produce(next, 'late')).error).toBe('INVALID_PRODUCER_EPOCH')
    expect((await produce(open, 'late', 1, 0, true, 'q')).error).toBe('INVALID_PRODUCER_EPOCH')
    await fails('PRODUCER_FENCED', end(open, 'commit', 'q'))
    expect((await end(decided, 'commit')).epoch).toBeGreaterThan(next.epoch)
    expect((await init('p')).epoch).toBeGreaterThan(next.epoch + 1)
  })
})

test('no identity is given out twice over restarts (L16)', async () => {
  const { disk, reopen } = await onDisk({})
  const seen = new Set<string>()
  const note = ({ producerId, epoch }: ProducerIdentity): void => {
    expect(seen.has(`${producerId}/${epoch}`)).toBe(false)
    seen.add(`${producerId}/${epoch}`)
  }
  for (let i = 0; i < 6; i++) {
    note(await broker.initProducerId({ transactionalId: null, transactionTimeoutMs: 1 }))
    const identity = await init('p')
    note(identity)
    if (i % 3 === 2) note(await end(identity, 'abort'))
    else {
      await write(identity, `v${i}`)
      note(await end(identity, i % 2 === 0 ? 'commit' : 'abort'))
    }
    disk.restart('kill', () => 0)
    await reopen()
    for (const name of seen) {
      const [producerId, epoch] = name.split('/')
      const zombie = { producerId: BigInt(producerId!), epoch: Number(epoch) }
      expect((await produce(zombie, 'zombie')).error).not.toBe(null)
    }
  }
  expect(await values()).toEqual(['v0', 'v4'])
})

/** The state log of the version before: no `ended`, no record of an abort. */
test('a log of the version before is read', async () => {
  const { disk, reopen } = await onDisk({})
  const identity = await init('p')
  await write(identity, 'a')
  await broker.close()
  const record = { v: 1, producerId: String(identity.producerId), epoch: identity.epoch }
  const commit = [[TOPIC, 0, '0', '1']]
  const path = disk.paths().find((name) => name.includes('__transaction_state-0'))!
  const records = new RecordBatchBuilder()
  records.append(1, Buffer.from('p'), Buffer.from(JSON.stringify({ ...record, commit })))
  const bytes = records.build({ producerId: -1n, epoch: -1, baseSequence: -1, transactional: false })
  disk.replace(path, bytes)
  await reopen()
  expect(await values()).toEqual(['a'])
  const next = await init('p')
  expect(next.producerId).toBe(identity.producerId)
  expect(next.epoch).toBeGreaterThan(identity.epoch)
})

async function onDisk(options: Partial<EmbeddedLogOptions>) {
  const disk = new SimulatedDisk()
  const reopen = async (): Promise<void> => {
    await broker.close().catch(() => undefined)
    broker = await openEmbeddedBroker({
      directory: '/log',
      clock,
      random: seededRandom('broker'),
      fsync: 'interval',
      fsyncIntervalMs: 100,
      notice: () => {},
      files: disk.mount(),
      ...options,
    })
  }
  await reopen()
  await broker.createTopics([{ name: TOPIC, partitions: 2, config: {} }])
  return { disk, reopen }
}

const init = (transactionalId: string, transactionTimeoutMs = 60_000): Promise<ProducerIdentity> =>
  broker.initProducerId({ transactionalId, transactionTimeoutMs })

const end = (by: ProducerIdentity, outcome: 'commit' | 'abort', transactionalId = 'p'): Promise<ProducerIdentity> =>
  broker.endTxn({ transactionalId, ...by, outcome })

const sealed = (by: ProducerIdentity, value: string, baseSequence: number, transactional: boolean): Buffer =>
  batch(value).build({ ...by, baseSequence, transactional })

async function produce(
  by: ProducerIdentity,
  value: string,
  partition = 0,
  sequence = 0,
  transactional = true,
  transactionalId = 'p',
): Promise<ProducedPartition> {
  const batches = [{ topic: TOPIC, partition, batch: sealed(by, value, sequence, transactional) }]
  return (await broker.produce({ transactionalId: transactional ? transactionalId : null, batches }))[0]!
}

async function write(by: ProducerIdentity, value: string): Promise<void> {
  expect((await produce(by, value)).error).toBe(null satisfies LogErrorCode | null)
}

const offset = (at: bigint): OffsetAndMetadata => ({ ...WHERE, offset: at, metadata: '' })

const commitOffsets = (by: ProducerIdentity, at: bigint, transactionalId = 'p'): Promise<void> =>
  broker.txnOffsetCommit({ transactionalId, ...by, group: NOBODY, offsets: [offset(at)] })

async function fetchAll(partition = 0) {
  const wanted = [{ topic: TOPIC, partition, offset: 0n, maxBytes: 1 << 20 }]
  return (await broker.fetch({ partitions: wanted, isolation: 'read_committed', maxWaitMs: 0 }))[0]!
}

async function values(partition = 0): Promise<string[]> {
  const cursor = new RecordCursor(await fetchAll(partition), 0n, 'read_committed')
  const read: string[] = []
  while (cursor.next()) read.push(cursor.value()!.toString())
  return read
}

function epochsIn({ batches }: { readonly batches: Buffer }): number[] {
  const epochs: number[] = []
  for (let at = 0; at < batches.length; at += 12 + batches.readInt32BE(at + 8))
    epochs.push(batches.readInt16BE(at + 51))
  return epochs
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at]! ^= 1
  return copy
}
