/**
 * Brings a task's state to the end of its changelogs.
 *
 * RS1  The target is the high watermark (read uncommitted) seen at the start; reading is read_committed, and done when
 *      the reader's position is at or past it: markers occupy offsets.
 * RS2  A position outside the changelog, or of another changelog (other cluster, topic made anew), means that the store and
 *      the log do not belong together: wiped and restored.
 * RS3  Nothing is processed before every store of the task is restored, and the tail that was replayed is on disk.
 * RS4  A position from longer ago than compaction keeps tombstones is no base for a replay: a deletion that is not in the
 *      changelog any more would leave its row. Wiped and restored whole, unless there is no record to replay.
 * RS5  Restoring runs beside the turns of the tasks that are restored, in slices; it can be stopped between two of them.
 */

import type { ChangelogOptions, Reading, ReplayOptions } from './changelog.ts'
import { atEnd, checkReplay, positionsOf, readingsOf, replay } from './changelog.ts'
import { unlessAborted } from './signal.ts'

export interface RestoreOptions extends ChangelogOptions, ReplayOptions {
  readonly fetchMaxBytes: number
  /** Restored bytes on top of which rows are flushed in between. */
  readonly flushBytes: number
  /** Told where the changelogs stand, once; they move while it goes on. */
  readonly started?: (readings: readonly Reading[]) => void
}

/** @returns how many changelog records were read. @throws EngineError TASK_CORRUPTED by RS2, and the signal's reason */
export async function restoreTask(options: RestoreOptions): Promise<number> {
  const startedAt = options.now()
  const asked = readingsOf(options)
  const readings = await (options.signal === undefined ? asked : unlessAborted(options.signal, asked))
  options.started?.(readings)
  let records = 0
  for (let open = readings.filter(isOpen); open.length > 0; open = readings.filter(isOpen)) {
    options.signal?.throwIfAborted()
    records += await readOnce(options, open, readings)
  }
  for (const reading of readings) checkReplay(reading, options.now())
  atEnd(options.state, readings, startedAt)
  options.state.restored(positionsOf(readings))
  return records
}

const isOpen = (reading: Reading): boolean => reading.position < reading.target

async function readOnce(
  options: RestoreOptions,
  open: readonly Reading[],
  readings: readonly Reading[],
): Promise<number> {
  const { log, partition, state, fetchMaxBytes, signal } = options
  const answer = await log.fetch({
    partitions: open.map(({ topic, position }) => ({ topic, partition, offset: position, maxBytes: fetchMaxBytes })),
    isolation: 'read_committed',
    maxWaitMs: 100,
    ...(signal === undefined ? {} : { signal }),
  })
  let records = 0
  for (const fetched of answer) {
    const reading = open.find(({ topic }) => topic === fetched.topic)
    if (reading !== undefined) records += await replay(options, fetched, reading)
  }
  if (state.uncommittedBytes + state.unflushedBytes > options.flushBytes) {
    state.restored(positionsOf(readings))
    await state.flush()
  }
  return records
}
