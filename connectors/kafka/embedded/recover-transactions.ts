/** Brings transactions and committed offsets back after any kind of stop: finishes what was decided, aborts the rest (L6, L7). */

import { isControl, isTransactional, producerIdOf, sizeOf } from '../batch-format.ts'
import { isAbortMarker, markerBatch } from '../control-batch.ts'
import type { FetchedPartition } from '../port.ts'
import { RecordCursor } from '../record-cursor.ts'
import { replay, replayBatches } from './fetch.ts'
import type { OffsetStore } from './offset-store.ts'
import type { PartitionLog } from './partition-log.ts'
import { decodeNextProducerId, decodeTransaction } from './transaction-records.ts'
import type { CommittedRange, TransactionRecord } from './transaction-records.ts'

/** The highest that a batch can carry; a marker with it ends its producer id. */
const LAST_EPOCH = 0x7fff

export interface RecoveredTransactions {
  /** With the highest epoch that anybody used (L16). */
  readonly records: ReadonlyMap<string, TransactionRecord>
  readonly nextProducerId: bigint
}

export async function recoverTransactions(
  stateLog: PartitionLog,
  logs: readonly PartitionLog[],
  now: number,
  notice: (line: string) => void,
): Promise<RecoveredTransactions> {
  const records = new Map<string, TransactionRecord>()
  const decided = new Map<string, CommittedRange>()
  let nextProducerId = 0n
  await replay(stateLog, 'read_uncommitted', (record) => {
    const transactionalId = record.key()!.toString()
    if (transactionalId === '') {
      // The highest, not the last: the state as written anew may stand behind a block that was reserved meanwhile.
      const reserved = decodeNextProducerId(record.value()!)
      if (reserved > nextProducerId) nextProducerId = reserved
      return
    }
    const read = decodeTransaction(record.value()!)
    records.set(transactionalId, { ...read, commit: [] })
    for (const range of read.commit)
      decided.set(decisionKey((read.ended ?? read).producerId, range, range.first), range)
  })
  await finishOpen(logs, decided, now, notice)
  for (const [transactionalId, record] of records) {
    const epoch = logs.reduce((highest, log) => Math.max(highest, log.epochOf(record.producerId)), record.epoch)
    records.set(transactionalId, { ...record, epoch })
    if (record.producerId >= nextProducerId) nextProducerId = record.producerId + 1n
  }
  for (const { highestProducerId } of logs)
    if (highestProducerId >= nextProducerId) nextProducerId = highestProducerId + 1n
  return { records, nextProducerId }
}

/** In the order of the markers, which is the order in which commits counted. */
export async function recoverOffsets(offsetsLog: PartitionLog, offsets: OffsetStore): Promise<void> {
  await replayBatches(offsetsLog, 'read_uncommitted', (fetched) => {
    const { batches } = fetched
    for (let at = 0; at < batches.length; at += sizeOf(batches, at)) {
      const batch = batches.subarray(at, at + sizeOf(batches, at))
      const producerId = producerIdOf(batch, 0)
      if (isControl(batch, 0)) offsets.settle(producerId, isAbortMarker(batch, 0) ? 'abort' : 'commit')
      else restoreBatch({ ...fetched, batches: batch }, offsets, isTransactional(batch, 0) ? producerId : null)
    }
  })
}

function restoreBatch(batch: FetchedPartition, offsets: OffsetStore, producerId: bigint | null): void {
  const cursor = new RecordCursor(batch, 0n, 'read_uncommitted')
  while (cursor.next()) offsets.restore(cursor, producerId)
}

async function finishOpen(
  logs: readonly PartitionLog[],
  decided: ReadonlyMap<string, CommittedRange>,
  now: number,
  notice: (line: string) => void,
): Promise<void> {
  const markers: Promise<bigint>[] = []
  const count = { commit: 0, abort: 0 }
  for (const log of logs) {
    for (const open of log.openTransactions()) {
      const range = decided.get(decisionKey(open.producerId, log, open.firstOffset))
      const outcome = range === undefined ? 'abort' : 'commit'
      if (range !== undefined && range.end > log.highWatermark) {
        notice(
          `${log.name}: offsets ${log.highWatermark} to ${range.end - 1n} of a committed transaction were lost before they were synced`,
        )
      }
      const by = { producerId: open.producerId, epoch: Math.min(open.epoch + 1, LAST_EPOCH) }
      markers.push(log.append(markerBatch(outcome, by, now)))
      count[outcome]++
    }
  }
  await Promise.all(markers)
  if (markers.length > 0)
    notice(`open transactions found in partitions: ${count.commit} committed, ${count.abort} aborted`)
}

const decisionKey = (
  producerId: bigint,
  { topic, partition }: { topic: string; partition: number },
  first: bigint,
): string => `${producerId}/${topic}-${partition}@${first}`
