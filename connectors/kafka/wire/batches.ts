/**
 * Fetched bytes made plain: whole batches, none of them compressed. What was not compressed is not touched, and not copied;
 * whether it is intact is the record cursor's to say.
 */

import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { compressionsAlgorithms } from '@platformatic/kafka'
import { BATCH_HEADER_BYTES, batchFault, compressionOf, sizeOf, uncompressed } from '../batch-format.ts'

/** Where a batch says how long it is. */
const LENGTH_END = 12

/** What the records of one batch may grow to: more is an attack or a mistake. */
const usualMaxBytes = 256 * 1024 * 1024

type Decompress = (bytes: Buffer, maxBytes: number) => Buffer

/** By the number in a batch's attributes. */
const codecs: Readonly<Record<number, Decompress>> = {
  1: (bytes, maxOutputLength) => gunzipSync(bytes, { maxOutputLength }),
  2: snappy,
  3: lz4,
  4: (bytes, maxOutputLength) => zstdDecompressSync(bytes, { maxOutputLength }),
}

/**
 * The last batch may be cut: a broker answers with as many bytes as were asked for.
 * @param maxBytes what the records of one batch may grow to
 * @throws Error when the records of a batch cannot be decompressed
 */
export function plainBatches(bytes: Buffer, maxBytes = usualMaxBytes): Buffer {
  const parts: Buffer[] = []
  let plainFrom = 0
  let at = 0
  while (bytes.length - at > LENGTH_END) {
    const size = sizeOf(bytes, at)
    if (size > bytes.length - at) break
    // The cursor says what is wrong with it.
    if (size < BATCH_HEADER_BYTES) return bytes
    const end = at + size
    const compression = compressionOf(bytes, at)
    if (compression !== 0 && batchFault(bytes, at) === null) {
      const decompress = codecs[compression]
      if (decompress === undefined) throw new Error(`compression ${compression} is not known`)
      const records = decompress(bytes.subarray(at + BATCH_HEADER_BYTES, end), maxBytes)
      if (records.length > maxBytes) throw new RangeError(`a batch of ${records.length} bytes is more than ${maxBytes}`)
      parts.push(bytes.subarray(plainFrom, at), uncompressed(bytes, at, records))
      plainFrom = end
    }
    at = end
  }
  const rest = bytes.subarray(plainFrom, at)
  return parts.length === 0 ? rest : Buffer.concat([...parts, rest])
}

const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const xerialHeaderBytes = 16

/** As the Java client frames it (Xerial: chunks with their lengths), or one bare block. */
function snappy(bytes: Buffer, maxBytes: number): Buffer {
  if (!bytes.subarray(0, xerialMagic.length).equals(xerialMagic)) return snappyBlock(bytes, maxBytes)
  const blocks: Buffer[] = []
  let left = maxBytes
  for (let at = xerialHeaderBytes; at < bytes.length;) {
    const size = bytes.readInt32BE(at)
    if (size < 0 || size > bytes.length - at - 4) throw new RangeError('a snappy chunk does not fit')
    const block = snappyBlock(bytes.subarray(at + 4, at + 4 + size), left)
    blocks.push(block)
    left -= block.length
    at += 4 + size
  }
  return Buffer.concat(blocks)
}

/** A block says first how long it is when it is decompressed. */
function snappyBlock(bytes: Buffer, maxBytes: number): Buffer {
  let size = 0
  for (let at = 0, scale = 1; ; at++, scale *= 128) {
    const byte = bytes[at]
    if (byte === undefined || at === 5) throw new RangeError('a snappy block without its size')
    size += (byte & 0x7f) * scale
    if (byte < 0x80) break
  }
  if (size > maxBytes) throw new RangeError(`a block of ${size} bytes is more than ${maxBytes}`)
  return compressionsAlgorithms.snappy.decompressSync(bytes)
}

const lz4BlockBytes: Readonly<Record<number, number>> = { 4: 1 << 16, 5: 1 << 18, 6: 1 << 20, 7: 1 << 22 }
const lz4HeaderBytes = 7
const lz4ContentSize = 0x08
const lz4BlockChecksum = 0x10
const lz4SizeMask = 0x7fff_ffff

/** Bounded, up to its last block, before anything is decompressed: each has a size that the frame names. */
function lz4(bytes: Buffer, maxBytes: number): Buffer {
  const flags = bytes.readUInt8(4)
  const blockBytes = lz4BlockBytes[(bytes.readUInt8(5) >> 4) & 0x07]
  if (blockBytes === undefined) throw new RangeError('an LZ4 frame without a block size')
  const behind = (flags & lz4BlockChecksum) === 0 ? 0 : 4
  let bound = 0
  for (let at = lz4HeaderBytes + ((flags & lz4ContentSize) === 0 ? 0 : 8); at + 4 <= bytes.length;) {
    const size = bytes.readUInt32LE(at) & lz4SizeMask
    if (size === 0) break
    if (bound > maxBytes) throw new RangeError(`${bound} bytes are more than ${maxBytes}`)
    bound += blockBytes
    at += 4 + size + behind
  }
  return compressionsAlgorithms.lz4.decompressSync(bytes)
}
