/**
 * Our client at a Kafka that asks who one is and what one may. Credentials that are wrong, and rights that are missing, are one
 * line and no waiting; credentials that are shown again take nothing from what is under way. All scripts, so: `npm run conformance -- --secured`.
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RecordBatchBuilder, RecordCursor } from '../../../../connectors/kafka/index.ts'
import type { Log, LogError } from '../../../../connectors/kafka/index.ts'
import type { SaslCredentials } from '../../../../connectors/kafka/wire/index.ts'
import { allow } from '../../../../deploy/local/kafka-acls.ts'
import { certificateOf } from '../../../../deploy/local/kafka-security.ts'
import { kafkaJars, startKafka } from '../../../../deploy/local/kafka.ts'
import type { Kafka } from '../../../../deploy/local/kafka.ts'
import { whyNoKafka } from '../../../conformance/record.ts'
import { openKafkaLog } from './real-time.ts'

const minutes = 60_000
/** A right counts when the broker has heard of it. */
const heardMs = 300
/** Kafka wants a second between two times, and a machine under load needs some of what is left after four fifths of it. */
const shownAgainMs = 4_000

const lacks = await whyNoKafka()
const inCI = process.env.CI === 'true'
if (lacks !== null) console.log(`our client shows its credentials to no real Kafka: ${lacks}`)

const recordsOf = (value: string): RecordBatchBuilder => {
  const records = new RecordBatchBuilder()
  records.append(1_000, null, Buffer.from(value))
  return records
}
const failureOf = (work: Promise<unknown>): Promise<LogError> =>
  work.then(
    () => expect.unreachable(),
    (error: unknown) => error as LogError,
  )

