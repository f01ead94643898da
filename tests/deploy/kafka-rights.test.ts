/**
 * The application at a Kafka that asks who one is and what one may: with exactly the rights that `npm run kafka-acls` prints
 * for a stream application it works; without any one of them it ends with one line that says which.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RecordBatchBuilder, createMissing } from '../../connectors/kafka/index.ts'
import type { Log } from '../../connectors/kafka/index.ts'
import { aclCommands } from '../../deploy/kafka-acl-commands.ts'
import type { KafkaRight } from '../../deploy/kafka-rights.ts'
import { applicationRights, kafkaRights } from '../../deploy/kafka-rights.ts'
import { allow, disallow } from '../../deploy/local/kafka-acls.ts'
import { kafkaJars, startKafka } from '../../deploy/local/kafka.ts'
import type { Kafka } from '../../deploy/local/kafka.ts'
import { machineClock } from '../../deploy/machine.ts'
import { StateBudget, memoryDatabases } from '../../state-stores/index.ts'
import { TopologyBuilder, Worker, defaultRuntimeSettings, stringSerde } from '../../topology/index.ts'
import type { Topology } from '../../topology/index.ts'
import { openKafkaLog } from '../connectors/kafka/wire/real-time.ts'
import { whyNoKafka } from '../conformance/record.ts'

const minutes = 60_000
/** A right counts when the broker has heard of it. */
const heardMs = 300
/** Of what is to end: a hang is longer. */
const endsWithinMs = 10_000

const lacks = await whyNoKafka()
const inCI = process.env.CI === 'true'
if (lacks !== null) console.log(`rights are not tried on a real Kafka: ${lacks}`)

test('what the application needs is as recorded', async () => {
  const lines = aclCommands('User:lifecycle', kafkaRights(true)).map((words) => `${words.join(' ')}\n`)
  await expect(lines.join('')).toMatchFileSnapshot('../golden/kafka-acls.txt')
})

const text = { key: stringSerde, value: stringSerde }
const counting = (): Topology =>
  new TopologyBuilder('counting')
    .source('words', { topic: 'words', ...text })
    .store('counts')
    .processor('count', {
      parents: ['words'],
      stores: ['counts'],
      supplier: () => ({
        process(record, context) {
          const key = Buffer.from(record.key as string)
          const count = Number(context.store('counts').get(key)?.toString() ?? 0) + 1
          context.store('counts').put(key, Buffer.from(String(count)))
          context.forward({ ...record, value: String(count) })
        },
      }),
    })
    .sink('counted', { parents: ['count'], topics: ['counted'], ...text })
    .build()

const recordsOf = (...values: string[]): RecordBatchBuilder => {
  const records = new RecordBatchBuilder()
  for (const value of values) records.append(1_000, Buffer.from(value), Buffer.from(value))
  return records
}

