/**
 * Keeps an internal topic short: when it has grown, its whole state, which is held in memory, is written once more behind it and
 * what lies before is deleted. Below the last stable offset nothing is undecided, so the new state covers all of it.
 */

import { storageError } from './storage-error.ts'
import type { PartitionLog } from './partition-log.ts'
import type { RecordBatchBuilder } from '../record-batch.ts'
import { NO_PRODUCER } from './transaction-coordinator.ts'

export interface Checkpoint {
  readonly log: PartitionLog
  readonly encodeAll: () => RecordBatchBuilder | null
  /** A decision is deleted only when the markers it led to are on disk. */
  readonly syncAll: () => Promise<void>
  readonly deleteBelow: (log: PartitionLog, offset: bigint) => Promise<void>
  /** How much the topic may grow meanwhile. */
  readonly growthBytes: number
  readonly notice: (line: string) => void
}

export function checkpointWhenGrown({ log, encodeAll, syncAll, deleteBelow, growthBytes, notice }: Checkpoint): void {
  let limitBytes = growthBytes
  let running = false

  const run = async (): Promise<void> => {
    const covered = log.lastStableOffset
    const state = encodeAll()
    if (state === null) return
    await log.append(state.build(NO_PRODUCER))
    await syncAll()
    await deleteBelow(log, covered)
  }

  log.onMove(() => {
    if (running || log.sizeBytes < limitBytes) return
    running = true
    void run()
      .catch((error: unknown) =>
        notice(`${log.name} was not compacted: ${storageError(log.name, error, 'retry').message}`),
      )
      .finally(() => {
        limitBytes = log.sizeBytes + growthBytes
        running = false
      })
  })
}
