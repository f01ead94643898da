/**
 * What an unfaulted reader inside the broker sees of the log: every batch that ever became visible, whatever is deleted,
 * compacted or aborted later. Invariants are judged on this.
 */

import type { Broker, FetchedPartition, TopicPartition } from '../../connectors/kafka/index.ts'
import { RecordCursor } from '../../connectors/kafka/index.ts'
import {
  BATCH_HEADER_BYTES,
  baseOffsetOf,
  epochOf,
  isControl,
  isTransactional,
  lastOffsetOf,
  producerIdOf,
  sizeOf,
} from '../../connectors/kafka/batch-format.ts'
import { isAbortMarker } from '../../connectors/kafka/control-batch.ts'
import type { SeenRecord } from './program.ts'

export const offsetsTopic = '__consumer_offsets'

export interface Marker {
  readonly producerId: bigint
  readonly epoch: number
  readonly abort: boolean
}

export interface SeenBatch {
  readonly baseOffset: bigint
  readonly lastOffset: bigint
  readonly crc: number
  readonly producerId: bigint
  readonly epoch: number
  readonly transactional: boolean
  readonly marker: Marker | null
  readonly records: readonly Mutable[]
}

type Mutable = { -readonly [K in keyof SeenRecord]: SeenRecord[K] }

/** One partition, as far as it was seen. */
export class SeenPartition implements TopicPartition {
  readonly topic: string
  readonly partition: number
  readonly batches: SeenBatch[] = []
  readonly records: SeenRecord[] = []
  /** Where something may have stood that was compacted away before it was seen; `to` is not in it. */
  readonly gaps: { readonly from: bigint; readonly to: bigint }[] = []
  readonly #open = new Map<bigint, Mutable[]>()
  next = 0n
  highWatermark = 0n
  lastStableOffset = 0n

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  /** Records of transactions that nothing has ended yet. */
  get open(): ReadonlyMap<bigint, readonly SeenRecord[]> {
    return this.#open
  }

  add(fetched: FetchedPartition, seenAt: number): SeenBatch[] {
    this.highWatermark = fetched.highWatermark
    this.lastStableOffset = fetched.lastStableOffset
    // Above the last stable offset a restart of the broker may put markers in another order, which no reader sees.
    const stable = batchesOf(fetched, seenAt).filter(({ lastOffset }) => lastOffset < fetched.lastStableOffset)
    const added = stable.filter(({ lastOffset }) => lastOffset >= this.next)
    for (const batch of added) this.#take(batch)
    return added
  }

  /** The log was deleted before it was seen: what was open there was decided there. */
  skipTo(logStart: bigint): void {
    this.next = logStart
    this.#open.clear()
  }

  #take(batch: SeenBatch): void {
    this.batches.push(batch)
    if (batch.baseOffset > this.next) this.gaps.push({ from: this.next, to: batch.baseOffset })
    this.next = batch.lastOffset + 1n
    const isThin = batch.marker === null && BigInt(batch.records.length) < this.next - batch.baseOffset
    if (isThin) this.gaps.push({ from: batch.baseOffset, to: this.next })
    if (batch.marker !== null) {
      for (const record of this.#open.get(batch.producerId) ?? []) record.committed = !batch.marker.abort
      this.#open.delete(batch.producerId)
      return
    }
    for (const record of batch.records) this.records.push(record)
    if (!batch.transactional) return
    const open = this.#open.get(batch.producerId)
    if (open === undefined) this.#open.set(batch.producerId, [...batch.records])
    else open.push(...batch.records)
  }
}

/** The batches of an answer, with their records copied out. */
export function batchesOf(fetched: FetchedPartition, seenAt: number): SeenBatch[] {
  const batches: SeenBatch[] = []
  const bytes = fetched.batches
  for (let at = 0; at + BATCH_HEADER_BYTES <= bytes.length; at += sizeOf(bytes, at)) {
    const end = at + sizeOf(bytes, at)
    if (end > bytes.length) break
    const producer = { producerId: producerIdOf(bytes, at), epoch: epochOf(bytes, at) }
    const control = isControl(bytes, at)
    const marker = control ? { ...producer, abort: isAbortMarker(bytes, at) } : null
    const transactional = isTransactional(bytes, at)
    const records = control
      ? []
      : recordsOf({ ...fetched, batches: bytes.subarray(at, end) }, producer, transactional, seenAt)
    batches.push({
      ...producer,
      baseOffset: baseOffsetOf(bytes, at),
      lastOffset: lastOffsetOf(bytes, at),
      crc: bytes.readUInt32BE(at + 17),
      transactional,
      marker,
      records,
    })
  }
  return batches
}

