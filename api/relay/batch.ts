/** One batch of the outbox as the log takes it, and as the committed metadata remembers it. */

import type { OffsetAndMetadata, PartitionAppended } from '../../connectors/kafka/index.ts'
import { partitionFor, RecordBatchBuilder } from '../../connectors/kafka/index.ts'
import type { OutboxRow, Sent } from './outbox-rows.ts'

export interface EncodedRow extends OutboxRow {
  readonly value: Buffer
}

export interface PartitionedRows {
  readonly topic: string
  readonly partition: number
  readonly rows: readonly OutboxRow[]
}

/** Rows by partition, in the order they stand; every replay of a batch places them alike. */
export function byPartition<R extends OutboxRow>(
  rows: readonly R[],
  partitionsOf: (topic: string) => number,
): readonly (PartitionedRows & { readonly rows: readonly R[] })[] {
  const groups = new Map<string, { topic: string; partition: number; rows: R[] }>()
  for (const row of rows) {
    const partition = partitionFor(Buffer.from(row.key), partitionsOf(row.topic))
    const name = `${row.topic}-${partition}`
    const group = groups.get(name)
    if (group === undefined) groups.set(name, { topic: row.topic, partition, rows: [row] })
    else group.rows.push(row)
  }
  return [...groups.values()]
}

export function records(rows: readonly EncodedRow[]): RecordBatchBuilder {
  const builder = new RecordBatchBuilder()
  for (const { event, key, value } of rows) builder.append(event.timestamp, Buffer.from(key), value)
  return builder
}

/** Offsets of the rows, from the first offset that each partition was given. */
export function placed(
  groups: readonly PartitionedRows[],
  firsts: ReadonlyMap<string, bigint>,
): readonly Sent[] | null {
  const sent: Sent[] = []
  for (const { topic, partition, rows } of groups) {
    const first = firsts.get(`${topic}-${partition}`)
    if (first === undefined) return null
    rows.forEach(({ id }, n) => sent.push({ id, partition, offset: first + BigInt(n) }))
  }
  return sent
}

export const firstOffsets = (appended: readonly PartitionAppended[]): ReadonlyMap<string, bigint> =>
  new Map(appended.map(({ topic, partition, baseOffset }) => [`${topic}-${partition}`, baseOffset]))

/** Brokers refuse metadata above 4,096 bytes (`offset.metadata.max.bytes`). */
const maxMetadataBytes = 4000

/**
 * What is committed with batch n: `n`, then the first offset in each partition, as `7 auth_events-0@12 …`. The offsets are
 * left out where they do not fit; the number alone decides what was sent.
 */
export function writeMetadata(batch: bigint, firsts: ReadonlyMap<string, bigint>): string {
  const full = [batch, ...[...firsts].map(([name, offset]) => `${name}@${offset}`)].join(' ')
  return Buffer.byteLength(full) <= maxMetadataBytes ? full : String(batch)
}

/** @throws RangeError when it is not what writeMetadata wrote: then someone else moved the group's offset */
export function readMetadata({ offset, metadata }: Pick<OffsetAndMetadata, 'offset' | 'metadata'>): {
  readonly batch: bigint
  readonly firsts: ReadonlyMap<string, bigint>
} {
  const [number, ...places] = metadata.split(' ')
  if (number !== String(offset)) {
    throw new RangeError(
      `the committed offset ${offset} is not the relay's (its metadata is "${metadata.slice(0, 80)}")`,
    )
  }
  const firsts = new Map<string, bigint>()
  for (const place of places) {
    const match = /^(.+-\d+)@(\d{1,19})$/.exec(place)
    if (match === null) throw new RangeError(`not a position: ${place.slice(0, 80)}`)
    firsts.set(match[1]!, BigInt(match[2]!))
  }
  return { batch: offset, firsts }
}
