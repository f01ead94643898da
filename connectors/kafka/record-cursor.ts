/**
 * Reads fetched batches record by record without an object per record. What it keeps:
 *
 *   R1  bytes are never trusted: each batch passes its CRC, each length its bounds; a fault is CORRUPT_MESSAGE
 *   R2  control batches are never delivered, aborted records only to read_uncommitted
 *   R3  `nextOffset` passes over markers, aborted batches and gaps, so that a reader always moves on
 *
 * The filter of aborted transactions is the Java client's (`CompletedFetch`): a queue of aborted transactions by first
 * offset, a set of producers now aborted, and only an ABORT marker takes a producer out of it. No state is carried from
 * one fetch to the next: the log lists every aborted transaction that overlaps the answer.
 */

import {
  BATCH_HEADER_BYTES,
  baseOffsetOf,
  baseTimestampOf,
  batchFault,
  countOf,
  isCompressed,
  isControl,
  isLogAppendTime,
  isTransactional,
  lastOffsetDeltaOf,
  maxTimestampOf,
  producerIdOf,
  sizeOf,
} from './batch-format.ts'
import { LogError } from './port.ts'
import type { AbortedTransaction, FetchedPartition, Header, Isolation } from './port.ts'

const ABORT_MARKER = 0

export class RecordCursor {
  /** Of the current record, integer milliseconds. */
  timestamp = 0
  /** The bytes that the positions below point into. */
  bytes: Buffer = Buffer.alloc(0)
  keyStart = 0
  /** -1 for no key. */
  keyLength = -1
  valueStart = 0
  /** -1 for no value (a tombstone). */
  valueLength = -1
  /** Where the current record begins, its length included. */
  recordStart = 0

  readonly #isolation: Isolation
  #fetched!: FetchedPartition
  #from = 0n
  #queue: AbortedTransaction[] = []
  readonly #aborted = new Set<bigint>()

  #base = 0n
  /** Offset of the current record, relative to #base. */
  #delta = -1
  /** Records below this are not wanted. */
  #firstDelta = 0
  #lastDelta = -1
  /** The next offset to read, relative to #base. */
  #nextDelta = 0
  #baseTimestamp = 0
  /** Set when the log stamped the time (LogAppendTime), null otherwise. */
  #stampedTimestamp: number | null = null
  #recordsLeft = 0
  #at = 0
  #headersAt = 0
  #recordEnd = 0
  #batchEnd = 0

  constructor(fetched: FetchedPartition, from: bigint, isolation: Isolation) {
    this.#isolation = isolation
    this.reset(fetched, from)
  }

  /** Begins another answer with the same cursor. */
  reset(fetched: FetchedPartition, from: bigint): void {
    this.#fetched = fetched
    this.#from = from
    this.bytes = fetched.batches
    this.#queue = fetched.aborted.length === 0 ? [] : fetched.aborted.toSorted(byFirstOffset)
    this.#aborted.clear()
    this.#base = from
    this.#delta = -1
    this.#nextDelta = 0
    this.#recordsLeft = 0
    this.#batchEnd = 0
    this.#at = 0
  }