describe.skipIf(lacks !== null && !inCI)(`a Kafka with SASL and ACLs${lacks === null ? '' : ` (${lacks})`}`, () => {
  const user = 'counter'
  const password = 'of-the-counter'
  const rights = applicationRights(counting(), false)
  const notices: string[] = []
  let kafka: Kafka
  let scratch = ''
  let log: Log

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'kafka-rights-'))
    const settings = { 'group.min.session.timeout.ms': '1000' }
    const security = { users: { [user]: password } }
    kafka = await startKafka({ directory: scratch, jars: await kafkaJars(), settings, security })
    await allow(kafka, user, applicationRights(counting(), true))
    await sleep(heardMs)
    log = await openKafkaLog({
      bootstrap: [kafka.secured.plain],
      sasl: { mechanism: 'SCRAM-SHA-512', username: user, password },
      notice: (line) => notices.push(line),
    })
    await createMissing(
      log,
      ['words', 'counted'].map((name) => ({ name, partitions: 1, config: { 'retention.ms': '-1' } })),
    )
  }, 5 * minutes)

  afterAll(async () => {
    await log.close()
    await kafka.stop()
    await rm(scratch, { recursive: true, force: true })
  }, minutes)

  const workerOf = (failed: (error: Error) => void): Worker =>
    new Worker({
      topologies: [counting()],
      log,
      databases: memoryDatabases(),
      budget: new StateBudget({ bytes: 1e6, flushBytes: 1e6, flushMs: 1e6, now: () => machineClock.now() }),
      clock: machineClock,
      watch: () => performance.now(),
      settings: { ...defaultRuntimeSettings, sessionTimeoutMs: 2_000, heartbeatIntervalMs: 200 },
      processId: 'test',
      workerIndex: 0,
      notice: (line) => notices.push(line),
      failed,
    })

  const write = async (...values: string[]): Promise<void> => {
    const producer = await log.openProducer({ transactionalId: 'counting-feed', transactionTimeoutMs: 10_000 })
    producer.begin()
    await producer.append([{ topic: 'words', partition: 0, records: recordsOf(...values) }])
    await producer.end('commit')
    await producer.close()
  }

  const countedTo = async (): Promise<bigint> =>
    (await log.listOffsets([{ topic: 'counted', partition: 0 }], 'stable'))[0]!

  /** Runs until what is written is counted. @returns why it could not */
  const run = async (): Promise<Error | null> => {
    const before = await countedTo()
    const failure = Promise.withResolvers<Error>()
    const worker = workerOf(failure.resolve)
    const works = async (): Promise<null> => {
      await worker.start()
      while ((await countedTo()) <= before) await sleep(50)
      return null
    }
    const late = sleep(endsWithinMs).then(() => new Error('it hangs'))
    try {
      return await Promise.race([works().catch((error: unknown) => error as Error), failure.promise, late])
    } finally {
      await worker.close().catch(() => undefined)
    }
  }

  test(
    'with exactly these rights, and none to make topics once they are there, it works',
    async () => {
      await write('first')
      expect(await run()).toBeNull()
      await disallow(
        kafka,
        user,
        rights.filter(({ on }) => on === 'topic').map((right) => ({ ...right, may: ['Create'] })),
      )
      await sleep(heardMs)
      await write('a')
      expect(await run()).toBeNull()
    },
    minutes,
  )

  const topicRight = (name: string, ...may: KafkaRight['may']): KafkaRight => ({
    on: 'topic',
    name,
    isPrefix: false,
    may,
  })
  const group: KafkaRight = { on: 'group', name: 'counting', isPrefix: false, may: ['Read'] }
  const ids: KafkaRight = { on: 'transactional-id', name: 'counting-', isPrefix: true, may: ['Write'] }
  test.each([
    ['Read on its input', topicRight('words', 'Read'), 'TOPIC_AUTHORIZATION_FAILED', /words/],
    ['everything on its input', topicRight('words', 'Read', 'Write'), 'TOPIC_AUTHORIZATION_FAILED', /words/],
    ['Write on its output', topicRight('counted', 'Write'), 'TOPIC_AUTHORIZATION_FAILED', /counted-0/],
    [
      'Read on its changelog',
      topicRight('counting-counts-changelog', 'Read'),
      'TOPIC_AUTHORIZATION_FAILED',
      /counting-counts-changelog/,
    ],
    [
      'Write on its changelog',
      topicRight('counting-counts-changelog', 'Write'),
      'TOPIC_AUTHORIZATION_FAILED',
      /counting-counts-changelog-0/,
    ],
    ['Read on its group', group, 'GROUP_AUTHORIZATION_FAILED', /counting/],
    ['Write on its transactional ids', ids, 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED', /counting-test-0/],
  ])(
    'without %s it ends with one line that says so',
    async (_, right, code, names) => {
      await write('b')
      await disallow(kafka, user, [right])
      try {
        await sleep(heardMs)
        notices.length = 0
        const failure = await run()
        expect(failure).toMatchObject({ code, then: 'stop' })
        expect(failure?.message).toMatch(names)
        expect(failure?.message).not.toContain('\n')
        expect(notices.filter((line) => !line.includes('restored'))).toEqual([])
      } finally {
        await allow(kafka, user, [right])
        await sleep(heardMs)
      }
    },
    minutes,
  )

  test(
    'given back, they count without anything else being done',
    async () => {
      await write('c')
      expect(await run()).toBeNull()
    },
    minutes,
  )
})
