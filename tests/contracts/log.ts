/** What every log must do, whatever stands behind the port. Run on the embedded log over memory and over files. */

import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { partitionFor, RecordBatchBuilder, RecordCursor } from '../../connectors/kafka/index.ts'
import type {
  GroupMetadata,
  Header,
  Isolation,
  Log,
  LogErrorCode,
  OffsetAndMetadata,
  ProducerSession,
  RebalanceListener,
  TopicPartition,
} from '../../connectors/kafka/index.ts'

export interface LogFixture {
  readonly log: Log
  /** Lets time pass for the log. */
  advance(ms: number): Promise<void>
  /** Stops the log and opens what it left behind. */
  readonly reopen?: () => Promise<Log>
  dispose(): Promise<void>
}

interface Read {
  readonly offset: bigint
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly Header[]
}

const TOPIC = 'client-events'
const TIMEOUT_MS = 60_000
const OUTSIDER = (groupId: string): GroupMetadata => ({
  groupId,
  generationId: -1,
  memberId: '',
  groupInstanceId: null,
})

/** @param durable whether what was acknowledged outlives the log: then fixtures have `reopen` */
export function logContract(name: string, durable: boolean, factory: () => Promise<LogFixture>): void {
  describe(`log contract: ${name}`, () => {
    let fixture: LogFixture
    let log: Log

    beforeEach(async () => {
      fixture = await factory()
      log = fixture.log
      await log.createTopics([{ name: TOPIC, partitions: 3, config: {} }])
    })
    afterEach(() => fixture.dispose())

    const reopen = async (): Promise<void> => void (log = await fixture.reopen!())
    const open = (transactionalId: string | null, transactionTimeoutMs = TIMEOUT_MS): Promise<ProducerSession> =>
      log.openProducer({ transactionalId, transactionTimeoutMs })
    const send = async (producer: ProducerSession, partition: number, ...values: string[]): Promise<bigint> =>
      (await producer.append([{ topic: TOPIC, partition, records: batch(...values) }]))[0]!.baseOffset
    const values = async (
      partition: number,
      isolation: Isolation = 'read_committed',
      from = 0n,
    ): Promise<(string | null)[]> =>
      (await readAll(log, { topic: TOPIC, partition }, isolation, from)).map(({ value }) => value)
    const offset = async (which: 'earliest' | 'latest' | 'stable', partition = 0): Promise<bigint> =>
      (await log.listOffsets([{ topic: TOPIC, partition }], which))[0]!
    const fetchOne = async (from: bigint, isolation: Isolation = 'read_committed', maxBytes = 1 << 20, partition = 0) =>
      (
        await log.fetch({ partitions: [{ topic: TOPIC, partition, offset: from, maxBytes }], isolation, maxWaitMs: 0 })
      )[0]!

    describe('topics', () => {
      test('a topic keeps its id, partitions and configuration', async () => {
        await log.createTopics([{ name: 'state-changelog', partitions: 2, config: { 'cleanup.policy': 'compact' } }])
        const [made] = await log.metadata(['state-changelog'])
        expect(made).toMatchObject({ name: 'state-changelog', partitions: 2, config: { 'cleanup.policy': 'compact' } })
        expect(made!.topicId).toMatch(/^\S{8,}$/)
        expect(await log.metadata(['no-such-topic', TOPIC])).toHaveLength(1)
      })

      test('internal topics are hidden unless named', async () => {
        expect((await log.metadata()).map((topic) => topic.name)).toEqual([TOPIC])
        expect(await log.metadata(['__consumer_offsets'])).toHaveLength(1)
      })

      test('what cannot be created is refused whole', async () => {
        const good = { name: 'good', partitions: 1, config: {} }
        await fails('TOPIC_ALREADY_EXISTS', log.createTopics([good, { name: TOPIC, partitions: 3, config: {} }]))
        await fails('INVALID_TOPIC_EXCEPTION', log.createTopics([good, { name: 'a/b', partitions: 1, config: {} }]))
        await fails('INVALID_TOPIC_EXCEPTION', log.createTopics([good, { name: '..', partitions: 1, config: {} }]))
        await fails('INVALID_PARTITIONS', log.createTopics([{ ...good, partitions: 0 }]))
        await fails('INVALID_CONFIG', log.createTopics([{ ...good, config: { 'retention.ms': 'soon' } }]))
        await fails('INVALID_CONFIG', log.createTopics([{ ...good, config: { 'retention.minutes': '5' } }]))
        expect(await log.metadata(['good'])).toEqual([])
      })
    })

    describe('append and fetch', () => {
      test('offsets are consecutive per partition', async () => {
        const producer = await open(null)
        expect(await send(producer, 0, 'a', 'b')).toBe(0n)
        expect(await send(producer, 0, 'c')).toBe(2n)
        expect(await send(producer, 1, 'd')).toBe(0n)
        expect(await offset('latest')).toBe(3n)
        expect(await offset('earliest')).toBe(0n)
        expect(
          (await readAll(log, { topic: TOPIC, partition: 0 }, 'read_committed')).map((read) => read.offset),
        ).toEqual([0n, 1n, 2n])
      })

      test('appends keep the order of the calls, also when they are not awaited', async () => {
        const producer = await open(null)
        const sent = Array.from({ length: 40 }, (_, i) => `v${i}`)
        const offsets = await Promise.all(sent.map((value) => send(producer, 0, value)))
        expect(offsets).toEqual(sent.map((_, i) => BigInt(i)))
        expect(await values(0)).toEqual(sent)
      })

      test('bytes, headers, nulls and timestamps come back as they went', async () => {
        const records = new RecordBatchBuilder()
        const headers = [
          { key: 'trace', value: Buffer.from([0, 255]) },
          { key: 'é', value: Buffer.alloc(0) },
        ]
        records.append(5_000, Buffer.from('tenant-a'), null, headers)
        records.append(1_000, null, Buffer.alloc(0))
        const producer = await open(null)
        await producer.append([{ topic: TOPIC, partition: 2, records }])
        const [first, second] = await readAll(log, { topic: TOPIC, partition: 2 }, 'read_committed')
        expect(first).toEqual({ offset: 0n, timestamp: 5_000, key: 'tenant-a', value: null, headers })
        expect(second).toEqual({ offset: 1n, timestamp: 1_000, key: null, value: '', headers: [] })
      })

      test('a fetch is bounded by bytes and has at least one whole batch', async () => {
        const producer = await open(null)
        for (const value of ['x'.repeat(500), 'y'.repeat(500), 'z']) await send(producer, 0, value)
        const small = await fetchOne(0n, 'read_committed', 1)
        const cursor = new RecordCursor(small, 0n, 'read_committed')
        expect(cursor.next() && cursor.value()!.length).toBe(500)
        expect(cursor.next()).toBe(false)
        expect(cursor.nextOffset).toBe(1n)
        expect((await fetchOne(1n, 'read_committed', 1_100)).batches.length).toBeLessThanOrEqual(1_100)
      })

      test('a fetch may begin inside a batch', async () => {
        const producer = await open(null)
        await send(producer, 0, 'a', 'b', 'c')
        expect(await values(0, 'read_committed', 1n)).toEqual(['b', 'c'])
      })

      test('errors are answered per partition', async () => {
        await send(await open(null), 0, 'a')
        const at = (topic: string, partition: number, from: bigint) => ({
          topic,
          partition,
          offset: from,
          maxBytes: 1000,
        })
        const fetched = await log.fetch({
          partitions: [at(TOPIC, 0, 0n), at(TOPIC, 0, 2n), at(TOPIC, 9, 0n), at('nothing', 0, 0n)],
          isolation: 'read_committed',
          maxWaitMs: 1000,
        })
        expect(fetched.map(({ error }) => error)).toEqual([
          null,
          'OFFSET_OUT_OF_RANGE',
          'UNKNOWN_TOPIC_OR_PARTITION',
          'UNKNOWN_TOPIC_OR_PARTITION',
        ])
        await fails('UNKNOWN_TOPIC_OR_PARTITION', log.listOffsets([{ topic: 'nothing', partition: 0 }], 'latest'))
        await fails(
          'UNKNOWN_TOPIC_OR_PARTITION',
          (await open(null)).append([{ topic: TOPIC, partition: 3, records: batch('a') }]),
        )
      })

      test('a batch over the bound is refused, and the topic may raise it', async () => {
        await log.createTopics([{ name: 'narrow', partitions: 1, config: { 'max.message.bytes': '300' } }])
        const producer = await open(null)
        await fails(
          'RECORD_TOO_LARGE',
          producer.append([{ topic: 'narrow', partition: 0, records: batch('x'.repeat(400)) }]),
        )
        expect(
          (await producer.append([{ topic: 'narrow', partition: 0, records: batch('x'.repeat(100)) }]))[0]!.baseOffset,
        ).toBe(0n)
      })

      test('keys of two tenants keep to the partitions that Java gives them', async () => {
        const producer = await open(null)
        for (const tenant of ['tenant-a', 'tenant-b']) {
          for (let i = 0; i < 20; i++) {
            const key = Buffer.from(`${tenant}/client-${i}`)
            const records = new RecordBatchBuilder()
            records.append(1, key, Buffer.from(tenant))
            await producer.append([{ topic: TOPIC, partition: partitionFor(key, 3), records }])
          }
        }
        const read = await Promise.all(
          [0, 1, 2].map((partition) => readAll(log, { topic: TOPIC, partition }, 'read_committed')),
        )
        expect(read.flat()).toHaveLength(40)
        for (const [partition, records] of read.entries()) {
          expect(records.length).toBeGreaterThan(0)
          for (const { key, value } of records) {
            expect(partitionFor(Buffer.from(key!), 3)).toBe(partition)
            expect(key!.startsWith(value!)).toBe(true)
          }
        }
      })
    })

    describe('long poll', () => {
      const poll = (isolation: Isolation, signal?: AbortSignal) =>
        log.fetch({
          partitions: [0, 1].map((partition) => ({ topic: TOPIC, partition, offset: 0n, maxBytes: 1000 })),
          isolation,
          maxWaitMs: 20_000,
          ...(signal === undefined ? {} : { signal }),
        })

      test('wakes a read_uncommitted reader by an append', async () => {
        const waiting = poll('read_uncommitted')
        const producer = await open('p')
        producer.begin()
        await send(producer, 1, 'a')
        expect((await waiting)[1]!.batches.length).toBeGreaterThan(0)
      })

      test('wakes a read_committed reader when the last stable offset moves', async () => {
        const waiting = poll('read_committed')
        const producer = await open('p')
        producer.begin()
        await send(producer, 1, 'a')
        expect(await Promise.race([waiting.then(() => 'woken'), fixture.advance(10).then(() => 'waits')])).toBe('waits')
        await producer.end('commit')
        expect((await waiting)[1]!.batches.length).toBeGreaterThan(0)
      })

      test('ends at the time limit and by its signal, empty', async () => {
        const timed = poll('read_committed')
        await fixture.advance(20_000)
        expect((await timed).map(({ batches }) => batches.length)).toEqual([0, 0])
        const stop = new AbortController()
        const stopped = poll('read_committed', stop.signal)
        stop.abort()
        expect((await stopped).every(({ batches }) => batches.length === 0)).toBe(true)
      })
    })

    describe('transactions', () => {
      test('records are seen by read_committed at the commit, by read_uncommitted at once', async () => {
        const producer = await open('p')
        producer.begin()
        await send(producer, 0, 'a')
        await send(producer, 1, 'b')
        expect(await values(0)).toEqual([])
        expect(await values(0, 'read_uncommitted')).toEqual(['a'])
        expect(await offset('stable')).toBe(0n)
        expect(await offset('latest')).toBe(1n)
        await producer.end('commit')
        expect(await values(0)).toEqual(['a'])
        expect(await values(1)).toEqual(['b'])
        expect(await offset('stable')).toBe(2n)
      })

      test('aborted records are never delivered to read_committed, and the position passes over them (R2, R3)', async () => {
        const producer = await open('p')
        producer.begin()
        await send(producer, 0, 'lost')
        await producer.end('abort')
        const fetched = await fetchOne(0n)
        const cursor = new RecordCursor(fetched, 0n, 'read_committed')
        expect(cursor.next()).toBe(false)
        expect(cursor.nextOffset).toBe(2n)
        expect(await values(0, 'read_uncommitted')).toEqual(['lost'])
      })

      test('the last stable offset stays at the earliest open transaction', async () => {
        const [early, late] = [await open('early'), await open('late')]
        early.begin()
        late.begin()
        await send(early, 0, 'e1')
        await send(late, 0, 'l1')
        await late.end('commit')
        await send(await open(null), 0, 'plain')
        expect(await values(0)).toEqual([])
        expect(await offset('stable')).toBe(0n)
        await early.end('commit')
        expect(await values(0)).toEqual(['e1', 'l1', 'plain'])
      })

      test('two aborts of one producer in one fetch', async () => {
        const producer = await open('p')
        for (const [value, outcome] of [
          ['a1', 'abort'],
          ['a2', 'abort'],
          ['c1', 'commit'],
          ['a3', 'abort'],
          ['c2', 'commit'],
        ] as const) {
          producer.begin()
          await send(producer, 0, value, value)
          await producer.end(outcome)
        }
        expect((await fetchOne(0n)).aborted.length).toBeGreaterThanOrEqual(2)
        expect(await values(0)).toEqual(['c1', 'c1', 'c2', 'c2'])
      })

      test('a fetch that begins inside aborted transactions, or ends before their markers', async () => {
        const [p, q, plain] = [await open('p'), await open('q'), await open(null)]
        p.begin()
        q.begin()
        for (const value of ['1', '2', '3']) {
          await send(p, 0, `p${value}`)
          await send(q, 0, `q${value}`)
          await send(plain, 0, value)
        }
        await p.end('abort')
        await q.end('abort')
        for (let from = 0n; from <= 9n; from++) {
          const kept = ['1', '2', '3'].filter((_, i) => BigInt(3 * i + 2) >= from)
          expect(await values(0, 'read_committed', from)).toEqual(kept)
          const one = await fetchOne(from, 'read_committed', 1)
          const cursor = new RecordCursor(one, from, 'read_committed')
          while (cursor.next()) expect(cursor.value()!.toString()).toMatch(/^\d$/)
        }
      })

      test('opening a transactional id again fences the session before and aborts what it left', async () => {
        const zombie = await open('p')
        zombie.begin()
        await send(zombie, 0, 'zombie')
        const owner = await open('p')
        expect(owner.producerId).toBe(zombie.producerId)
        expect(owner.epoch).toBeGreaterThan(zombie.epoch)
        await fails('PRODUCER_FENCED', send(zombie, 0, 'late'))
        await fails('PRODUCER_FENCED', zombie.sendOffsets(OUTSIDER('g'), [at(0, 1n)]))
        await fails('PRODUCER_FENCED', zombie.end('commit'))
        expect(() => zombie.begin()).toThrowError(expect.objectContaining({ code: 'PRODUCER_FENCED' }))
        owner.begin()
        await send(owner, 0, 'owner')
        await owner.end('commit')
        expect(await values(0)).toEqual(['owner'])
        expect(await offset('stable')).toBe(await offset('latest'))
      })

      test('the state of a transaction is checked', async () => {
        const plain = await open(null)
        expect(() => plain.begin()).toThrowError(expect.objectContaining({ code: 'INVALID_TXN_STATE' }))
        const producer = await open('p')
        await fails('INVALID_TXN_STATE', send(producer, 0, 'outside'))
        await fails('INVALID_TXN_STATE', producer.end('commit'))
        producer.begin()
        expect(() => producer.begin()).toThrowError(expect.objectContaining({ code: 'INVALID_TXN_STATE' }))
        await producer.end('commit')
        expect(await offset('latest')).toBe(0n)
        await producer.close()
        await fails('CLOSED', send(producer, 0, 'closed'))
      })

      test('closing a session aborts its open transaction', async () => {
        const producer = await open('p')
        producer.begin()
        await send(producer, 0, 'a')
        await producer.close()
        expect(await values(0)).toEqual([])
        expect(await offset('stable')).toBe(2n)
      })

      test('a transaction open for too long is aborted and its session fenced', async () => {
        const producer = await open('p', 5_000)
        producer.begin()
        await fixture.advance(6_000)
        await send(producer, 0, 'a')
        await producer.sendOffsets(OUTSIDER('g'), [at(0, 7n)])
        await fixture.advance(4_999)
        expect(await offset('stable')).toBe(0n)
        await fixture.advance(1)
        await expect.poll(() => offset('stable')).toBe(2n)
        await fails('PRODUCER_FENCED', producer.end('commit'))
        expect(await values(0)).toEqual([])
        expect(await log.committedOffsets('g', [at(0, 0n)])).toEqual([null])
      })
    })

    describe('groups and offsets', () => {
      test('offsets count from the commit of their transaction, each group its own', async () => {
        const producer = await open('p')
        producer.begin()
        await producer.sendOffsets(OUTSIDER('tenant-a'), [at(0, 5n, 'time=1'), at(1, 6n)])
        await producer.sendOffsets(OUTSIDER('tenant-b'), [at(0, 9n)])
        await producer.end('commit')
        expect(await log.committedOffsets('tenant-a', [at(1, 0n), at(0, 0n), at(2, 0n)])).toEqual([
          at(1, 6n),
          at(0, 5n, 'time=1'),
          null,
        ])
        expect(await log.committedOffsets('tenant-b', [at(0, 0n)])).toEqual([at(0, 9n)])
        producer.begin()
        await producer.sendOffsets(OUTSIDER('tenant-a'), [at(0, 50n)])
        await producer.end('abort')
        expect(await log.committedOffsets('tenant-a', [at(0, 0n)])).toEqual([at(0, 5n, 'time=1')])
      })

      test('a reader of offsets waits for the transaction that may move them', async () => {
        const producer = await open('p')
        producer.begin()
        await producer.sendOffsets(OUTSIDER('g'), [at(0, 5n)])
        expect(await log.committedOffsets('g', [at(1, 0n)])).toEqual([null])
        expect(await log.committedOffsets('other', [at(0, 0n)])).toEqual([null])
        const impatient = log.committedOffsets('g', [at(0, 0n)], 100)
        const patient = log.committedOffsets('g', [at(0, 0n)], 50_000)
        const unstable = fails('UNSTABLE_OFFSET_COMMIT', impatient)
        await fixture.advance(0)
        await fixture.advance(100)
        await unstable
        await producer.end('commit')
        await fixture.advance(1_000)
        expect(await patient).toEqual([at(0, 5n)])
      })

      test('members share the partitions; who leaves gives them up, and commits no more', async () => {
        const [first, second] = [listener(), listener()]
        const one = await log.joinGroup({
          groupId: 'g',
          topics: [TOPIC],
          instanceId: null,
          sessionTimeoutMs: 10_000,
          listener: first,
        })
        await fixture.advance(0)
        expect(first.calls).toEqual([['assigned', [0, 1, 2]]])
        const old = one.metadata()
        const two = await log.joinGroup({
          groupId: 'g',
          topics: [TOPIC],
          instanceId: null,
          sessionTimeoutMs: 10_000,
          listener: second,
        })
        await fixture.advance(20_000)
        expect(first.calls.slice(1)).toEqual([
          ['revoked', [2]],
          ['assigned', []],
        ])
        expect(second.calls).toEqual([
          ['assigned', []],
          ['assigned', [2]],
        ])

        const producer = await open('p')
        const refused = async (code: LogErrorCode, group: GroupMetadata): Promise<void> => {
          producer.begin()
          await fails(code, producer.sendOffsets(group, [at(0, 1n)]))
          await fails('INVALID_TXN_STATE', producer.end('commit'))
          await producer.end('abort')
        }
        await refused('ILLEGAL_GENERATION', old)
        await refused('UNKNOWN_MEMBER_ID', { ...two.metadata(), memberId: 'somebody' })
        producer.begin()
        await producer.sendOffsets(two.metadata(), [at(0, 2n)])
        await producer.end('commit')
        expect(await log.committedOffsets('g', [at(0, 0n)])).toEqual([at(0, 2n)])

        const [described] = await log.describeGroups(['g'])
        expect(described).toMatchObject({ groupId: 'g', state: 'Stable' })
        expect(described!.members.map(({ assigned }) => assigned.length).sort()).toEqual([1, 2])
        const left = two.metadata()
        await two.leave()
        expect(() => two.metadata()).toThrow()
        producer.begin()
        await fails('UNKNOWN_MEMBER_ID', producer.sendOffsets(left, [at(0, 3n)]))
        await producer.end('abort')
        await fixture.advance(20_000)
        expect(first.calls.at(-1)).toEqual(['assigned', [2]])
        await one.leave()
        expect((await log.describeGroups()).map(({ groupId, state }) => [groupId, state])).toEqual([['g', 'Empty']])
      })
    })

    test('deleted records are gone, the rest stays readable', async () => {
      const producer = await open(null)
      for (const value of ['a', 'b', 'c']) await send(producer, 0, value)
      await log.deleteRecords([{ topic: TOPIC, partition: 0, offset: 2n }])
      expect(await offset('earliest')).toBe(2n)
      expect((await fetchOne(1n)).error).toBe('OFFSET_OUT_OF_RANGE')
      expect(await values(0, 'read_committed', 2n)).toEqual(['c'])
      await fails('OFFSET_OUT_OF_RANGE', log.deleteRecords([{ topic: TOPIC, partition: 0, offset: 9n }]))
      await log.deleteRecords([{ topic: TOPIC, partition: 0, offset: 1n }])
      expect(await offset('earliest')).toBe(2n)
    })

    test('after close every call fails with CLOSED', async () => {
      const waiting = log.fetch({
        partitions: [{ topic: TOPIC, partition: 0, offset: 0n, maxBytes: 100 }],
        isolation: 'read_committed',
        maxWaitMs: 60_000,
      })
      const ended = fails('CLOSED', waiting)
      await log.close()
      await ended
      await fails('CLOSED', log.metadata())
      await fails('CLOSED', log.openProducer({ transactionalId: null, transactionTimeoutMs: 1 }))
    })

    test('any interleaving of transactions reads as its commits', async () => {
      await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.uuid(), playAndCompare), { numRuns: 25 })
    })

    if (durable) {
      test('what was acknowledged is there after a reopen', async () => {
        const [plain, producer, open1] = [await open(null), await open('p'), await open('left-open')]
        await send(plain, 0, 'tenant-a')
        producer.begin()
        await send(producer, 0, 'tenant-b')
        await producer.sendOffsets(OUTSIDER('g'), [at(0, 3n, 'm')])
        await producer.end('commit')
        open1.begin()
        await send(open1, 0, 'undecided')
        await open1.sendOffsets(OUTSIDER('g'), [at(0, 99n)])
        await log.deleteRecords([{ topic: TOPIC, partition: 1, offset: 0n }])
        const before = { topics: await log.metadata([TOPIC]), clusterId: log.clusterId }
        await reopen()
        expect({ topics: await log.metadata([TOPIC]), clusterId: log.clusterId }).toEqual(before)
        expect(await values(0)).toEqual(['tenant-a', 'tenant-b'])
        expect(await offset('stable')).toBe(await offset('latest'))
        expect(await log.committedOffsets('g', [at(0, 0n)])).toEqual([at(0, 3n, 'm')])
        const next = await open('p')
        expect(next.producerId).toBe(producer.producerId)
        expect(next.epoch).toBeGreaterThan(producer.epoch)
        expect((await open(null)).producerId).toBeGreaterThan(plain.producerId)
      })
    }

    /** Plays steps of three transactional producers and one plain one, and compares with a list of what was committed. */
    async function playAndCompare(steps: readonly Step[], id: string): Promise<void> {
      const topic = `t-${id}`
      await log.createTopics([{ name: topic, partitions: 2, config: {} }])
      const names = ['p', 'q', 'r'].map((producer) => `${producer}-${id}`)
      const producers = await Promise.all(names.map((producer) => open(producer)))
      const plain = await open(null)
      const isOpen = [false, false, false]
      const written: { partition: number; value: string; producer: number; committed: boolean | null }[] = []
      const close = (producer: number, committed: boolean): void => {
        isOpen[producer] = false
        for (const entry of written) if (entry.producer === producer) entry.committed ??= committed
      }
      for (const [i, { producer, partition, act }] of steps.entries()) {
        const value = `v${i}`
        if (act === 'plain') {
          await plain.append([{ topic, partition, records: batch(value) }])
          written.push({ partition, value, producer: -1, committed: true })
        } else if (act === 'append') {
          if (!isOpen[producer]) producers[producer]!.begin()
          isOpen[producer] = true
          await producers[producer]!.append([{ topic, partition, records: batch(value, value) }])
          written.push({ partition, value, producer, committed: null }, { partition, value, producer, committed: null })
        } else if (act === 'fence') {
          producers[producer] = await open(names[producer]!)
          close(producer, false)
        } else if (isOpen[producer]) {
          await producers[producer]!.end(act)
          close(producer, act === 'commit')
        }
      }
      for (const producer of [0, 1, 2])
        if (isOpen[producer]) await producers[producer]!.end('commit').then(() => close(producer, true))
      for (const partition of [0, 1]) {
        const all = written.filter((entry) => entry.partition === partition)
        const committed = all.filter((entry) => entry.committed).map((entry) => entry.value)
        for (const maxBytes of [1, 300, 1 << 20]) {
          const read = await readAll(log, { topic, partition }, 'read_committed', 0n, maxBytes)
          expect(read.map((record) => record.value)).toEqual(committed)
        }
        const uncommitted = await readAll(log, { topic, partition }, 'read_uncommitted')
        expect(uncommitted.map((record) => record.value)).toEqual(all.map((entry) => entry.value))
      }
    }
  })
}

