/** Bad data leaves the flow here: into the dead-letter topic, in the same transaction as the offset that passes it. */

import type { Header } from '../../connectors/kafka/index.ts'
import { BadRecord, EngineError } from '../errors.ts'
import { deadLetterTopic } from '../graph/topology.ts'
import type { Collector } from './collector.ts'
import type { StoredRecord } from './stored-record.ts'

export interface Reason {
  /** A stable word: `bad_frame`, `step_failed`, … */
  readonly reason: string
  readonly message: string
}

/** What a thrown value says; a step's own error is `step_failed`. */
export function reasonOf(error: unknown): Reason {
  if (error instanceof BadRecord) return { reason: error.reason, message: error.message }
  return { reason: 'step_failed', message: error instanceof Error ? `${error.name}: ${error.message}` : String(error) }
}

/** The original bytes, and where, why and by whom they were set aside. */
export function sendDeadLetter(
  collector: Collector,
  application: string,
  record: StoredRecord,
  why: Reason,
  nowMs: number,
): void {
  const header = (key: string, value: string): Header => ({ key, value: Buffer.from(value, 'utf8') })
  collector.sendTo(deadLetterTopic(record.topic), record.partition, record.timestamp, record.key, record.value, [
    ...record.headers.filter((original) => !original.key.startsWith('dlq-')),
    header('dlq-reason', why.reason),
    header('dlq-message', why.message.slice(0, 1000)),
    header('dlq-application', application),
    header('dlq-topic', record.topic),
    header('dlq-partition', String(record.partition)),
    header('dlq-offset', String(record.offset)),
    header('dlq-at', String(nowMs)),
  ])
}

/** Stops a task that would turn its whole input into dead letters. */
export class DeadLetterRate {
  readonly #limit: number
  #windowStart = 0
  #dead = 0
  #taken = 0

  constructor(perMinute: number) {
    this.#limit = perMinute
  }

  taken(): void {
    this.#taken++
  }

  /** @throws EngineError POISON_RATE */
  dead(nowMs: number, last: Reason): void {
    if (nowMs - this.#windowStart > 60_000) {
      this.#windowStart = nowMs
      this.#dead = 0
      this.#taken = 0
    }
    this.#dead++
    if (this.#dead > this.#limit && this.#dead * 2 > this.#taken)
      throw new EngineError(
        'POISON_RATE',
        `${this.#dead} of ${this.#taken} records of the last minute were dead letters, the last one for ${last.reason}: ${last.message}`,
        'stop',
      )
  }
}
