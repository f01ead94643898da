/**
 * Kafka's record batch format v2, byte for byte. A batch is a 61-byte header and its records:
 *
 *    0 base offset i64 · 8 length i32 (of what follows) · 12 leader epoch i32 · 16 magic i8 = 2 · 17 CRC32C u32 (of byte 21 on)
 *   21 attributes i16 · 23 last offset delta i32 · 27 base timestamp i64 · 35 max timestamp i64
 *   43 producer id i64 · 51 producer epoch i16 · 53 base sequence i32 · 57 record count i32
 *
 * Base offset and leader epoch lie outside the CRC, so that the log stamps them in place.
 */

import { crc32c } from '@node-rs/crc32'

export const BATCH_HEADER_BYTES = 61
/** Bytes before what the length field counts. */
const LENGTH_END = 12
const MAGIC = 2

const COMPRESSION_MASK = 0x07
const LOG_APPEND_TIME = 0x08
const TRANSACTIONAL = 0x10
const CONTROL = 0x20

/** What `sealBatch` writes around records that already stand behind the header's place. */
export interface BatchHeader {
  readonly count: number
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  readonly producerId: bigint
  readonly epoch: number
  /** -1 on a control batch. */
  readonly baseSequence: number
  readonly transactional: boolean
  readonly control: boolean
}

/** Writes header and CRC over the first 61 bytes of a whole batch. Base offset stays 0 until the log stamps it. */
export function sealBatch(batch: Buffer, header: BatchHeader): Buffer {
  batch.writeBigInt64BE(0n, 0)
  batch.writeInt32BE(batch.length - LENGTH_END, 8)
  batch.writeInt32BE(NO_LEADER_EPOCH, 12)
  batch.writeInt8(MAGIC, 16)
  batch.writeInt16BE((header.transactional ? TRANSACTIONAL : 0) | (header.control ? CONTROL : 0), 21)
  batch.writeInt32BE(header.count - 1, 23)
  batch.writeBigInt64BE(BigInt(header.baseTimestamp), 27)
  batch.writeBigInt64BE(BigInt(header.maxTimestamp), 35)
  batch.writeBigInt64BE(header.producerId, 43)
  batch.writeInt16BE(header.epoch, 51)
  batch.writeInt32BE(header.baseSequence, 53)
  batch.writeInt32BE(header.count, 57)
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}

const NO_LEADER_EPOCH = -1

/** Whether a log has stamped these bytes before. */
export const isStamped = (batch: Buffer): boolean => batch.readInt32BE(12) !== NO_LEADER_EPOCH

/** What only the log knows; leaves the CRC valid. */
export function stampBatch(batch: Buffer, baseOffset: bigint, leaderEpoch: number): void {
  batch.writeBigInt64BE(baseOffset, 0)
  batch.writeInt32BE(leaderEpoch, 12)
}

/**
 * The batch at `bytes[at]` with only `count` records of it, and not transactional any more: what it was part of is decided.
 * Offsets, times, producer and sequence stay; without records it is a header alone.
 * @param records as they stand in `bytes`, in order
 */
export const withRecords = (bytes: Buffer, at: number, records: readonly Buffer[], count: number): Buffer =>
  rebuilt(bytes, at, records, count, TRANSACTIONAL)

/** The batch at `bytes[at]` with its records as they were before they were compressed. */
export const uncompressed = (bytes: Buffer, at: number, records: Buffer): Buffer =>
  rebuilt(bytes, at, [records], countOf(bytes, at), COMPRESSION_MASK)

/** @param cleared attributes that do not hold any more */
function rebuilt(bytes: Buffer, at: number, records: readonly Buffer[], count: number, cleared: number): Buffer {
  const batch = Buffer.concat([bytes.subarray(at, at + BATCH_HEADER_BYTES), ...records])
  batch.writeInt32BE(batch.length - LENGTH_END, 8)
  batch.writeInt16BE(batch.readInt16BE(21) & ~cleared, 21)
  batch.writeInt32BE(count, 57)
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}

export const baseOffsetOf = (bytes: Buffer, at: number): bigint => bytes.readBigInt64BE(at)
/** Size of the whole batch in bytes, as it claims. */
export const sizeOf = (bytes: Buffer, at: number): number => bytes.readInt32BE(at + 8) + LENGTH_END
export const lastOffsetDeltaOf = (bytes: Buffer, at: number): number => bytes.readInt32BE(at + 23)
export const lastOffsetOf = (bytes: Buffer, at: number): bigint =>
  baseOffsetOf(bytes, at) + BigInt(lastOffsetDeltaOf(bytes, at))
export const producerIdOf = (bytes: Buffer, at: number): bigint => bytes.readBigInt64BE(at + 43)
export const epochOf = (bytes: Buffer, at: number): number => bytes.readInt16BE(at + 51)
export const baseSequenceOf = (bytes: Buffer, at: number): number => bytes.readInt32BE(at + 53)
export const countOf = (bytes: Buffer, at: number): number => bytes.readInt32BE(at + 57)
export const isTransactional = (bytes: Buffer, at: number): boolean =>
  (bytes.readInt16BE(at + 21) & TRANSACTIONAL) !== 0
export const isControl = (bytes: Buffer, at: number): boolean => (bytes.readInt16BE(at + 21) & CONTROL) !== 0
/** Kafka's number of the codec, 0 for none. */
export const compressionOf = (bytes: Buffer, at: number): number => bytes.readInt16BE(at + 21) & COMPRESSION_MASK
export const isCompressed = (bytes: Buffer, at: number): boolean => compressionOf(bytes, at) !== 0
export const isLogAppendTime = (bytes: Buffer, at: number): boolean =>
  (bytes.readInt16BE(at + 21) & LOG_APPEND_TIME) !== 0
/** Exact up to 2^53 ms, which is far beyond any date. */
export const baseTimestampOf = (bytes: Buffer, at: number): number => readInt64AsNumber(bytes, at + 27)
export const maxTimestampOf = (bytes: Buffer, at: number): number => readInt64AsNumber(bytes, at + 35)

const readInt64AsNumber = (bytes: Buffer, at: number): number =>
  bytes.readInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4)

/** Why the bytes at `at` are not one whole, intact batch; null when they are. Never throws. */
export function batchFault(bytes: Buffer, at: number): string | null {
  const left = bytes.length - at
  if (left < BATCH_HEADER_BYTES) return `${left} bytes are less than a batch header`
  const size = sizeOf(bytes, at)
  if (size < BATCH_HEADER_BYTES) return `a batch of ${size} bytes is less than its header`
  if (size > left) return `a batch of ${size} bytes has only ${left}`
  if (bytes.readInt8(at + 16) !== MAGIC) return `magic ${bytes.readInt8(at + 16)} is not record batch format v2`
  if (crc32c(bytes.subarray(at + 21, at + size)) !== bytes.readUInt32BE(at + 17)) return 'the CRC does not match'
  const count = countOf(bytes, at)
  if (count < 0 || count > lastOffsetDeltaOf(bytes, at) + 1) return `${count} records do not fit the offsets`
  return null
}
