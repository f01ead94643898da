/** Bad data leaves the flow here: into the dead-letter topic, in the same transaction as the offset that passes it. */

import type { Header } from '../../connectors/kafka/index.ts'
import { BadRecord } from '../errors.ts'
import type { RecordOrigin } from '../graph/record.ts'
import { deadLetterTopic } from '../graph/topology.ts'
import type { Collector } from './collector.ts'
import { sizeOf } from './collector.ts'
import type { StoredRecord } from './stored-record.ts'

export interface Reason {
  /** A stable word: `bad_frame`, `step_failed`, … */
  readonly reason: string
  readonly message: string
}

/** What a thrown value says; a step's own error is `step_failed`. */
export function reasonOf(error: unknown): Reason {
  if (error instanceof BadRecord) return { reason: error.reason, message: error.message }
  return { reason: 'step_failed', message: error instanceof Error ? `${error.name}: ${error.message}` : textOf(error) }
}

/** What a step throws may be anything, also what cannot be made a text. */
function textOf(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    return typeof thrown
  }
}

/** Headers of the original record beyond this are left out, in bytes: the dead letter must fit, whatever it was. */
const originalHeadersMaxBytes = 256 * 1024

/** What a dead letter says beside its original bytes: where it was, why it is here and who put it there. */
export function deadLetterHeaders(
  application: string,
  record: RecordOrigin & { readonly headers: readonly Header[] },
  why: Reason,
  nowMs: number,
): readonly Header[] {
  const header = (key: string, value: string): Header => ({ key, value: Buffer.from(value, 'utf8') })
  const fits = sizeOf(null, null, record.headers) <= originalHeadersMaxBytes
  const kept = record.headers.filter((original) => !original.key.startsWith('dlq-'))
  return [
    ...(fits ? kept : [header('dlq-dropped', 'headers')]),
    header('dlq-reason', why.reason),
    header('dlq-message', why.message.slice(0, 1000)),
    header('dlq-application', application),
    header('dlq-topic', record.topic),
    header('dlq-partition', String(record.partition)),
    header('dlq-offset', String(record.offset)),
    header('dlq-at', String(nowMs)),
  ]
}

export function sendDeadLetter(
  collector: Collector,
  application: string,
  record: StoredRecord,
  why: Reason,
  nowMs: number,
): void {
  const { topic, partition, timestamp, key, value } = record
  const headers = deadLetterHeaders(application, record, why, nowMs)
  collector.sendTo(deadLetterTopic(topic), partition, timestamp, key, value, headers)
}

/** Notices when a reader would turn its whole input into dead letters. Counts by the minute. */
export class DeadLetterRate {
  readonly #limit: number
  #windowStart = 0
  #dead = 0
  #taken = 0

  constructor(perMinute: number) {
    this.#limit = perMinute
  }

  taken(records = 1): void {
    this.#taken += records
  }

  /** True when this minute's dead letters are more than the limit, and more than half of what was taken. */
  dead(nowMs: number, records = 1): boolean {
    // Also when the wall clock was set back.
    if (nowMs - this.#windowStart > 60_000 || nowMs < this.#windowStart) {
      this.#windowStart = nowMs
      this.#dead = 0
      this.#taken = records
    }
    this.#dead += records
    return this.#dead > this.#limit && this.#dead * 2 > this.#taken
  }
}
