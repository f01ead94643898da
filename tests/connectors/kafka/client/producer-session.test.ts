/** The producer session against a broker that loses answers, refuses and fences (P1-P6). */

import { describe, expect, test } from 'vitest'

import { LogClient } from '../../../../connectors/kafka/index.ts'
import type { LogErrorCode, ProducerSession } from '../../../../connectors/kafka/index.ts'
import { batch, fails } from '../../../contracts/log.ts'
import { HandClock, seededRandom, settle } from '../hand-clock.ts'
import { ScriptedBroker } from './scripted-broker.ts'

const GROUP = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null }
const OFFSET = { topic: 't', partition: 0, offset: 5n, metadata: '' }

describe('transactions', () => {
  test('a transaction in which nothing was sent asks nothing', async () => {
    const { script, session } = await opened('p')
    session.begin()
    await session.end('commit')
    session.begin()
    await session.append([])
    await session.sendOffsets(GROUP, [])
    await session.end('abort')
    expect(script.names()).toEqual(['initProducerId'])
  })

  test('each end gives the identity of the next transaction, and sequences begin at 0 (P6)', async () => {
    const { script, session } = await opened('p')
    for (const outcome of ['commit', 'abort', 'commit'] as const) {
      session.begin()
      await send(session, 0, 'a', 'b')
      await send(session, 0, 'c')
      await session.end(outcome)
    }
    expect(session.epoch).toBe(4)
    expect(stamps(script)).toEqual(
      [1, 2, 3].flatMap((epoch) => [
        [epoch, 0],
        [epoch, 2],
      ]),
    )
    expect(script.requests('endTxn').map(({ epoch, outcome }) => [epoch, outcome])).toEqual([
      [1, 'commit'],
      [2, 'abort'],
      [3, 'commit'],
    ])
  })

  test('requests without an await keep their order, one at a time (P1)', async () => {
    const { script, session } = await opened('p')
    const { promise, resolve } = Promise.withResolvers<void>()
    script.answer('produce', promise)
    session.begin()
    const calls = [
      send(session, 0, 'a'),
      send(session, 0, 'b'),
      session.sendOffsets(GROUP, [OFFSET]),
      session.end('commit'),
    ]
    await fails('INVALID_TXN_STATE', send(session, 0, 'too late'))
    await settle()
    expect(script.names()).toEqual(['initProducerId', 'produce'])
    resolve()
    await Promise.all(calls)
    expect(script.names()).toEqual(['initProducerId', 'produce', 'produce', 'txnOffsetCommit', 'endTxn'])
    expect(stamps(script)).toEqual([
      [1, 0],
      [1, 1],
    ])
  })

  test.each(['CONCURRENT_TRANSACTIONS', 'NOT_COORDINATOR', 'NOT_LEADER_OR_FOLLOWER'] as const)(
    '%s is asked again with the same bytes (P2)',
    async (code) => {
      const { script, session, clock } = await opened('p')
      script.answer('produce', [null, code], code, [code])
      script.answer('txnOffsetCommit', code)
      script.answer('endTxn', code, code)
      session.begin()
      const appended = session.append(
        [0, 1].map((partition) => ({ topic: 't', partition, records: batch(`v${partition}`) })),
      )
      await settle()
      await clock.advance(1_000)
      expect((await appended).map(({ partition }) => partition)).toEqual([0, 1])
      const requests = script.requests('produce').map(({ batches }) => batches.map(({ partition }) => partition))
      expect(requests).toEqual([[0, 1], [1], [1], [1]])
      expect(new Set(script.requests('produce').map(({ batches }) => batches.at(-1)!.batch.toString('hex'))).size).toBe(
        1,
      )
      const rest = session.sendOffsets(GROUP, [OFFSET]).then(() => session.end('commit'))
      await settle()
      await clock.advance(1_000)
      await rest
      expect(script.requests('endTxn')).toHaveLength(3)
      expect(clock.pending).toBe(0)
    },
  )

  test('CONCURRENT_TRANSACTIONS is asked again after 20 ms, others wait longer each time', async () => {
    const { script, session, clock } = await opened('p')
    script.answer('produce', 'CONCURRENT_TRANSACTIONS', 'CONCURRENT_TRANSACTIONS')
    session.begin()
    const sent = send(session, 0, 'a')
    await settle()
    await clock.advance(19)
    expect(script.requests('produce')).toHaveLength(1)
    await clock.advance(21)
    await sent
    expect(script.requests('produce')).toHaveLength(3)
  })

  test('asking again has an end; nothing was done, and the transaction can be aborted (P2, P4)', async () => {
    const { script, session, clock } = await opened('p')
    script.answer('produce', ...Array.from({ length: 10_000 }, () => 'CONCURRENT_TRANSACTIONS' as const))
    session.begin()
    const sent = expect(send(session, 0, 'a')).rejects.toMatchObject({ code: 'CONCURRENT_TRANSACTIONS', then: 'retry' })
    await settle()
    await clock.advance(10_000)
    await sent
    await fails('INVALID_TXN_STATE', session.end('commit'))
    await session.end('abort')
    expect(script.names().at(-1)).toBe('endTxn')
    session.begin()
  })

  test.each(['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'FENCED_INSTANCE_ID', 'UNKNOWN_TOPIC_OR_PARTITION'] as const)(
    'after %s the transaction can only be aborted (P4)',
    async (code) => {
      const { script, session } = await opened('p')
      script.answer('txnOffsetCommit', code)
      session.begin()
      await send(session, 0, 'a')
      await fails(code, session.sendOffsets(GROUP, [OFFSET]))
      await fails('INVALID_TXN_STATE', send(session, 0, 'b'))
      await fails('INVALID_TXN_STATE', session.end('commit'))
      await session.end('abort')
      session.begin()
      await send(session, 0, 'c')
      await session.end('commit')
      expect(script.requests('endTxn').map(({ outcome }) => outcome)).toEqual(['abort', 'commit'])
    },
  )

  describe.each(['TIMEOUT', 'STORAGE_ERROR'] as const)(
    'after %s nobody knows, and the session is over (P3)',
    (code) => {
      test.each(['produce', 'txnOffsetCommit', 'endTxn'] as const)('%s', async (call) => {
        const { script, session } = await opened('p')
        script.answer(call, code)
        await expectOver(script, session, call, code)
      })
    },
  )

  describe.each(['PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH', 'INVALID_PRODUCER_ID_MAPPING'] as const)(
    '%s is PRODUCER_FENCED in every call, and the session is over (P3)',
    (code) => {
      test.each(['produce', 'txnOffsetCommit', 'endTxn'] as const)('%s', async (call) => {
        const { script, session } = await opened('p')
        script.answer(call, call === 'produce' ? [code] : code)
        await expectOver(script, session, call, 'PRODUCER_FENCED')
      })
    },
  )

  test('an end that was not decided may be asked for again', async () => {
    const { script, session } = await opened('p')
    script.answer('endTxn', 'STORAGE_FULL')
    session.begin()
    await send(session, 0, 'a')
    await fails('STORAGE_FULL', session.end('commit'))
    await session.end('commit')
    expect(script.requests('endTxn').map(({ epoch }) => epoch)).toEqual([1, 1])
  })

  test('close aborts what is open and waits for what is on its way', async () => {
    const { script, session } = await opened('p')
    const { promise, resolve } = Promise.withResolvers<void>()
    script.answer('produce', promise)
    session.begin()
    const sent = send(session, 0, 'a')
    const closing = session.close()
    resolve()
    await Promise.all([sent, closing])
    expect(script.names().slice(1)).toEqual(['produce', 'endTxn'])
    expect(script.requests('endTxn')[0]!.outcome).toBe('abort')
    await fails('CLOSED', send(session, 0, 'b'))
  })

  test('one append has one batch a partition: the second would repeat the sequence', async () => {
    const { session } = await opened('p')
    session.begin()
    const twice = [batch('a'), batch('b')].map((records) => ({ topic: 't', partition: 0, records }))
    await fails('INVALID_REQUEST', session.append(twice))
  })
})

describe('without transactions', () => {
  test('a send without answer goes again, the same bytes, before the next one (P5)', async () => {
    const { script, session, clock } = await opened(null)
    script.answer('produce', 'TIMEOUT', ['TIMEOUT'])
    const both = Promise.all([send(session, 0, 'a'), send(session, 0, 'b')])
    await settle()
    await clock.advance(1_000)
    await both
    const batches = script.requests('produce').map(({ batches: [first] }) => first!.batch.toString('hex'))
    expect(new Set(batches.slice(0, 3)).size).toBe(1)
    expect(stamps(script)).toEqual([
      [1, 0],
      [1, 0],
      [1, 0],
      [1, 1],
    ])
    expect(clock.pending).toBe(0)
  })

  test('a refused batch does not use up its sequence', async () => {
    const { script, session } = await opened(null)
    script.answer('produce', ['RECORD_TOO_LARGE', null])
    const both = [0, 1].map((partition) => ({ topic: 't', partition, records: batch('a') }))
    await fails('RECORD_TOO_LARGE', session.append(both))
    await session.append(both)
    expect(script.requests('produce')[1]!.batches.map(({ batch: bytes }) => bytes.readInt32BE(53))).toEqual([0, 1])
  })

  test('when no answer comes for too long the session is over: the next sequence is not known (P5)', async () => {
    const { script, session, clock } = await opened(null)
    script.answer('produce', ...Array.from({ length: 10_000 }, () => 'TIMEOUT' as const))
    const lost = fails('TIMEOUT', send(session, 0, 'a'))
    await settle()
    await clock.advance(120_000)
    await lost
    await fails('TIMEOUT', send(session, 0, 'b'))
  })

  test('a refusal behind a send without answer says nothing of that one', async () => {
    const { script, session, clock } = await opened(null)
    script.answer('produce', 'TIMEOUT', ['STORAGE_FULL'])
    const lost = fails('TIMEOUT', send(session, 0, 'a'))
    await settle()
    await clock.advance(1_000)
    await lost
    await fails('TIMEOUT', send(session, 0, 'b'))
  })

  test('a leader that was deposed may have written the batch: its sequence is not given to another (P5)', async () => {
    const { script, session, clock } = await opened(null)
    script.answer('produce', ['NOT_LEADER_OR_FOLLOWER'], ['RECORD_TOO_LARGE'])
    const lost = fails('TIMEOUT', send(session, 0, 'a'))
    await settle()
    await clock.advance(1_000)
    await lost
    await fails('TIMEOUT', send(session, 0, 'b'))
    expect(stamps(script)).toEqual([
      [1, 0],
      [1, 0],
    ])
  })

  test('OUT_OF_ORDER_SEQUENCE_NUMBER ends the session', async () => {
    const { script, session } = await opened(null)
    script.answer('produce', ['OUT_OF_ORDER_SEQUENCE_NUMBER'])
    await fails('OUT_OF_ORDER_SEQUENCE_NUMBER', send(session, 0, 'a'))
    await fails('OUT_OF_ORDER_SEQUENCE_NUMBER', send(session, 0, 'b'))
  })
})

test('InitProducerId is asked again, also without an answer', async () => {
  const { script, log, clock } = client()
  script.answer('initProducerId', 'CONCURRENT_TRANSACTIONS', 'TIMEOUT')
  const opening = log.openProducer({ transactionalId: 'p', transactionTimeoutMs: 10_000 })
  await settle()
  await clock.advance(1_000)
  expect((await opening).epoch).toBe(1)
})

test('committed offsets are asked for until they are stable, or the time is over', async () => {
  const { script, log, clock } = client()
  script.answer('offsetFetch', 'UNSTABLE_OFFSET_COMMIT', 'UNSTABLE_OFFSET_COMMIT')
  const patient = log.committedOffsets('g', [{ topic: 't', partition: 0 }], 1_000)
  await settle()
  await clock.advance(1_000)
  expect(await patient).toEqual([OFFSET])
  expect(script.requests('offsetFetch').every(({ requireStable }) => requireStable)).toBe(true)
  script.answer('offsetFetch', ...Array.from({ length: 100 }, () => 'UNSTABLE_OFFSET_COMMIT' as const))
  const impatient = fails('UNSTABLE_OFFSET_COMMIT', log.committedOffsets('g', [{ topic: 't', partition: 0 }], 1_000))
  await settle()
  await clock.advance(1_000)
  await impatient
  expect(clock.pending).toBe(0)
})

test('a request that is never answered ends with TIMEOUT', async () => {
  const { script, log, clock } = client(5_000)
  script.answer('produce', new Promise(() => {}))
  const session = await log.openProducer({ transactionalId: 'p', transactionTimeoutMs: 60_000 })
  session.begin()
  const lost = fails('TIMEOUT', send(session, 0, 'a'))
  await settle()
  await clock.advance(5_000)
  await lost
  expect(clock.pending).toBe(0)
})

test('closing the log ends what waits to ask again', async () => {
  const { script, log, clock } = client()
  script.answer('offsetFetch', ...Array.from({ length: 100 }, () => 'UNSTABLE_OFFSET_COMMIT' as const))
  const waiting = fails('CLOSED', log.committedOffsets('g', [{ topic: 't', partition: 0 }]))
  await settle()
  await log.close()
  await waiting
  expect(clock.pending).toBe(0)
})

function client(requestTimeoutMs?: number) {
  const [script, clock] = [new ScriptedBroker(), new HandClock()]
  const log = new LogClient({
    broker: script.broker,
    clock,
    random: seededRandom('client'),
    ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
  })
  return { script, clock, log }
}

async function opened(transactionalId: string | null) {
  const made = client()
  return { ...made, session: await made.log.openProducer({ transactionalId, transactionTimeoutMs: 10_000 }) }
}

async function send(session: ProducerSession, partition: number, ...values: string[]): Promise<void> {
  await session.append([{ topic: 't', partition, records: batch(...values) }])
}

/** Epoch and base sequence of the first batch of each Produce. */
const stamps = (script: ScriptedBroker): number[][] =>
  script.requests('produce').map(({ batches: [first] }) => [first!.batch.readInt16BE(51), first!.batch.readInt32BE(53)])

/** The transaction fails at `call`; nothing works and nothing is sent afterwards. */
async function expectOver(
  script: ScriptedBroker,
  session: ProducerSession,
  call: string,
  code: LogErrorCode,
): Promise<void> {
  const calls = { produce: () => send(session, 0, 'a'), txnOffsetCommit: () => session.sendOffsets(GROUP, [OFFSET]) }
  session.begin()
  if (call === 'endTxn') {
    await send(session, 0, 'a')
    await fails(code, session.end('commit'))
  } else await fails(code, calls[call as keyof typeof calls]())
  const asked = script.asked.length
  await fails(code, calls.produce())
  await fails(code, calls.txnOffsetCommit())
  await fails(code, session.end('abort'))
  expect(() => session.begin()).toThrowError(expect.objectContaining({ code }))
  await session.close()
  expect(script.asked).toHaveLength(asked)
}
