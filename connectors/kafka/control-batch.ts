/** Control batches: the COMMIT and ABORT markers that end a transaction in a partition. */

import { BATCH_HEADER_BYTES, sealBatch } from './batch-format.ts'

const RECORD_BYTES = 17
/** In the only record of a marker the key begins behind length, attributes, two deltas and the key's length. */
const KEY_AT = BATCH_HEADER_BYTES + 5
const VALUE_AT = KEY_AT + 5
const ABORT = 0
const COMMIT = 1

export function markerBatch(
  outcome: 'commit' | 'abort',
  producer: { readonly producerId: bigint; readonly epoch: number },
  timestamp: number,
): Buffer {
  const batch = Buffer.alloc(BATCH_HEADER_BYTES + RECORD_BYTES)
  // record length 16, attributes, timestamp delta, offset delta, key length 4 - each one zigzag byte
  batch.set([32, 0, 0, 0, 8], BATCH_HEADER_BYTES)
  batch.writeInt16BE(0, KEY_AT)
  batch.writeInt16BE(outcome === 'commit' ? COMMIT : ABORT, KEY_AT + 2)
  // value length 6, then version and coordinator epoch, then no headers
  batch.writeUInt8(12, VALUE_AT - 1)
  return sealBatch(batch, {
    ...producer,
    count: 1,
    baseTimestamp: timestamp,
    maxTimestamp: timestamp,
    baseSequence: -1,
    transactional: true,
    control: true,
  })
}

/** Whether a control batch of ours is an ABORT. */
export const isAbortMarker = (bytes: Buffer, at: number): boolean => bytes.readInt16BE(at + KEY_AT + 2) === ABORT
