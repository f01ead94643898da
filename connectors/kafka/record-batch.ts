/** Encodes records straight into the bytes of one batch: no object, and no small buffer, per record. */

import { strict as assert } from 'node:assert'

import { BATCH_HEADER_BYTES, sealBatch } from './batch-format.ts'
import type { Header } from './port.ts'
import { sizeOfVarint, sizeOfVarlong, writeVarint, writeVarlong } from './varint.ts'

const FIRST_CAPACITY_BYTES = 1024
/** Up to here a loop beats a native copy. */
const LOOP_COPY_BYTES = 8
const NO_HEADERS: readonly Header[] = []

/** What the producer session knows and the records do not. */
export interface BatchStamp {
  readonly producerId: bigint
  readonly epoch: number
  readonly baseSequence: number
  readonly transactional: boolean
}

/**
 * One partition's records, in order, as one record batch (format v2). Bytes are copied by `append` and again by
 * `build`, so callers may reuse theirs and a builder may be `reset` and filled again.
 */
export class RecordBatchBuilder {
  #bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_CAPACITY_BYTES)
  #end = BATCH_HEADER_BYTES
  #count = 0
  #baseTimestamp = 0
  #maxTimestamp = 0

  get count(): number {
    return this.#count
  }

  /** Size of the batch as `build` would return it. */
  get sizeBytes(): number {
    return this.#end
  }

  /** @param timestamp integer milliseconds */
  append(timestamp: number, key: Buffer | null, value: Buffer | null, headers: readonly Header[] = NO_HEADERS): void {
    if (this.#count === 0) {
      this.#baseTimestamp = timestamp
      this.#maxTimestamp = timestamp
    } else if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp
    const timestampDelta = timestamp - this.#baseTimestamp
    assert(
      Number.isSafeInteger(timestamp) && Number.isSafeInteger(timestampDelta),
      'a timestamp is integer milliseconds',
    )
    const size =
      1 +
      sizeOfVarlong(timestampDelta) +
      sizeOfVarint(this.#count) +
      sizeOfBytes(key) +
      sizeOfBytes(value) +
      (headers.length === 0 ? 1 : sizeOfHeaders(headers))
    this.#reserve(5 + size)

    const bytes = this.#bytes
    let at = writeVarint(bytes, this.#end, size)
    bytes[at++] = 0
    at = writeVarlong(bytes, at, timestampDelta)
    at = writeVarint(bytes, at, this.#count)
    at = writeBytes(bytes, at, key)
    at = writeBytes(bytes, at, value)
    this.#end = headers.length === 0 ? writeVarint(bytes, at, 0) : writeHeaders(bytes, at, headers)
    this.#count++
  }

  /** A batch of its own bytes, ready for the log to stamp offset and leader epoch. */
  build(stamp: BatchStamp): Buffer {
    assert(this.#count > 0, 'a batch holds at least one record')
    const batch = Buffer.allocUnsafeSlow(this.#end)
    this.#bytes.copy(batch, BATCH_HEADER_BYTES, BATCH_HEADER_BYTES, this.#end)
    return sealBatch(batch, {
      ...stamp,
      count: this.#count,
      baseTimestamp: this.#baseTimestamp,
      maxTimestamp: this.#maxTimestamp,
      control: false,
    })
  }

  /** Empties the builder and keeps its memory. */
  reset(): void {
    this.#end = BATCH_HEADER_BYTES
    this.#count = 0
  }

  #reserve(more: number): void {
    if (this.#end + more <= this.#bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#end + more))
    this.#bytes.copy(grown, 0, 0, this.#end)
    this.#bytes = grown
  }
}

const sizeOfBytes = (bytes: Buffer | null): number => (bytes === null ? 1 : sizeOfVarint(bytes.length) + bytes.length)

function writeBytes(target: Buffer, at: number, source: Buffer | null): number {
  if (source === null) return writeVarint(target, at, -1)
  const length = source.length
  at = writeVarint(target, at, length)
  if (length <= LOOP_COPY_BYTES) for (let i = 0; i < length; i++) target[at + i] = source[i]!
  else target.set(source, at)
  return at + length
}

function sizeOfHeaders(headers: readonly Header[]): number {
  let size = sizeOfVarint(headers.length)
  for (const { key, value } of headers) {
    const keyBytes = Buffer.byteLength(key)
    size += sizeOfVarint(keyBytes) + keyBytes + sizeOfBytes(value)
  }
  return size
}

function writeHeaders(target: Buffer, at: number, headers: readonly Header[]): number {
  at = writeVarint(target, at, headers.length)
  for (const { key, value } of headers) {
    at = writeVarint(target, at, Buffer.byteLength(key))
    at += target.write(key, at)
    at = writeBytes(target, at, value)
  }
  return at
}
