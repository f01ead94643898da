/**
 * Fetched records of one input partition, kept as raw batches; only the head record is looked at.
 *
 * Q1  Records leave in offset order; none is skipped but control records and those of aborted transactions.
 * Q2  `position` is the offset of the head, or the next offset to fetch when there is no head: what a commit writes.
 */

import type { FetchedPartition } from '../../connectors/kafka/index.ts'
import { RecordCursor, endOffset } from '../../connectors/kafka/index.ts'

export class PartitionQueue {
  readonly topic: string
  readonly partition: number
  /** Greatest timestamp taken from this partition; -1 before the first. Seeded from the committed offset's metadata. */
  partitionTime = -1
  /** The stable end of the partition when it was last fetched. */
  #stableEnd: bigint | null = null
  #fetchNext: bigint
  #head: RecordCursor | null = null
  readonly #waiting: { readonly fetched: FetchedPartition; readonly from: bigint }[] = []
  #bufferedBytes = 0
  #headBytes = 0

  constructor(topic: string, partition: number, position: bigint, partitionTime: number) {
    this.topic = topic
    this.partition = partition
    this.#fetchNext = position
    this.partitionTime = partitionTime
  }

  /** The first offset not fetched yet. */
  get fetchNext(): bigint {
    return this.#fetchNext
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  get head(): RecordCursor | null {
    return this.#head
  }

  get position(): bigint {
    return this.#head === null ? this.#fetchNext : this.#head.offset
  }

  /** True when there may be records that were not fetched: another partition's record must not overtake them. */
  get mayHaveMore(): boolean {
    return this.#head === null && (this.#stableEnd === null || this.#fetchNext < this.#stableEnd)
  }

  /** Takes the answer to a fetch from `fetchNext`. */
  add(fetched: FetchedPartition): void {
    this.#stableEnd = fetched.lastStableOffset
    const end = endOffset(fetched.batches)
    if (end === null || end <= this.#fetchNext) return
    this.#waiting.push({ fetched, from: this.#fetchNext })
    this.#bufferedBytes += fetched.batches.length
    this.#fetchNext = end
    if (this.#head === null) this.#open()
  }

  /** Moves to the next record. */
  advance(): void {
    const head = this.#head
    if (head === null) return
    if (head.timestamp > this.partitionTime) this.partitionTime = head.timestamp
    if (!head.next()) this.#open()
  }

  /** Makes the next chunk that holds a visible record the head. */
  #open(): void {
    this.#bufferedBytes -= this.#headBytes
    this.#headBytes = 0
    this.#head = null
    for (let chunk = this.#waiting.shift(); chunk !== undefined; chunk = this.#waiting.shift()) {
      const cursor = new RecordCursor(chunk.fetched, chunk.from, 'read_committed')
      if (cursor.next()) {
        this.#head = cursor
        this.#headBytes = chunk.fetched.batches.length
        return
      }
      this.#bufferedBytes -= chunk.fetched.batches.length
    }
  }
}
