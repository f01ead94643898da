/**
 * Records a projection cannot use, kept in `<topic>.dlq` with their bytes and the reason. They are appended before the
 * offset passes them, so a crash between may repeat one: readers tell repeats by dlq-application, -topic, -partition and
 * -offset.
 */

import type { Log, ProducerSession } from '../connectors/kafka/index.ts'
import { RecordBatchBuilder } from '../connectors/kafka/index.ts'
import type { Clock } from '../topology/index.ts'
import { deadLetterHeaders, deadLetterTopic } from '../topology/index.ts'
import type { RawRecord, Reason } from './judge.ts'

export interface DeadLetter {
  readonly record: RawRecord
  readonly why: Reason
}

export class DeadLetters {
  readonly #log: Log
  readonly #clock: Clock
  readonly #known = new Set<string>()
  #producer: Promise<ProducerSession> | null = null

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  /** Resolves when they are in the log. @throws LogError: nothing may be passed yet */
  async append(
    application: string,
    from: { topic: string; partition: number; partitions: number },
    letters: readonly DeadLetter[],
  ): Promise<void> {
    if (letters.length === 0) return
    const topic = deadLetterTopic(from.topic)
    await this.#ensureTopic(topic, from.partitions)
    const records = new RecordBatchBuilder()
    for (const { record, why } of letters) {
      records.append(
        record.timestamp,
        record.key,
        record.value,
        deadLetterHeaders(application, { ...record, ...from }, why, this.#clock.now()),
      )
    }
    const producer = await this.#open()
    try {
      await producer.append([{ topic, partition: from.partition, records }])
    } catch (error) {
      // What became of it is unknown: this session ends, the next attempt takes a new one.
      await this.close()
      throw error
    }
  }

  async close(): Promise<void> {
    const producer = this.#producer
    this.#producer = null
    await producer?.then((session) => session.close()).catch(() => undefined)
  }

  #open(): Promise<ProducerSession> {
    this.#producer ??= this.#log
      .openProducer({ transactionalId: null, transactionTimeoutMs: 60_000 })
      .catch((error: unknown) => {
        this.#producer = null
        throw error
      })
    return this.#producer
  }

  async #ensureTopic(topic: string, partitions: number): Promise<void> {
    if (this.#known.has(topic)) return
    const found = await this.#log.metadata([topic])
    if (found.length === 0)
      await this.#log.createTopics([{ name: topic, partitions, config: { 'retention.ms': '-1' } }])
    this.#known.add(topic)
  }
}
