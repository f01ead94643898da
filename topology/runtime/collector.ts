/**
 * The records of the open transaction, batched per partition until the commit appends them.
 *
 * K1  What a record's step sends becomes part of the transaction only at release(): a step that throws sends nothing.
 *     What cannot be written is refused when it is sent, never at release().
 * K2  Per partition, batches are appended in the order in which records were released.
 */

import type { Header, PartitionAppend } from '../../connectors/kafka/index.ts'
import { RecordBatchBuilder, partitionFor } from '../../connectors/kafka/index.ts'
import { BadRecord, EngineError } from '../errors.ts'
import { noHeaders } from '../graph/record.ts'

/** A batch is closed and the next begun before it passes this size: below every broker's default limit of 1 MiB. */
const batchBytes = 512 * 1024
/** The largest record a step may send, in bytes of key, value and headers: one alone still fits that limit. */
export const recordMaxBytes = 1_000_000

interface Target {
  readonly topic: string
  readonly partition: number
  readonly batches: RecordBatchBuilder[]
}

interface Pending {
  readonly target: Target
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
}

export class Collector {
  readonly #partitions: ReadonlyMap<string, number>
  readonly #targets = new Map<string, Target[]>()
  readonly #pending: Pending[] = []
  #used: Target[] = []
  #sizeBytes = 0
  #roundRobin = 0

  /** @param partitions how many each topic has that may be written */
  constructor(partitions: ReadonlyMap<string, number>) {
    this.#partitions = partitions
  }

  /** Uncommitted bytes released so far. */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  get isEmpty(): boolean {
    return this.#used.length === 0
  }

  /** Sends by key, as Java's default partitioner does; without a key partitions take turns. */
  send(topic: string, timestamp: number, key: Buffer | null, value: Buffer | null, headers: readonly Header[]): void {
    const count = this.#partitions.get(topic)
    if (count === undefined)
      throw new EngineError('MISSING_TOPIC', `topic "${topic}" is not one this application declared`, 'stop')
    const partition = key === null ? this.#roundRobin++ % count : partitionFor(key, count)
    check(topic, timestamp, sizeOf(key, value, headers))
    this.#pending.push({ target: this.#target(topic, partition), timestamp, key, value, headers })
  }

  /** Sends to a partition chosen by the engine: dead letters. One that is too large goes without its value. */
  sendTo(
    topic: string,
    partition: number,
    timestamp: number,
    key: Buffer | null,
    value: Buffer | null,
    headers: readonly Header[],
  ): void {
    const fits = sizeOf(key, value, headers) <= recordMaxBytes
    const kept = fits || sizeOf(key, null, headers) <= recordMaxBytes ? key : null
    this.#pending.push({
      target: this.#target(topic, partition),
      timestamp,
      key: kept,
      value: fits ? value : null,
      headers,
    })
  }

  /** A changelog row: not part of any step, written at commit. */
  log(topic: string, partition: number, timestamp: number, key: Buffer, value: Buffer | null): void {
    this.#add(this.#target(topic, partition), timestamp, key, value, noHeaders)
  }

  release(): void {
    for (const { target, timestamp, key, value, headers } of this.#pending)
      this.#add(target, timestamp, key, value, headers)
    this.#pending.length = 0
  }

  rollback(): void {
    this.#pending.length = 0
  }

  /** The appends of the transaction in rounds: one batch per partition in each. Empties the collector. */
  take(): PartitionAppend[][] {
    const rounds: PartitionAppend[][] = []
    for (const { topic, partition, batches } of this.#used) {
      batches.forEach((records, index) => {
        const round = (rounds[index] ??= [])
        round.push({ topic, partition, records })
      })
    }
    this.clear()
    return rounds
  }

  clear(): void {
    for (const target of this.#used) target.batches.length = 0
    this.#used = []
    this.#pending.length = 0
    this.#sizeBytes = 0
  }

  #target(topic: string, partition: number): Target {
    let targets = this.#targets.get(topic)
    if (targets === undefined) this.#targets.set(topic, (targets = []))
    return (targets[partition] ??= { topic, partition, batches: [] })
  }

  #add(target: Target, timestamp: number, key: Buffer | null, value: Buffer | null, headers: readonly Header[]): void {
    if (target.batches.length === 0) this.#used.push(target)
    let batch = target.batches.at(-1)
    if (batch === undefined || batch.sizeBytes + sizeOf(key, value, headers) > batchBytes) {
      batch = new RecordBatchBuilder()
      target.batches.push(batch)
    }
    const before = batch.sizeBytes
    batch.append(timestamp, key, value, headers)
    this.#sizeBytes += batch.sizeBytes - before
  }
}

export function sizeOf(key: Buffer | null, value: Buffer | null, headers: readonly Header[]): number {
  let size = (key?.length ?? 0) + (value?.length ?? 0)
  for (const header of headers) size += header.key.length + header.value.length
  return size
}

/** @throws BadRecord bad_timestamp, record_too_large */
function check(topic: string, timestamp: number, size: number): void {
  if (!Number.isSafeInteger(timestamp) || timestamp < 0)
    throw new BadRecord('bad_timestamp', `a record for ${topic} has the timestamp ${timestamp}, not a time in ms`)
  if (size > recordMaxBytes)
    throw new BadRecord('record_too_large', `a record for ${topic} has ${size} bytes, the most is ${recordMaxBytes}`)
}
