/**
 * Requests whose bytes are ours. Records travel as they stand in the log, without an object for each; and some versions are
 * newer than the library's. Every parser reads its answer to the last byte: a header or a version that was taken wrongly
 * shifts the fields, and would else be believed.
 */

import type { API } from '@platformatic/kafka'
import { Writer, createAPI } from '@platformatic/kafka'
import type { Reader } from '@platformatic/kafka'
import type { AbortedTransaction, OffsetAndMetadata } from '../port.ts'
import { byTopic } from './by-topic.ts'

/** Each with its `partition` apart; grouped by topic on the wire. */
interface PartitionBytes {
  readonly topic: string
  readonly partition: number
  readonly batch: Buffer
}

export interface ProducedAnswer {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
  readonly baseOffset: bigint
  readonly message: string | null
}

type ProduceArguments = [transactionalId: string | null, timeoutMs: number, batches: readonly PartitionBytes[]]

/** Acknowledged by all replicas that are in sync. */
const ACKS_ALL = -1

/** Versions 11 and 12 differ in what the broker does, not in their bytes. */
export const produceApi = (version: 11 | 12): API<ProduceArguments, readonly ProducedAnswer[]> =>
  createAPI(
    0,
    version,
    (...[transactionalId, timeoutMs, batches]: ProduceArguments) =>
      Writer.create()
        .appendString(transactionalId)
        .appendInt16(ACKS_ALL)
        .appendInt32(timeoutMs)
        .appendArray(byTopic(batches), (w, [topic, parts]) =>
          w
            .appendString(topic)
            .appendArray(parts, (each, { partition, batch }) => each.appendInt32(partition).appendBytes(batch)),
        )
        .appendTaggedFields(),
    whole((reader) => {
      const answers: ProducedAnswer[] = []
      reader.readArray((r) => {
        const topic = r.readString()
        r.readArray((each) => {
          const partition = each.readInt32()
          const errorCode = each.readInt16()
          const baseOffset = each.readInt64()
          each.readInt64() // log append time
          each.readInt64() // log start
          each.readArray((record) => [record.readInt32(), record.readNullableString()])
          answers.push({ topic, partition, errorCode, baseOffset, message: each.readNullableString() })
        })
      })
      reader.readInt32() // throttle time
      return answers
    }),
  )

export interface FetchTopic {
  readonly topicId: string
  readonly partitions: readonly { readonly partition: number; readonly offset: bigint; readonly maxBytes: number }[]
}

export interface FetchAnswer {
  readonly errorCode: number
  readonly partitions: readonly FetchedBytes[]
}

export interface FetchedBytes {
  readonly topicId: string
  readonly partition: number
  readonly errorCode: number
  readonly highWatermark: bigint
  readonly lastStableOffset: bigint
  readonly logStartOffset: bigint
  readonly aborted: readonly AbortedTransaction[]
  readonly records: Buffer | null
}

type FetchArguments = [maxWaitMs: number, maxBytes: number, committed: boolean, topics: readonly FetchTopic[]]

const NO_EPOCH = -1

/** Version 17, without a fetch session. */
export const fetchApi: API<FetchArguments, FetchAnswer> = createAPI(
  1,
  17,
  (...[maxWaitMs, maxBytes, committed, topics]: FetchArguments) =>
    Writer.create()
      .appendInt32(maxWaitMs)
      .appendInt32(1)
      .appendInt32(maxBytes)
      .appendInt8(committed ? 1 : 0)
      .appendInt32(0)
      .appendInt32(NO_EPOCH)
      .appendArray([...topics], (w, { topicId, partitions }) =>
        w
          .appendUUID(topicId)
          .appendArray([...partitions], (each, { partition, offset, maxBytes: bound }) =>
            each
              .appendInt32(partition)
              .appendInt32(NO_EPOCH)
              .appendInt64(offset)
              .appendInt32(NO_EPOCH)
              .appendInt64(-1n)
              .appendInt32(bound),
          ),
      )
      .appendArray([], () => undefined)
      .appendString('')
      .appendTaggedFields(),
  whole((reader) => {
    reader.readInt32() // throttle time
    const errorCode = reader.readInt16()
    reader.readInt32() // session
    const partitions: FetchedBytes[] = []
    reader.readArray((r) => {
      const topicId = r.readUUID()
      r.readArray((each) => void partitions.push(fetchedBytes(topicId, each)))
    })
    return { errorCode, partitions }
  }),
)

