/** The record batch codec and the partitioner of kafkajs, as a second opinion on bytes. */

import { createRequire } from 'node:module'

interface DecodedRecord {
  readonly timestamp: string
  readonly offset: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, Buffer | Buffer[]>>
}

export interface DecodedBatch {
  readonly firstOffset: string
  readonly lastOffsetDelta: number
  readonly maxTimestamp: string
  readonly producerId: string
  readonly producerEpoch: number
  readonly firstSequence: number
  readonly inTransaction: boolean
  readonly isControlBatch: boolean
  readonly records: readonly DecodedRecord[]
}

const load = createRequire(import.meta.url)
const Decoder = load('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => object
const Long = load('kafkajs/src/utils/long') as { fromValue(value: string | number): object }
const encodeRecord = load('kafkajs/src/protocol/recordBatch/record/v0') as (record: object) => object
const batches = load('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch(batch: object): Promise<{ buffer: Buffer }>
}

export const decodeBatch = load('kafkajs/src/protocol/recordBatch/v0/decoder') as unknown as (
  decoder: object,
) => Promise<DecodedBatch>
export const decoderOf = (bytes: Buffer): object => new Decoder(bytes)
export const murmur2OfKafkajs = load('kafkajs/src/producer/partitioners/default/murmur2') as (key: Buffer) => number

export interface PlainRecord {
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly { readonly key: string; readonly value: Buffer }[]
}

export async function encodeBatch(
  records: readonly PlainRecord[],
  stamp: { producerId: bigint; epoch: number; baseSequence: number; transactional: boolean },
): Promise<Buffer> {
  const first = records[0]!.timestamp
  const { buffer } = await batches.RecordBatch({
    firstTimestamp: first,
    maxTimestamp: Math.max(...records.map(({ timestamp }) => timestamp)),
    lastOffsetDelta: records.length - 1,
    transactional: stamp.transactional,
    producerId: Long.fromValue(String(stamp.producerId)),
    producerEpoch: stamp.epoch,
    firstSequence: stamp.baseSequence,
    records: records.map(({ timestamp, key, value, headers }, offsetDelta) =>
      encodeRecord({ offsetDelta, timestampDelta: timestamp - first, key, value, headers: headersOf(headers) }),
    ),
  })
  return buffer
}

const headersOf = (headers: PlainRecord['headers']): Record<string, Buffer> =>
  Object.fromEntries(headers.map(({ key, value }) => [key, value]))
