import { strict as assert } from 'node:assert'

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { stampBatch } from '../../../connectors/kafka/batch-format.ts'
import { markerBatch } from '../../../connectors/kafka/control-batch.ts'
import { LogError, RecordBatchBuilder, RecordCursor } from '../../../connectors/kafka/index.ts'
import type { AbortedTransaction, FetchedPartition, Isolation } from '../../../connectors/kafka/index.ts'
import { decodeBatch, decoderOf, encodeBatch } from './kafkajs-codec.ts'
import type { PlainRecord } from './kafkajs-codec.ts'

const STAMP = { producerId: 7n, epoch: 3, baseSequence: 11, transactional: false }

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array))
const header = fc.record({ key: fc.string({ maxLength: 5 }), value: bytes })
const record: fc.Arbitrary<PlainRecord> = fc.record({
  timestamp: fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: -1, max: 2 ** 52 })),
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.uniqueArray(header, { maxLength: 3, selector: ({ key }) => key }),
})
const records = fc.array(record, { minLength: 1, maxLength: 12 })

describe('record batch codec', () => {
  test('what was appended is read back', () => {
    fc.assert(
      fc.property(records, (appended) => {
        expect(read(fetched(encode(appended)))).toEqual(appended)
      }),
    )
  })

  test('bytes equal those of kafkajs, and its decoder reads ours', async () => {
    const safe = records.map((list) =>
      list.map((one) => ({ ...one, headers: one.headers.filter(({ key }) => !/^\d+$|^__proto__$/.test(key)) })),
    )
    await fc.assert(
      fc.asyncProperty(safe, fc.boolean(), async (appended, transactional) => {
        const batch = encode(appended, { transactional })
        expect(batch.equals(await encodeBatch(appended, { ...STAMP, transactional }))).toBe(true)
        stampBatch(batch, 2n ** 55n + 1n, 0)
        const decoded = await decodeBatch(decoderOf(batch))
        expect(decoded).toMatchObject({
          firstOffset: '36028797018963969',
          producerId: '7',
          producerEpoch: 3,
          firstSequence: 11,
          inTransaction: transactional,
        })
        expect(decoded.records.map(({ timestamp }) => Number(timestamp))).toEqual(
          appended.map(({ timestamp }) => timestamp),
        )
        expect(decoded.records.map(({ key, value }) => ({ key, value }))).toEqual(
          appended.map(({ key, value }) => ({ key, value })),
        )
        expect(decoded.records.map(({ headers }) => Object.keys(headers))).toEqual(
          appended.map(({ headers }) => headers.map(({ key }) => key)),
        )
      }),
    )
  })

  test('kafkajs reads our markers', async () => {
    const decoded = await decodeBatch(decoderOf(markerBatch('commit', { producerId: 9n, epoch: 2 }, 5)))
    expect(decoded).toMatchObject({ isControlBatch: true, inTransaction: true, producerId: '9', producerEpoch: 2 })
    expect(decoded.records[0]!.key).toEqual(Buffer.from([0, 0, 0, 1]))
  })

  test('a builder may be reset and filled again, and its batches stay', () => {
    const builder = new RecordBatchBuilder()
    builder.append(1, null, Buffer.from('first'))
    const first = builder.build(STAMP)
    builder.reset()
    expect(builder.count).toBe(0)
    builder.append(2, null, Buffer.from('second'))
    expect(builder.sizeBytes).toBe(builder.build(STAMP).length)
    expect(read(fetched(first))[0]!.value!.toString()).toBe('first')
    expect(read(fetched(builder.build(STAMP)))[0]!.value!.toString()).toBe('second')
  })

  test('every truncation is CORRUPT_MESSAGE (R1)', () => {
    const whole = encode([plain('tenant-a', 'one'), plain('tenant-b', 'two')])
    for (let length = 1; length < whole.length; length++) {
      expect(codeOf(() => read(fetched(whole.subarray(0, length))))).toBe('CORRUPT_MESSAGE')
    }
  })

  test('no change of bytes is delivered (R1)', () => {
    const whole = encode([plain('tenant-a', 'one'), plain('tenant-b', 'two')])
    const outsideCrc = 16
    fc.assert(
      fc.property(
        fc.integer({ min: outsideCrc, max: whole.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        (at, mask) => {
          const changed = Buffer.from(whole)
          changed[at]! ^= mask
          expect(codeOf(() => read(fetched(changed)))).toBe('CORRUPT_MESSAGE')
        },
      ),
    )
  })

  test('bytes with a valid CRC and senseless lengths end in CORRUPT_MESSAGE or in records, never in a crash (R1)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 5 }),
        fc.integer(),
        (parts, count) => {
          const batch = encode(
            parts.map((part) => ({ timestamp: 1, key: null, value: Buffer.from(part), headers: [] })),
          )
          const forged = forge(batch, Buffer.concat(parts), count)
          const outcome = codeOf(() => read(fetched(forged)))
          expect([null, 'CORRUPT_MESSAGE']).toContain(outcome)
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('cursor', () => {
  test('offsets are exact above 2^53', () => {
    const base = 2n ** 53n + 1n
    const batch = encode([plain('a', '1'), plain('b', '2'), plain('c', '3')])
    stampBatch(batch, base, 0)
    const cursor = new RecordCursor(fetched(batch), base + 1n, 'read_committed')
    expect(cursor.nextOffset).toBe(base + 1n)
    expect(cursor.next()).toBe(true)
    expect([cursor.offset, cursor.nextOffset]).toEqual([base + 1n, base + 2n])
    expect(cursor.next()).toBe(true)
    expect(cursor.next()).toBe(false)
    expect(cursor.nextOffset).toBe(base + 3n)
  })

  test('an ABORT marker takes its producer off the list; only a marker does, whatever a key looks like (R2)', () => {
    // The second record's key is four zero bytes, as an ABORT marker's is.
    const log = concat(
      data(1n, 'lost', true),
      data(1n, 'lost', true, Buffer.alloc(4)),
      data(1n, 'lost', true),
      data(2n, 'kept', true),
      markerBatch('abort', { producerId: 1n, epoch: 0 }, 0),
      markerBatch('commit', { producerId: 2n, epoch: 0 }, 0),
      data(1n, 'kept', true),
    )
    expect(valuesOf(log, [{ producerId: 1n, firstOffset: 0n }])).toEqual(['kept', 'kept'])
  })

  test('several aborts of one producer, one of them without its marker in the answer (R2)', () => {
    const abort = markerBatch('abort', { producerId: 1n, epoch: 0 }, 0)
    const log = concat(
      data(1n, 'lost', true),
      abort,
      data(1n, 'kept', true),
      data(1n, 'plain', false),
      abort,
      data(1n, 'lost', true),
    )
    const aborted = [
      { producerId: 1n, firstOffset: 5n },
      { producerId: 1n, firstOffset: 0n },
    ]
    expect(valuesOf(log, aborted)).toEqual(['kept', 'plain'])
  })

  test('a marker that compaction has emptied, as Kafka keeps it, is passed over (R2, R3)', () => {
    const emptied = Buffer.from(
      '0000000000000003000000310000000002bdfab155003000000000ffffffffffffffff000001a217d7a7980000000000000001' +
        '0002ffffffff00000000',
      'hex',
    )
    const cursor = new RecordCursor(fetched(emptied), 0n, 'read_committed')
    expect(cursor.next()).toBe(false)
    expect(cursor.nextOffset).toBe(4n)
  })

  test('read_uncommitted delivers everything but markers (R2)', () => {
    const log = concat(data(1n, 'a', true), markerBatch('abort', { producerId: 1n, epoch: 0 }, 0), data(1n, 'b', true))
    expect(valuesOf(log, [], 'read_uncommitted')).toEqual(['a', 'b'])
  })

  test('a cursor may be reset to another answer', () => {
    const cursor = new RecordCursor(fetched(encode([plain('a', '1'), plain('b', '2')])), 0n, 'read_committed')
    expect(cursor.next()).toBe(true)
    cursor.reset(fetched(encode([plain('c', '3')])), 0n)
    expect(cursor.next()).toBe(true)
    expect(cursor.value()!.toString()).toBe('3')
    expect(cursor.next()).toBe(false)
  })
})

const plain = (key: string, value: string): PlainRecord => ({
  timestamp: 1_700_000_000_000,
  key: Buffer.from(key),
  value: Buffer.from(value),
  headers: [],
})

function encode(appended: readonly PlainRecord[], stamp: Partial<typeof STAMP> = {}): Buffer {
  const builder = new RecordBatchBuilder()
  for (const { timestamp, key, value, headers } of appended) builder.append(timestamp, key, value, headers)
  const batch = builder.build({ ...STAMP, ...stamp })
  stampBatch(batch, 0n, 0)
  return batch
}

function data(producerId: bigint, value: string, transactional: boolean, key: Buffer | null = null): Buffer {
  return encode([{ timestamp: 0, key, value: Buffer.from(value), headers: [] }], { producerId, transactional })
}

/** Stamps consecutive offsets, one a batch. */
function concat(...batches: readonly Buffer[]): Buffer {
  const copies = batches.map((batch, i) => {
    const copy = Buffer.from(batch)
    stampBatch(copy, BigInt(i), 0)
    return copy
  })
  return Buffer.concat(copies)
}

/** Puts other bytes in the place of the records, with the CRC made right again. */
function forge(batch: Buffer, body: Buffer, count: number): Buffer {
  const forged = Buffer.concat([batch.subarray(0, 61), body])
  forged.writeInt32BE(forged.length - 12, 8)
  forged.writeInt32BE(count, 57)
  forged.writeInt32BE(Math.max(count, 1) - 1, 23)
  forged.writeUInt32BE(crc(forged.subarray(21)), 17)
  return forged
}

function crc(of: Buffer): number {
  let sum = 0xffffffff
  for (const byte of of) {
    sum ^= byte
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0x82f63b78 : sum >>> 1
  }
  return (sum ^ 0xffffffff) >>> 0
}

const fetched = (batches: Buffer, aborted: readonly AbortedTransaction[] = []): FetchedPartition => ({
  topic: 't',
  partition: 0,
  batches,
  aborted,
  highWatermark: 0n,
  lastStableOffset: 0n,
  logStartOffset: 0n,
  error: null,
})

function read(from: FetchedPartition): PlainRecord[] {
  const cursor = new RecordCursor(from, 0n, 'read_committed')
  const found: PlainRecord[] = []
  while (cursor.next()) {
    const { timestamp } = cursor
    const [key, value] = [cursor.key(), cursor.value()].map((view) => (view === null ? null : Buffer.from(view)))
    const headers = cursor.headers().map((each) => ({ key: each.key, value: Buffer.from(each.value) }))
    found.push({ timestamp, key: key!, value: value!, headers })
  }
  return found
}

function valuesOf(
  batches: Buffer,
  aborted: readonly AbortedTransaction[],
  isolation: Isolation = 'read_committed',
): string[] {
  const cursor = new RecordCursor(fetched(batches, aborted), 0n, isolation)
  const values: string[] = []
  while (cursor.next()) values.push(cursor.value()!.toString())
  return values
}

function codeOf(work: () => unknown): string | null {
  try {
    work()
    return null
  } catch (error) {
    assert(error instanceof LogError, `${String(error)} is not a LogError`)
    return error.code
  }
}
