/**
 * Records a projection cannot use, kept in `<topic>.dlq` with their bytes and the reason. They are appended before the
 * offset passes them, so a crash between may repeat one: readers tell repeats by dlq-application, -topic, -partition and
 * -offset.
 */

import type { Header, Log, ProducerSession } from '../connectors/kafka/index.ts'
import { RecordBatchBuilder } from '../connectors/kafka/index.ts'
import type { Clock } from '../topology/index.ts'
import { deadLetterTopic } from '../topology/index.ts'
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
        headersOf(application, from, record, why, this.#clock.now()),
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

function headersOf(
  application: string,
  from: { topic: string; partition: number },
  record: RawRecord,
  why: Reason,
  nowMs: number,
): readonly Header[] {
  const header = (key: string, value: string): Header => ({ key, value: Buffer.from(value, 'utf8') })
  return [
    ...record.headers.filter(({ key }) => !key.startsWith('dlq-')),
    header('dlq-reason', why.reason),
    header('dlq-message', why.message.slice(0, 1000)),
    header('dlq-application', application),
    header('dlq-topic', from.topic),
    header('dlq-partition', String(from.partition)),
    header('dlq-offset', String(record.offset)),
    header('dlq-at', String(nowMs)),
  ]
}

/** Counts dead letters by the minute. */
export class DeadLetterRate {
  readonly #limit: number
  #windowStart = 0
  #dead = 0
  #taken = 0

  constructor(perMinute: number) {
    this.#limit = perMinute
  }

  /** More than the limit, and more than half of what was taken. */
  isExceeded(nowMs: number, taken: number, dead: number): boolean {
    if (nowMs - this.#windowStart > 60_000) {
      this.#windowStart = nowMs
      this.#dead = 0
      this.#taken = 0
    }
    this.#dead += dead
    this.#taken += taken
    return dead > 0 && this.#dead > this.#limit && this.#dead * 2 > this.#taken
  }
}