interface Step {
  readonly producer: number
  readonly partition: number
  readonly act: 'append' | 'commit' | 'abort' | 'fence' | 'plain'
}

const step: fc.Arbitrary<Step> = fc.record({
  producer: fc.integer({ min: 0, max: 2 }),
  partition: fc.integer({ min: 0, max: 1 }),
  act: fc.constantFrom('append', 'append', 'append', 'commit', 'abort', 'fence', 'plain'),
})

const at = (partition: number, offset: bigint, metadata = ''): OffsetAndMetadata => ({
  topic: TOPIC,
  partition,
  offset,
  metadata,
})

export function batch(...values: string[]): RecordBatchBuilder {
  const records = new RecordBatchBuilder()
  for (const [i, value] of values.entries()) records.append(1_000 + i, Buffer.from(`key-${value}`), Buffer.from(value))
  return records
}

/** Everything from `from` to where the isolation ends, in as many fetches as it takes. */
export async function readAll(
  log: Log,
  { topic, partition }: TopicPartition,
  isolation: Isolation,
  from = 0n,
  maxBytes = 1 << 20,
): Promise<readonly Read[]> {
  const which = isolation === 'read_committed' ? 'stable' : 'latest'
  const [end] = await log.listOffsets([{ topic, partition }], which)
  const read: Read[] = []
  while (from < end!) {
    const [fetched] = await log.fetch({
      partitions: [{ topic, partition, offset: from, maxBytes }],
      isolation,
      maxWaitMs: 0,
    })
    expect(fetched!.error).toBe(null)
    const cursor = new RecordCursor(fetched!, from, isolation)
    while (cursor.next()) {
      const key = cursor.key()?.toString() ?? null
      const value = cursor.value()?.toString() ?? null
      read.push({ offset: cursor.offset, timestamp: cursor.timestamp, key, value, headers: cursor.headers() })
    }
    expect(cursor.nextOffset).toBeGreaterThan(from)
    from = cursor.nextOffset
  }
  return read
}

export async function fails(code: LogErrorCode, work: Promise<unknown>): Promise<void> {
  await expect(work).rejects.toMatchObject({ name: 'LogError', code })
}

function listener(): RebalanceListener & { readonly calls: [string, number[]][] } {
  const calls: [string, number[]][] = []
  const note =
    (name: string) =>
    async (partitions: readonly TopicPartition[] = []): Promise<void> =>
      void calls.push([name, partitions.map(({ partition }) => partition)])
  return { calls, revoked: note('revoked'), assigned: note('assigned'), lost: note('lost') }
}
