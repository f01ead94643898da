/**
 * Records of `__transaction_state`. Key: the transactional id. Value, as JSON: who holds the id, and for a decided commit the
 * records it covers. There is no record of an abort: what is not decided is aborted.
 */

import { LogError } from '../port.ts'
import type { TopicPartition } from '../port.ts'
import type { TouchedRange } from './transaction.ts'

const VERSION = 1

export interface ProducerIdentity {
  readonly producerId: bigint
  readonly epoch: number
}

export interface CommittedRange extends TopicPartition, TouchedRange {}

export interface TransactionRecord extends ProducerIdentity {
  readonly commit: readonly CommittedRange[]
}

export function encodeTransaction({ producerId, epoch, commit }: TransactionRecord): Buffer {
  const ranges = commit.map(({ topic, partition, first, end }) => [topic, partition, String(first), String(end)])
  return Buffer.from(JSON.stringify({ v: VERSION, producerId: String(producerId), epoch, commit: ranges }))
}

/** @throws LogError STORAGE_ERROR when it is not a record of ours */
export function decodeTransaction(value: Buffer): TransactionRecord {
  try {
    const record = JSON.parse(value.toString()) as {
      readonly v: number
      readonly producerId: string
      readonly epoch: number
      readonly commit: readonly (readonly [topic: string, partition: number, first: string, end: string])[]
    }
    if (record.v !== VERSION) throw new Error(`unknown version ${record.v}`)
    return {
      producerId: BigInt(record.producerId),
      epoch: record.epoch,
      commit: record.commit.map(([topic, partition, first, end]) => ({
        topic,
        partition,
        first: BigInt(first),
        end: BigInt(end),
      })),
    }
  } catch (error) {
    throw new LogError(
      'STORAGE_ERROR',
      `a transaction record cannot be read: ${(error as Error).message}`,
      'stop',
      error,
    )
  }
}
