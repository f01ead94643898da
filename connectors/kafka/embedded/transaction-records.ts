/**
 * Records of `__transaction_state`. Key: the transactional id. Value, as JSON: who may write next under the id, how the
 * transaction before ended, and for a decided commit the records it covers. The key '' holds how far producer ids are given out.
 *
 * Version 1 had no `ended` and no record of an abort, and its commit was of the identity itself; it is still read.
 */

import type { ProducerIdentity } from '../broker.ts'
import { LogError } from '../port.ts'
import type { TopicPartition } from '../port.ts'
import type { TouchedRange } from './transaction.ts'

const VERSION = 2

export type Outcome = 'commit' | 'abort'

export interface EndedTransaction extends ProducerIdentity {
  readonly outcome: Outcome
}

export interface CommittedRange extends TopicPartition, TouchedRange {}

export interface TransactionRecord extends ProducerIdentity {
  /** The last transaction, and whose it was; null when a newer producer has taken the id over since. */
  readonly ended: EndedTransaction | null
  /** What that covers, until its markers are written. */
  readonly commit: readonly CommittedRange[]
}

interface Stored {
  readonly v: number
  readonly producerId: string
  readonly epoch: number
  readonly ended?: readonly [producerId: string, epoch: number, outcome: Outcome] | null
  readonly commit: readonly (readonly [topic: string, partition: number, first: string, end: string])[]
}

export function encodeTransaction({ producerId, epoch, ended, commit }: TransactionRecord): Buffer {
  const stored: Stored = {
    v: VERSION,
    producerId: String(producerId),
    epoch,
    ended: ended === null ? null : [String(ended.producerId), ended.epoch, ended.outcome],
    commit: commit.map(({ topic, partition, first, end }) => [topic, partition, String(first), String(end)]),
  }
  return Buffer.from(JSON.stringify(stored))
}

/** @throws LogError STORAGE_ERROR when it is not a record of ours */
export function decodeTransaction(value: Buffer): TransactionRecord {
  return decode(value, (stored: Stored) => {
    if (stored.v !== 1 && stored.v !== VERSION) throw new Error(`unknown version ${stored.v}`)
    const identity = { producerId: BigInt(stored.producerId), epoch: stored.epoch }
    const commit = stored.commit.map(([topic, partition, first, end]) => ({
      topic,
      partition,
      first: BigInt(first),
      end: BigInt(end),
    }))
    if (stored.v === 1)
      return { ...identity, ended: commit.length > 0 ? { ...identity, outcome: 'commit' } : null, commit }
    const { ended } = stored
    return {
      ...identity,
      ended: ended == null ? null : { producerId: BigInt(ended[0]), epoch: ended[1], outcome: ended[2] },
      commit,
    }
  })
}

/** Of the record under ''. */
export const encodeNextProducerId = (next: bigint): Buffer =>
  Buffer.from(JSON.stringify({ v: VERSION, nextProducerId: String(next) }))

/** @throws LogError STORAGE_ERROR when it is not a record of ours */
export const decodeNextProducerId = (value: Buffer): bigint =>
  decode(value, ({ nextProducerId }: { nextProducerId: string }) => BigInt(nextProducerId))

function decode<Stored, T>(value: Buffer, read: (stored: Stored) => T): T {
  try {
    return read(JSON.parse(value.toString()) as Stored)
  } catch (error) {
    const why = `a transaction record cannot be read: ${(error as Error).message}`
    throw new LogError('STORAGE_ERROR', why, 'stop', error)
  }
}