function recordsOf(
  batch: FetchedPartition,
  producer: { readonly producerId: bigint; readonly epoch: number },
  transactional: boolean,
  seenAt: number,
): Mutable[] {
  const records: Mutable[] = []
  const cursor = new RecordCursor({ ...batch, aborted: [] }, baseOffsetOf(batch.batches, 0), 'read_uncommitted')
  const { topic, partition } = batch
  while (cursor.next())
    records.push({
      topic,
      partition,
      offset: cursor.offset,
      timestamp: cursor.timestamp,
      key: copy(cursor.key()),
      value: copy(cursor.value()),
      headers: cursor.headers().map(({ key, value }) => ({ key, value: Buffer.from(value) })),
      ...producer,
      committed: transactional ? null : true,
      seenAt,
    })
  return records
}

const copy = (bytes: Buffer | null): Buffer | null => (bytes === null ? null : Buffer.from(bytes))

const chunkBytes = 1 << 20

export class Observer {
  readonly #partitions = new Map<string, SeenPartition>()
  readonly #topics = new Map<string, number>()
  /** Names of compacted topics, and of those among them that forget what is old: after how long, in ms. */
  readonly compacted = new Set<string>()
  readonly expiring = new Map<string, number>()
  readonly #nowMs: () => number
  /** Called with what was not seen before, in order per partition. */
  readonly #seen: (partition: SeenPartition, batches: readonly SeenBatch[]) => void
  /** Called when a part of a partition was deleted unseen. */
  readonly #skipped: (partition: SeenPartition) => void
  #passing = false

  constructor(
    nowMs: () => number,
    seen: (partition: SeenPartition, batches: readonly SeenBatch[]) => void,
    skipped: (partition: SeenPartition) => void,
  ) {
    this.#nowMs = nowMs
    this.#seen = seen
    this.#skipped = skipped
  }

  get topics(): ReadonlyMap<string, number> {
    return this.#topics
  }

  get partitions(): readonly SeenPartition[] {
    return [...this.#partitions.values()]
  }

  partition(topic: string, partition: number): SeenPartition {
    const name = `${topic}-${partition}`
    let seen = this.#partitions.get(name)
    if (seen === undefined) this.#partitions.set(name, (seen = new SeenPartition(topic, partition)))
    return seen
  }

  /** The broker is another one now: what was asked of the last one is not answered any more. */
  forget(): void {
    this.#passing = false
  }

  get isPassing(): boolean {
    return this.#passing
  }

  /** Reads all that is new. Does nothing while an earlier pass is under way. */
  async pass(broker: Broker): Promise<void> {
    if (this.#passing) return
    this.#passing = true
    for (const { name, partitions, config } of await broker.metadata()) {
      this.#topics.set(name, partitions)
      const policy = config['cleanup.policy'] ?? ''
      if (policy.includes('compact')) this.compacted.add(name)
      if (policy.includes('compact') && policy.includes('delete'))
        this.expiring.set(name, Number(config['retention.ms']))
    }
    const all = [...this.#topics].flatMap(([topic, count]) =>
      Array.from({ length: count }, (_, partition) => this.partition(topic, partition)),
    )
    await this.#readOn(broker, [...all, this.partition(offsetsTopic, 0)])
    this.#passing = false
  }

  /** Reads all that is new of these, before something of them goes. */
  async hurry(broker: Broker, partitions: readonly TopicPartition[]): Promise<void> {
    await this.#readOn(
      broker,
      partitions.map(({ topic, partition }) => this.partition(topic, partition)),
    )
  }

  async #readOn(broker: Broker, partitions: readonly SeenPartition[]): Promise<void> {
    for (let behind = partitions; behind.length > 0;) behind = await this.#read(broker, behind)
  }

  /** @returns the partitions that had something */
  async #read(broker: Broker, partitions: readonly SeenPartition[]): Promise<SeenPartition[]> {
    const answers = await broker.fetch({
      partitions: partitions.map(({ topic, partition, next }) => ({
        topic,
        partition,
        offset: next,
        maxBytes: chunkBytes,
      })),
      isolation: 'read_uncommitted',
      maxWaitMs: 0,
    })
    return partitions.filter((seen, index) => {
      const answer = answers[index]
      if (answer?.error === 'OFFSET_OUT_OF_RANGE' && answer.logStartOffset > seen.next) {
        seen.skipTo(answer.logStartOffset)
        this.#skipped(seen)
        return true
      }
      if (answer === undefined || answer.error !== null) return false
      const added = seen.add(answer, this.#nowMs())
      if (added.length > 0) this.#seen(seen, added)
      return added.length > 0
    })
  }
}
