/**
 * Keys of window rows; permanent.
 *
 *   changelog   <key> <window start: 8 bytes> <sequence: 4 bytes>       Kafka Streams' own (WindowKeySchema)
 *   row         <segment: 8 bytes> and then the changelog's key
 *   clock row   ff, of this store alone: <observed time: 8 bytes> <last sequence: 4 bytes>
 *
 * All numbers are big-endian and never negative, so rows are in the order of their segments, and the clock row is last.
 */

import type { WindowOptions } from './window-store.ts'

const SEGMENT_BYTES = 8
const SUFFIX_BYTES = 12
const LEAST_SEGMENT_MS = 60_000
/** Sequence numbers of duplicates go round as Kafka Streams' do. */
const SEQUENCES = 0x7fffffff

export const CLOCK_KEY = Buffer.from([0xff])

/** What a store knows besides its rows. */
export interface WindowClock {
  readonly observed: number
  readonly sequence: number
}

export const NO_CLOCK: WindowClock = Object.freeze({ observed: -1, sequence: 0 })

/** The unit of expiry, in ms. */
export const segmentMs = ({ retentionMs }: WindowOptions): number =>
  Math.max(Math.floor(retentionMs / 2), LEAST_SEGMENT_MS)

export function segmentKey(segment: number): Buffer {
  const bytes = Buffer.allocUnsafe(SEGMENT_BYTES)
  bytes.writeBigInt64BE(BigInt(segment))
  return bytes
}

export function windowKey(segment: number, key: Buffer, windowStart: number, sequence: number): Buffer {
  const bytes = Buffer.allocUnsafe(SEGMENT_BYTES + key.length + SUFFIX_BYTES)
  writeTime(bytes, segment, 0)
  bytes.set(key, SEGMENT_BYTES)
  writeTime(bytes, windowStart, SEGMENT_BYTES + key.length)
  bytes.writeInt32BE(sequence, bytes.length - 4)
  return bytes
}

export const changelogKey = (row: Buffer): Buffer => row.subarray(SEGMENT_BYTES)

export const keyOf = (row: Buffer): Buffer => row.subarray(SEGMENT_BYTES, row.length - SUFFIX_BYTES)

/** Of a row's key or a changelog's. */
export const startOf = (key: Buffer): number => readTime(key, key.length - SUFFIX_BYTES)

export const sequenceOf = (key: Buffer): number => key.readInt32BE(key.length - 4)

export const nextSequence = (sequence: number): number => (sequence + 1) & SEQUENCES

export const isChangelogKey = (key: Buffer): boolean =>
  key.length >= SUFFIX_BYTES && key.readBigInt64BE(key.length - SUFFIX_BYTES) >= 0n

export function encodeClock({ observed, sequence }: WindowClock): Buffer {
  const bytes = Buffer.allocUnsafe(SUFFIX_BYTES)
  bytes.writeBigInt64BE(BigInt(observed))
  bytes.writeInt32BE(sequence, 8)
  return bytes
}

export const decodeClock = (bytes: Buffer): WindowClock => ({
  observed: Number(bytes.readBigInt64BE(0)),
  sequence: bytes.readInt32BE(8),
})

/** The first row key above all rows of `segment` whose key is not above `last` and whose start is not above `to`. */
export function endOfKeys(segment: number, last: Buffer, to: number): Buffer {
  let end = windowKey(segment, last, to + 1, 0)
  // A prefix of the last key is below it, but its rows go on with a time: they may stand above the last key's.
  for (let length = 0; length < last.length; length++) {
    const other = windowKey(segment, last.subarray(0, length), to + 1, 0)
    if (Buffer.compare(other, end) > 0) end = other
  }
  return end
}

// Times are below 2^53: two halves are quicker than a bigint.
function writeTime(bytes: Buffer, time: number, at: number): void {
  bytes.writeUInt32BE(Math.floor(time / 0x1_0000_0000), at)
  bytes.writeUInt32BE(time % 0x1_0000_0000, at + 4)
}

const readTime = (bytes: Buffer, at: number): number =>
  bytes.readUInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4)