  /**
   * Moves to the next record that is to be delivered; false at the end of the answer.
   * @throws LogError CORRUPT_MESSAGE
   */
  next(): boolean {
    for (;;) {
      if (this.#recordsLeft === 0) {
        if (!this.#enterBatch()) return false
      } else {
        this.#readRecord()
        if (this.#delta >= this.#firstDelta) return true
      }
    }
  }

  get offset(): bigint {
    return this.#base + BigInt(this.#delta)
  }

  /** Where the bytes of the current record end. */
  get recordEnd(): number {
    return this.#recordEnd
  }

  /** Where to fetch next; exact at any size. */
  get nextOffset(): bigint {
    const next = this.#base + BigInt(this.#nextDelta)
    return next > this.#from ? next : this.#from
  }

  /** A view, valid as long as the fetched bytes. */
  key(): Buffer | null {
    return this.keyLength < 0 ? null : this.bytes.subarray(this.keyStart, this.keyStart + this.keyLength)
  }

  value(): Buffer | null {
    return this.valueLength < 0 ? null : this.bytes.subarray(this.valueStart, this.valueStart + this.valueLength)
  }

  headers(): readonly Header[] {
    const resume = this.#at
    this.#at = this.#headersAt
    const count = this.#varint(this.#recordEnd)
    if (count < 0 || count * 2 > this.#recordEnd - this.#at) this.#corrupt(`${count} headers do not fit`)
    const headers: Header[] = []
    for (let i = 0; i < count; i++) {
      const key = this.#view(this.#varint(this.#recordEnd)).toString()
      const length = this.#varint(this.#recordEnd)
      headers.push({ key, value: length === -1 ? Buffer.alloc(0) : this.#view(length) })
    }
    this.#at = resume
    return headers
  }

  /** Steps over the batch that was read and opens the next one; false at the end. */
  #enterBatch(): boolean {
    if (this.#at !== this.#batchEnd) this.#corrupt(`${this.#batchEnd - this.#at} bytes behind the last record`)
    const start = this.#batchEnd
    const { bytes } = this
    if (start === bytes.length) return false
    const fault = batchFault(bytes, start)
    if (fault !== null) this.#corrupt(fault)
    this.#base = baseOffsetOf(bytes, start)
    this.#delta = -1
    this.#lastDelta = lastOffsetDeltaOf(bytes, start)
    this.#batchEnd = start + sizeOf(bytes, start)
    this.#at = start + BATCH_HEADER_BYTES
    if (this.#isDelivered(start)) this.#openRecords(start)
    else {
      this.#at = this.#batchEnd
      this.#nextDelta = this.#lastDelta + 1
    }
    return true
  }

  #openRecords(start: number): void {
    const { bytes } = this
    if (isCompressed(bytes, start)) this.#corrupt('a compressed batch cannot be read')
    this.#recordsLeft = countOf(bytes, start)
    this.#firstDelta = this.#from > this.#base ? Number(this.#from - this.#base) : 0
    this.#nextDelta = this.#recordsLeft === 0 ? this.#lastDelta + 1 : 0
    this.#baseTimestamp = baseTimestampOf(bytes, start)
    this.#stampedTimestamp = isLogAppendTime(bytes, start) ? maxTimestampOf(bytes, start) : null
  }

  #isDelivered(start: number): boolean {
    const { bytes } = this
    if (this.#isolation === 'read_uncommitted') return !isControl(bytes, start)
    const last = this.#base + BigInt(this.#lastDelta)
    for (let head = this.#queue[0]; head !== undefined && head.firstOffset <= last; head = this.#queue[0]) {
      this.#aborted.add(head.producerId)
      this.#queue.shift()
    }
    if (isControl(bytes, start)) {
      // Compaction keeps the last batch of a producer, for its sequence, also when its marker has gone.
      const isEmpty = countOf(bytes, start) === 0
      if (!isEmpty && this.#markerType() === ABORT_MARKER) this.#aborted.delete(producerIdOf(bytes, start))
      return false
    }
    return this.#aborted.size === 0 || !isTransactional(bytes, start) || !this.#aborted.has(producerIdOf(bytes, start))
  }

  #markerType(): number {
    this.#recordsLeft = 1
    this.#baseTimestamp = 0
    this.#stampedTimestamp = 0
    this.#readRecord()
    if (this.keyLength < 4) this.#corrupt('a control record without its type')
    return this.bytes.readInt16BE(this.keyStart + 2)
  }

  #readRecord(): void {
    const end = this.#batchEnd
    this.recordStart = this.#at
    const length = this.#varint(end)
    if (length < 0 || length > end - this.#at) this.#corrupt(`a record of ${length} bytes does not fit`)
    const recordEnd = this.#at + length
    this.#recordEnd = recordEnd
    this.#at++
    const timestampDelta = this.#varlong(recordEnd)
    const delta = this.#varint(recordEnd)
    if (delta <= this.#delta || delta > this.#lastDelta) this.#corrupt(`offset delta ${delta} after ${this.#delta}`)
    this.keyLength = this.#varint(recordEnd)
    this.keyStart = this.#at
    if (this.keyLength > 0) this.#at += this.keyLength
    if (this.#at > recordEnd || this.keyLength < -1) this.#corrupt(`a key of ${this.keyLength} bytes does not fit`)
    this.valueLength = this.#varint(recordEnd)
    this.valueStart = this.#at
    if (this.valueLength > 0) this.#at += this.valueLength
    if (this.#at >= recordEnd || this.valueLength < -1)
      this.#corrupt(`a value of ${this.valueLength} bytes does not fit`)
    this.timestamp = this.#stampedTimestamp ?? this.#baseTimestamp + timestampDelta
    if (!Number.isSafeInteger(this.timestamp)) this.#corrupt(`timestamp ${this.timestamp} is no time`)
    this.#headersAt = this.#at
    this.#at = recordEnd
    this.#delta = delta
    this.#recordsLeft--
    this.#nextDelta = (this.#recordsLeft === 0 ? this.#lastDelta : delta) + 1
  }

  #view(length: number): Buffer {
    const end = this.#at + length
    if (length < 0 || end > this.#recordEnd) this.#corrupt(`a header of ${length} bytes does not fit`)
    const view = this.bytes.subarray(this.#at, end)
    this.#at = end
    return view
  }

  #varint(end: number): number {
    const { bytes } = this
    let zigzag = 0
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.#at >= end) this.#corrupt('a varint runs over its end')
      const byte = bytes[this.#at++]!
      zigzag |= (byte & 0x7f) << shift
      if (byte < 0x80) return (zigzag >>> 1) ^ -(zigzag & 1)
    }
    return this.#corrupt('a varint is longer than 5 bytes')
  }

  #varlong(end: number): number {
    const start = this.#at
    let longer = start
    while (longer < end && this.bytes[longer]! >= 0x80) longer++
    if (longer - start < 4) return this.#varint(end)
    if (longer >= end || longer - start > 9) this.#corrupt('a varint is longer than it may be')
    let zigzag = 0n
    for (let at = longer; at >= start; at--) zigzag = (zigzag << 7n) | BigInt(this.bytes[at]! & 0x7f)
    this.#at = longer + 1
    return Number((zigzag & 1n) === 0n ? zigzag >> 1n : -((zigzag + 1n) >> 1n))
  }

  #corrupt(why: string): never {
    const { topic, partition } = this.#fetched
    throw new LogError(
      'CORRUPT_MESSAGE',
      `${topic}-${partition}: bad batch near offset ${this.nextOffset}: ${why}`,
      'stop',
    )
  }
}

const byFirstOffset = (a: AbortedTransaction, b: AbortedTransaction): number =>
  a.firstOffset < b.firstOffset ? -1 : a.firstOffset > b.firstOffset ? 1 : 0
