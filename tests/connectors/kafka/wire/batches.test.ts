/** Fetched bytes, compressed by others, read by our cursor. */

import { gzipSync, zstdCompressSync } from 'node:zlib'
import { crc32c } from '@node-rs/crc32'
import { compressionsAlgorithms } from '@platformatic/kafka'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BATCH_HEADER_BYTES, stampBatch, uncompressed } from '../../../../connectors/kafka/batch-format.ts'
import { RecordBatchBuilder, RecordCursor } from '../../../../connectors/kafka/index.ts'
import { plainBatches } from '../../../../connectors/kafka/wire/batches.ts'

const codecs = {
  gzip: { number: 1, compress: (bytes: Buffer) => gzipSync(bytes) },
  snappy: { number: 2, compress: (bytes: Buffer) => compressionsAlgorithms.snappy.compressSync(bytes) },
  'snappy in chunks, as the Java client writes it': { number: 2, compress: xerial },
  lz4: { number: 3, compress: (bytes: Buffer) => compressionsAlgorithms.lz4.compressSync(bytes) },
  zstd: { number: 4, compress: (bytes: Buffer) => zstdCompressSync(bytes) },
} as const
const names = Object.keys(codecs) as (keyof typeof codecs)[]

function xerial(bytes: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])]
  for (let at = 0; at < bytes.length; at += 64) {
    const block = compressionsAlgorithms.snappy.compressSync(bytes.subarray(at, at + 64))
    const size = Buffer.alloc(4)
    size.writeInt32BE(block.length)
    parts.push(size, block)
  }
  return Buffer.concat(parts)
}

function plain(base: bigint, values: readonly string[]): Buffer {
  const builder = new RecordBatchBuilder()
  for (const value of values) builder.append(1_000, Buffer.from('k'), Buffer.from(value))
  const batch = builder.build({ producerId: 7n, epoch: 0, baseSequence: 0, transactional: false })
  stampBatch(batch, base, 0)
  return batch
}

/** The same batch with other records, and with the number of a codec. */
function compressed(batch: Buffer, number: number, records: Buffer): Buffer {
  const bytes = uncompressed(batch, 0, records)
  bytes.writeInt16BE(bytes.readInt16BE(21) | number, 21)
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
  return bytes
}

function valuesOf(batches: Buffer): string[] {
  const ends = { highWatermark: -1n, lastStableOffset: -1n, logStartOffset: 0n }
  const fetched = { topic: 't', partition: 0, batches, aborted: [], error: null, ...ends }
  const cursor = new RecordCursor(fetched, 0n, 'read_committed')
  const values: string[] = []
  while (cursor.next()) values.push(`${cursor.offset} ${cursor.value()?.toString()}`)
  return values
}

const values = fc.array(fc.string({ maxLength: 300 }), { minLength: 1, maxLength: 20 })

describe('compressed batches', () => {
  test.each(names)('%s: between plain ones, every record is read', (name) => {
    const { number, compress } = codecs[name]
    fc.assert(
      fc.property(values, values, values, (before, inside, behind) => {
        const middle = plain(BigInt(before.length), inside)
        const bytes = Buffer.concat([
          plain(0n, before),
          compressed(middle, number, compress(middle.subarray(BATCH_HEADER_BYTES))),
          plain(BigInt(before.length + inside.length), behind),
        ])
        expect(valuesOf(plainBatches(bytes))).toEqual(
          [...before, ...inside, ...behind].map((value, offset) => `${offset} ${value}`),
        )
      }),
      { numRuns: 50 },
    )
  })

  test.each(names)('%s: what would grow past the bound is refused', (name) => {
    const { number, compress } = codecs[name]
    const batch = plain(0n, ['x'.repeat(300_000)])
    const bomb = compressed(batch, number, compress(batch.subarray(BATCH_HEADER_BYTES)))
    expect(valuesOf(plainBatches(bomb, 400_000))).toHaveLength(1)
    expect(() => plainBatches(bomb, 100_000)).toThrow()
  })

  test('snappy: a block that claims more than the bound is refused before its bytes are looked at', () => {
    const claim = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0x00])
    const bytes = compressed(plain(0n, ['a']), 2, claim)
    expect(() => plainBatches(bytes, 100_000)).toThrow('a block of 4294967295 bytes is more than 100000')
  })

  test.each(names)('%s: bytes that are none end in an error, never in a crash', (name) => {
    const { number } = codecs[name]
    const batch = plain(0n, ['a'])
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 200 }), (noise) => {
        const bytes = compressed(batch, number, Buffer.from(noise))
        try {
          valuesOf(plainBatches(bytes))
        } catch (error) {
          expect(error).toBeInstanceOf(Error)
        }
      }),
    )
  })

  test('one with a broken CRC is left as it is: the cursor says so', () => {
    const batch = plain(0n, ['abc'])
    const bytes = compressed(batch, 1, gzipSync(batch.subarray(BATCH_HEADER_BYTES)))
    bytes[bytes.length - 1]! ^= 1
    expect(() => valuesOf(plainBatches(bytes))).toThrow(/CRC/)
  })

  test('a codec that nobody knows is an error', () => {
    const batch = plain(0n, ['abc'])
    expect(() => plainBatches(compressed(batch, 5, batch.subarray(BATCH_HEADER_BYTES)))).toThrow(/compression 5/)
  })
})

test('the last batch may be cut anywhere: the whole ones are read', () => {
  const first = plain(0n, ['a', 'b'])
  const second = plain(2n, ['c'])
  const bytes = Buffer.concat([first, second])
  for (let end = first.length; end < bytes.length; end++)
    expect(valuesOf(plainBatches(bytes.subarray(0, end)))).toEqual(['0 a', '1 b'])
  expect(valuesOf(plainBatches(bytes))).toEqual(['0 a', '1 b', '2 c'])
  expect(plainBatches(bytes).buffer).toBe(bytes.buffer)
})