function fetchedBytes(topicId: string, r: Reader): FetchedBytes {
  const partition = r.readInt32()
  const errorCode = r.readInt16()
  const highWatermark = r.readInt64()
  const lastStableOffset = r.readInt64()
  const logStartOffset = r.readInt64()
  const aborted = r.readNullableArray((each) => ({ producerId: each.readInt64(), firstOffset: each.readInt64() })) ?? []
  r.readInt32() // preferred replica
  const records = r.readNullableBytes()
  return { topicId, partition, errorCode, highWatermark, lastStableOffset, logStartOffset, aborted, records }
}

interface TxnOffsets {
  readonly transactionalId: string
  readonly groupId: string
  readonly producerId: bigint
  readonly epoch: number
  readonly generationId: number
  readonly memberId: string
  readonly instanceId: string | null
  readonly offsets: readonly OffsetAndMetadata[]
}

export interface CommittedAnswer {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
}

/** Version 5 adds the group to the transaction; 4 is for brokers that must be told before. */
export const txnOffsetCommitApi = (version: 4 | 5): API<[TxnOffsets], readonly CommittedAnswer[]> =>
  createAPI(
    28,
    version,
    (of: TxnOffsets) =>
      Writer.create()
        .appendString(of.transactionalId)
        .appendString(of.groupId)
        .appendInt64(of.producerId)
        .appendInt16(of.epoch)
        .appendInt32(of.generationId)
        .appendString(of.memberId)
        .appendString(of.instanceId)
        .appendArray(byTopic(of.offsets), (w, [topic, parts]) =>
          w
            .appendString(topic)
            .appendArray(parts, (each, { partition, offset, metadata }) =>
              each.appendInt32(partition).appendInt64(offset).appendInt32(NO_EPOCH).appendString(metadata),
            ),
        )
        .appendTaggedFields(),
    whole((reader) => {
      reader.readInt32() // throttle time
      const answers: CommittedAnswer[] = []
      reader.readArray((r) => {
        const topic = r.readString()
        r.readArray((each) => void answers.push({ topic, partition: each.readInt32(), errorCode: each.readInt16() }))
      })
      return answers
    }),
  )

type EndTxnArguments = [transactionalId: string, producerId: bigint, epoch: number, commit: boolean]

const endTxnRequest = (...[transactionalId, producerId, epoch, commit]: EndTxnArguments): Writer =>
  Writer.create()
    .appendString(transactionalId)
    .appendInt64(producerId)
    .appendInt16(epoch)
    .appendBoolean(commit)
    .appendTaggedFields()

/** Before KIP-890. @returns the number of an error, 0 for none */
export const endTxnV4: API<EndTxnArguments, number> = createAPI(
  26,
  4,
  endTxnRequest,
  whole((reader) => {
    reader.readInt32() // throttle time
    return reader.readInt16()
  }),
)

export interface EndTxnAnswer {
  readonly errorCode: number
  readonly producerId: bigint
  readonly epoch: number
}

/** Answers with the identity of the next transaction. */
export const endTxnV5: API<EndTxnArguments, EndTxnAnswer> = createAPI(
  26,
  5,
  endTxnRequest,
  whole((reader) => {
    reader.readInt32() // throttle time
    return { errorCode: reader.readInt16(), producerId: reader.readInt64(), epoch: reader.readInt16() }
  }),
)

/** The last thing in every answer are its tagged fields; nothing is behind them. */
function whole<T>(parse: (reader: Reader) => T): (correlationId: number, key: number, version: number, r: Reader) => T {
  return (_correlationId, key, version, reader) => {
    const answer = parse(reader)
    reader.readTaggedFields()
    if (reader.remaining > 0)
      throw new RangeError(`answer to request ${key} version ${version}: ${reader.remaining} bytes more than it has`)
    return answer
  }
}
