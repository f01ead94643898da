/**
 * A cluster of three nodes whose operator has not finalized KIP-890: leaders apart from each other, nodes that die, and
 * transactions in the protocol of before. One node and the protocol of today: `tests/conformance/kafka.test.ts`.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RecordBatchBuilder, RecordCursor } from '../../../../connectors/kafka/index.ts'
import type { Isolation, Log, TopicPartition } from '../../../../connectors/kafka/index.ts'
import { kafkaJars, startKafka } from '../../../../deploy/local/kafka.ts'
import type { Kafka } from '../../../../deploy/local/kafka.ts'
import { whyNoKafka } from '../../../conformance/record.ts'
import { connectKafka, openKafkaLog } from './real-time.ts'

const minutes = 60_000
const partitionCount = 6

const lacks = await whyNoKafka()
const inCI = process.env.CI === 'true'
if (lacks !== null) console.log(`our client is not held to a cluster: ${lacks}`)

const outsider = (groupId: string) => ({ groupId, generationId: -1, memberId: '', groupInstanceId: null })
const placesOf = (topic: string): TopicPartition[] =>
  Array.from({ length: partitionCount }, (_, partition) => ({ topic, partition }))

function recordsOf(...values: string[]): RecordBatchBuilder {
  const records = new RecordBatchBuilder()
  for (const value of values) records.append(1_000, null, Buffer.from(value))
  return records
}

describe.skipIf(lacks !== null && !inCI)(`a cluster of three${lacks === null ? '' : ` (${lacks})`}`, () => {
  let kafka: Kafka
  let scratch = ''
  let log: Log
  const notices: string[] = []
  let topics = 0

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'kafka-cluster-'))
    const features = { 'transaction.version': '0' }
    kafka = await startKafka({ directory: scratch, jars: await kafkaJars(), nodes: 3, features })
    log = await openKafkaLog({
      bootstrap: kafka.bootstrap.split(','),
      requestTimeoutMs: 10_000,
      notice: (line) => notices.push(line),
    })
  }, 5 * minutes)

  afterAll(async () => {
    await log.close()
    await kafka.stop()
    await rm(scratch, { recursive: true, force: true })
  }, minutes)

  const newTopic = async (): Promise<string> => {
    const name = `t${++topics}`
    // What is written here is from long ago.
    await log.createTopics([{ name, partitions: partitionCount, config: { 'retention.ms': '-1' } }])
    return name
  }

  /** What a reader of all partitions gets, by partition, until it stands at the end. */
  const readAll = async (topic: string, isolation: Isolation = 'read_committed'): Promise<string[][]> => {
    const read = placesOf(topic).map((): string[] => [])
    const positions = placesOf(topic).map(() => 0n)
    const ends = await log.listOffsets(placesOf(topic), isolation === 'read_committed' ? 'stable' : 'latest')
    const isBehind = (partition: number): boolean => positions[partition]! < ends[partition]!
    while (positions.some((_, partition) => isBehind(partition))) {
      const partitions = placesOf(topic).map((at) => ({ ...at, offset: positions[at.partition]!, maxBytes: 200 }))
      for (const fetched of await log.fetch({ partitions, isolation, maxWaitMs: 100 })) {
        expect(fetched.error).toBeNull()
        const cursor = new RecordCursor(fetched, positions[fetched.partition]!, isolation)
        while (cursor.next()) read[fetched.partition]!.push(cursor.value()!.toString())
        positions[fetched.partition] = cursor.nextOffset
      }
    }
    return read
  }

  test('a transaction over all leaders is there as a whole, and so is the next (KP1, KP2)', async () => {
    const topic = await newTopic()
    const producer = await log.openProducer({ transactionalId: topic, transactionTimeoutMs: 60_000 })
    const append = (value: string) =>
      producer.append(placesOf(topic).map((at) => ({ ...at, records: recordsOf(`${value} ${at.partition}`) })))
    const epochs: number[] = []
    for (const [value, outcome] of [
      ['one', 'commit'],
      ['two', 'abort'],
      ['three', 'commit'],
    ] as const) {
      producer.begin()
      await append(value)
      await append(`${value} again`)
      await producer.sendOffsets(outsider(topic), [
        { topic, partition: 0, offset: BigInt(epochs.length), metadata: value },
      ])
      await producer.sendOffsets(outsider(topic), [{ topic, partition: 1, offset: 7n, metadata: value }])
      epochs.push(producer.epoch)
      await producer.end(outcome)
    }
    expect(new Set(epochs).size).toBe(3)
    expect(await readAll(topic)).toEqual(
      placesOf(topic).map(({ partition }) =>
        ['one', 'one again', 'three', 'three again'].map((value) => `${value} ${partition}`),
      ),
    )
    const committed = await log.committedOffsets(topic, placesOf(topic).slice(0, 3))
    expect(committed.map((one) => one && `${one.offset} ${one.metadata}`)).toEqual(['2 three', '7 three', null])
    await producer.close()
  })

  test('a transaction whose first partition is refused is aborted, and the next one is as any (KP3)', async () => {
    const topic = await newTopic()
    const producer = await log.openProducer({ transactionalId: topic, transactionTimeoutMs: 60_000 })
    producer.begin()
    const refused = producer.append([{ topic: 'nowhere', partition: 0, records: recordsOf('lost') }])
    await expect(refused).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
    await producer.end('abort')
    producer.begin()
    await producer.append([{ topic, partition: 0, records: recordsOf('kept') }])
    await producer.end('commit')
    expect((await readAll(topic))[0]).toEqual(['kept'])
    await producer.close()
  })

  test('what comes late from the transaction before is refused (KP2)', async () => {
    const topic = await newTopic()
    const producer = await log.openProducer({ transactionalId: topic, transactionTimeoutMs: 60_000 })
    const before = { producerId: producer.producerId, epoch: producer.epoch }
    producer.begin()
    await producer.append([{ topic, partition: 0, records: recordsOf('in time') }])
    await producer.end('commit')
    const broker = await connectKafka({ bootstrap: kafka.bootstrap.split(',') })
    try {
      const late = recordsOf('late').build({ ...before, baseSequence: 1, transactional: true })
      const request = { transactionalId: topic, batches: [{ topic, partition: 0, batch: late }] }
      let [answer] = await broker.produce(request)
      while (answer?.error === 'NOT_LEADER_OR_FOLLOWER') [answer] = await broker.produce(request)
      expect(answer?.error).toMatch(/INVALID_PRODUCER_EPOCH|PRODUCER_FENCED/)
    } finally {
      await broker.close()
    }
    expect((await readAll(topic, 'read_uncommitted'))[0]).toEqual(['in time'])
    await producer.close()
  })

  test('who opens the same id fences the one before, and what it left open is gone', async () => {
    const topic = await newTopic()
    const options = { transactionalId: topic, transactionTimeoutMs: 60_000 }
    const zombie = await log.openProducer(options)
    zombie.begin()
    await zombie.append([{ topic, partition: 2, records: recordsOf('of the zombie') }])
    const heir = await log.openProducer(options)
    await expect(zombie.append([{ topic, partition: 2, records: recordsOf('more') }])).rejects.toMatchObject({
      code: 'PRODUCER_FENCED',
    })
    heir.begin()
    await heir.append([{ topic, partition: 2, records: recordsOf('of the heir') }])
    await heir.end('commit')
    expect((await readAll(topic))[2]).toEqual(['of the heir'])
  })

  test('records before an offset are deleted at every leader', async () => {
    const topic = await newTopic()
    const producer = await log.openProducer({ transactionalId: null, transactionTimeoutMs: 60_000 })
    await producer.append(placesOf(topic).map((at) => ({ ...at, records: recordsOf('a', 'b', 'c') })))
    await log.deleteRecords(placesOf(topic).map((at) => ({ ...at, offset: BigInt(at.partition % 3) })))
    expect(await log.listOffsets(placesOf(topic), 'earliest')).toEqual([0n, 1n, 2n, 0n, 1n, 2n])
    expect(await log.listOffsets(placesOf(topic), 'latest')).toEqual([3n, 3n, 3n, 3n, 3n, 3n])
  })

  test(
    'a node dies and comes back: writers and readers go on, nothing is lost or twice (KF1)',
    async () => {
      const topic = await newTopic()
      const producer = await log.openProducer({ transactionalId: null, transactionTimeoutMs: 60_000 })
      const sent: number[] = []
      const write = async (): Promise<void> => {
        const value = String(sent.length)
        await producer.append(placesOf(topic).map((at) => ({ ...at, records: recordsOf(value) })))
        sent.push(sent.length)
      }
      const read = placesOf(topic).map((): string[] => [])
      let isReading = true
      const reader = (async () => {
        const positions = placesOf(topic).map(() => 0n)
        while (isReading || read.some((values) => values.length < sent.length)) {
          const partitions = placesOf(topic).map((at) => ({ ...at, offset: positions[at.partition]!, maxBytes: 4096 }))
          for (const fetched of await log.fetch({ partitions, isolation: 'read_committed', maxWaitMs: 50 })) {
            expect(fetched.error).toBeNull()
            const cursor = new RecordCursor(fetched, positions[fetched.partition]!, 'read_committed')
            while (cursor.next()) read[fetched.partition]!.push(cursor.value()!.toString())
            positions[fetched.partition] = cursor.nextOffset
          }
        }
      })()
      for (let n = 0; n < 20; n++) await write()
      kafka.nodes[1]!.kill()
      for (let n = 0; n < 50; n++) await write()
      await kafka.nodes[1]!.start()
      for (let n = 0; n < 50; n++) {
        await write()
        await sleep(10)
      }
      isReading = false
      await reader
      expect(read).toEqual(placesOf(topic).map(() => sent.map(String)))
      await producer.close()
    },
    3 * minutes,
  )

  test(
    'nobody is there: a fetch answers nothing, not at once, and a person is told once (KF1, KF2)',
    async () => {
      const topic = await newTopic()
      const partitions = placesOf(topic).map((at) => ({ ...at, offset: 0n, maxBytes: 4096 }))
      const fetch = () => log.fetch({ partitions, isolation: 'read_committed', maxWaitMs: 500 })
      await fetch()
      for (const node of kafka.nodes) node.kill()
      await Promise.all(kafka.nodes.map((node) => node.stop()))
      notices.length = 0
      const endAt = Date.now() + 3_000
      let fetches = 0
      for (; Date.now() < endAt; fetches++) expect(await fetch()).toEqual([])
      expect(fetches).toBeLessThanOrEqual(31)
      const about = notices.filter((line) => line.includes('the cluster does not answer'))
      expect(about).toHaveLength(1)
      expect(about[0]).toContain('no Kafka broker can be reached at')
      await Promise.all(kafka.nodes.map((node) => node.start()))
      const producer = await log.openProducer({ transactionalId: null, transactionTimeoutMs: 60_000 })
      await producer.append([{ topic, partition: 3, records: recordsOf('after') }])
      expect((await readAll(topic))[3]).toEqual(['after'])
      await producer.close()
    },
    3 * minutes,
  )
})