describe.skipIf(lacks !== null && !inCI)(`a Kafka that asks${lacks === null ? '' : ` (${lacks})`}`, () => {
  const user = { username: 'clerk', password: 'of-the-clerk' }
  const stranger = { username: 'stranger', password: 'of-the-stranger' }
  const place = { topic: 'ledger', partition: 0 }
  const notices: string[] = []
  let kafka: Kafka
  let scratch = ''
  let log: Log

  const open = (sasl: Partial<SaslCredentials> = {}, bootstrap = kafka.secured.plain, tls?: { ca?: Buffer }) =>
    openKafkaLog({
      bootstrap: [bootstrap],
      sasl: { mechanism: 'SCRAM-SHA-512', ...user, ...sasl },
      tls,
      notice: (line) => notices.push(line),
    })

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'kafka-secured-'))
    const users = Object.fromEntries([user, stranger].map(({ username, password }) => [username, password]))
    kafka = await startKafka({
      directory: join(scratch, 'broker'),
      jars: await kafkaJars(),
      settings: { 'connections.max.reauth.ms': String(shownAgainMs) },
      security: { users, certificates: scratch },
    })
    await allow(kafka, user.username, [
      { on: 'topic', name: 'ledger', isPrefix: false, may: ['Read', 'Write', 'Create'] },
      { on: 'group', name: 'clerks', isPrefix: false, may: ['Read'] },
      { on: 'transactional-id', name: 'clerk-', isPrefix: true, may: ['Write'] },
    ])
    await sleep(heardMs)
    log = await open()
    // What is written here is from long ago.
    await log.createTopics([{ name: place.topic, partitions: 1, config: { 'retention.ms': '-1' } }])
  }, 5 * minutes)

  afterAll(async () => {
    await log.close()
    await kafka.stop()
    await rm(scratch, { recursive: true, force: true })
  }, minutes)

  test.each([
    ['a wrong password', { password: 'wrong' }],
    ['a wrong password by PLAIN', { password: 'wrong', mechanism: 'PLAIN' as const }],
    ['a name that nobody knows', { username: 'nobody' }],
  ])('%s is one line, at once', async (_, sasl) => {
    const failure = await failureOf(open(sasl))
    expect(failure).toMatchObject({ code: 'AUTHENTICATION_FAILED', then: 'stop' })
    expect(failure.message).toMatch(/^127\.0\.0\.1:\d+: SASL_AUTHENTICATION_FAILED: Authentication failed.+$/)
  })

  test('credentials where nobody asks for them are one line', async () => {
    expect(await failureOf(open({}, kafka.bootstrap))).toMatchObject({ code: 'AUTHENTICATION_FAILED', then: 'stop' })
  })

  test('over TLS it is the same, and a certificate that nobody vouches for is named', async () => {
    const trusted = { ca: await readFile(certificateOf(scratch)) }
    for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const) {
      const over = await open({ mechanism }, kafka.secured.tls, trusted)
      expect(await over.listOffsets([place], 'earliest')).toEqual([0n])
      await over.close()
    }
    const refused = await failureOf(open({ password: 'wrong' }, kafka.secured.tls, trusted))
    expect(refused.code).toBe('AUTHENTICATION_FAILED')
    expect((await failureOf(open({}, kafka.secured.tls, {}))).message).toContain('self-signed certificate')
  })

  test('deleting records needs Delete, and what it may not see is not there to make', async () => {
    expect(await failureOf(log.deleteRecords([{ ...place, offset: 0n }]))).toMatchObject({
      code: 'TOPIC_AUTHORIZATION_FAILED',
      message: 'DeleteRecords of ledger-0: TOPIC_AUTHORIZATION_FAILED',
      then: 'stop',
    })
    expect(await failureOf(log.metadata(['of-others', 'ledger', 'more']))).toMatchObject({
      code: 'TOPIC_AUTHORIZATION_FAILED',
      message: 'metadata of more, of-others: TOPIC_AUTHORIZATION_FAILED',
      then: 'stop',
    })
    const made = log.createTopics([{ name: 'of-others', partitions: 1, config: {} }])
    expect(await failureOf(made)).toMatchObject({ code: 'TOPIC_AUTHORIZATION_FAILED', then: 'stop' })
    expect((await log.metadata()).map(({ name, config }) => [name, config])).toEqual([['ledger', {}]])
  })

  test('offsets are refused with the topic that they are of', async () => {
    const producer = await log.openProducer({ transactionalId: 'clerk-1', transactionTimeoutMs: 10_000 })
    const nobody = { groupId: 'clerks', generationId: -1, memberId: '', groupInstanceId: null }
    producer.begin()
    const offsets = [{ topic: 'of-others', partition: 3, offset: 1n, metadata: '' }]
    expect(await failureOf(producer.sendOffsets(nobody, offsets))).toMatchObject({
      code: 'TOPIC_AUTHORIZATION_FAILED',
      message: 'TxnOffsetCommit to clerks of of-others-3: TOPIC_AUTHORIZATION_FAILED',
      then: 'stop',
    })
    await producer.end('abort')
    await producer.close()
  })

  test('who may write nowhere can be no idempotent producer', async () => {
    const strange = await open(stranger)
    const opened = strange.openProducer({ transactionalId: null, transactionTimeoutMs: 1_000 })
    expect(await failureOf(opened)).toMatchObject({ code: 'CLUSTER_AUTHORIZATION_FAILED', then: 'stop' })
    await strange.close()
  })

  test(
    'credentials are shown again and again, and no request fails or is lost (KC4)',
    async () => {
      const shown = countHandshakes()
      notices.length = 0
      const endAt = performance.now() + 2.75 * shownAgainMs
      const until = async (work: () => Promise<unknown>): Promise<void> => {
        while (performance.now() < endAt) await work()
      }
      const producer = await log.openProducer({ transactionalId: 'clerk-2', transactionTimeoutMs: 10_000 })
      const stableEnd = async (): Promise<bigint> => (await log.listOffsets([place], 'stable'))[0]!
      const read: string[] = []
      let position = await stableEnd()
      let written = 0
      const transact = async (): Promise<void> => {
        producer.begin()
        await producer.append([{ ...place, records: recordsOf(String(written)) }])
        await producer.end('commit')
        written++
      }
      const readOn = async (): Promise<void> => {
        const partitions = [{ ...place, offset: position, maxBytes: 1_000_000 }]
        for (const fetched of await log.fetch({ partitions, isolation: 'read_committed', maxWaitMs: 500 })) {
          expect(fetched.error).toBeNull()
          const cursor = new RecordCursor(fetched, position, 'read_committed')
          while (cursor.next()) read.push(cursor.value()!.toString())
          position = cursor.nextOffset
        }
      }
      // One connection is busy, one waits at the broker, one is hardly used.
      const seldom = (): Promise<void> => log.committedOffsets('clerks', [place]).then(() => sleep(0.75 * shownAgainMs))
      await Promise.all([until(transact), until(readOn), until(seldom), until(stableEnd)])
      const end = await stableEnd()
      while (position < end) await readOn()
      expect(read).toEqual(Array.from({ length: written }, (_, index) => String(index)))
      expect(notices).toEqual([])
      // Three times by each of at least four connections, the first of which was before.
      expect(shown()).toBeGreaterThanOrEqual(8)
      await producer.close()
    },
    minutes,
  )
})

/** @returns how often a connection has begun to show its credentials since */
function countHandshakes(): () => number {
  const saslHandshake = 17
  const channel = 'tracing:plt:kafka:connections:api:start'
  let count = 0
  const heard = (message: unknown): void => {
    if ((message as { apiKey?: number }).apiKey === saslHandshake) count++
  }
  subscribe(channel, heard)
  return () => {
    unsubscribe(channel, heard)
    return count
  }
}
