import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { byPartition, placed, readMetadata, writeMetadata } from '../../../api/relay/batch.ts'
import type { OutboxRow } from '../../../api/relay/outbox-rows.ts'
import { partitionFor } from '../../../connectors/kafka/index.ts'

const row = (id: number, topic: string, key: string): OutboxRow => ({ id: String(id), topic, key, event: {} as never })
const rowsOf = fc
  .array(fc.tuple(fc.constantFrom('auth_events', 'communication_events'), fc.string({ minLength: 1 })), {
    maxLength: 60,
  })
  .map((pairs) => pairs.map(([topic, key], n) => row(n + 1, topic, key)))

describe('byPartition', () => {
  it('places every row once where Java would, in the order it had', () => {
    fc.assert(
      fc.property(rowsOf, fc.integer({ min: 1, max: 12 }), (rows, partitions) => {
        const groups = byPartition(rows, () => partitions)
        expect(
          groups
            .flatMap((group) => group.rows)
            .map(({ id }) => Number(id))
            .sort((a, b) => a - b),
        ).toEqual(rows.map(({ id }) => Number(id)))
        for (const { topic, partition, rows: members } of groups) {
          const ids = members.map(({ id }) => Number(id))
          expect(ids).toEqual([...ids].sort((a, b) => a - b))
          for (const member of members) {
            expect([member.topic, partitionFor(Buffer.from(member.key), partitions)]).toEqual([topic, partition])
          }
        }
      }),
    )
  })
})

describe('placed', () => {
  it('counts on from the first offset of each partition, and says nothing when one is not known', () => {
    const groups = [
      { topic: 'auth_events', partition: 2, rows: [row(1, 'auth_events', 'a'), row(4, 'auth_events', 'a')] },
      { topic: 'communication_events', partition: 0, rows: [row(2, 'communication_events', 'b')] },
    ]
    const firsts = new Map([
      ['auth_events-2', 9_007_199_254_740_993n],
      ['communication_events-0', 7n],
    ])
    expect(placed(groups, firsts)).toEqual([
      { id: '1', partition: 2, offset: 9_007_199_254_740_993n },
      { id: '4', partition: 2, offset: 9_007_199_254_740_994n },
      { id: '2', partition: 0, offset: 7n },
    ])
    expect(placed(groups, new Map([['auth_events-2', 1n]]))).toBeNull()
  })
})

describe('metadata of a batch', () => {
  const offsets = fc.bigInt({ min: 0n, max: (1n << 63n) - 1n })
  const names = fc.tuple(fc.stringMatching(/^[a-z_.-]{1,40}$/), fc.nat(999)).map(([topic, n]) => `${topic}-${n}`)

  it('is read as it was written, and fits a broker’s limit', () => {
    fc.assert(
      fc.property(offsets, fc.array(fc.tuple(names, offsets), { maxLength: 200 }), (batch, entries) => {
        const firsts = new Map(entries)
        const metadata = writeMetadata(batch, firsts)
        expect(Buffer.byteLength(metadata)).toBeLessThanOrEqual(4096)
        const read = readMetadata({ offset: batch, metadata })
        expect(read.batch).toBe(batch)
        if (read.firsts.size > 0) expect(read.firsts).toEqual(firsts)
        if (entries.length < 20) expect(read.firsts).toEqual(firsts)
      }),
    )
  })

  it.each(['', '6', '7x', '7  auth_events-0@1', '7 auth_events@1', '7 auth_events-0@x', 'seven'])(
    '%j is not that of batch 7',
    (metadata) => expect(() => readMetadata({ offset: 7n, metadata })).toThrow(RangeError),
  )
})
