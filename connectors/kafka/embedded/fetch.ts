/** Reads for clients: one partition at once, or several with a wait for the first byte. */

import { lastOffsetOf, sizeOf } from '../batch-format.ts'
import { LogError } from '../port.ts'
import type { FetchPartition, FetchRequest, FetchedPartition, Isolation, LogErrorCode } from '../port.ts'
import { RecordCursor } from '../record-cursor.ts'
import type { Clock } from '../clock.ts'
import type { PartitionLog } from './partition-log.ts'

const REPLAY_BYTES = 1024 * 1024
const NOTHING = Buffer.alloc(0)

export async function fetchFrom(
  log: PartitionLog,
  offset: bigint,
  maxBytes: number,
  isolation: Isolation,
): Promise<FetchedPartition> {
  if (offset < log.logStart || offset > log.highWatermark) return answer(log, NOTHING, 'OFFSET_OUT_OF_RANGE')
  try {
    const read = await log.read(offset, maxBytes, isolation)
    return { ...answer(log, NOTHING, null), ...read }
  } catch (error) {
    if (error instanceof LogError) return answer(log, NOTHING, error.code)
    throw error
  }
}

/**
 * Answers at once when a partition has data or an error, else when one gets it, the time is up or the signal ends the wait.
 * @param find null for an unknown partition
 */
export async function longPoll(
  { partitions, isolation, maxWaitMs, signal }: FetchRequest,
  find: (partition: FetchPartition) => PartitionLog | null,
  clock: Clock,
  closing: AbortSignal,
): Promise<readonly FetchedPartition[]> {
  const asked = partitions.map((partition) => ({ ...partition, log: find(partition) }))
  const ready = (): boolean => asked.some(({ log, offset }) => log === null || hasAnswer(log, offset, isolation))
  if (maxWaitMs > 0 && !ready()) {
    const logs = asked.flatMap(({ log }) => log ?? [])
    await untilReady(logs, ready, maxWaitMs, clock, signal === undefined ? [closing] : [closing, signal])
    if (closing.aborted) throw new LogError('CLOSED', 'the log is closed', 'stop')
  }
  return Promise.all(
    asked.map(async ({ log, topic, partition, offset, maxBytes }) =>
      log === null ? unknown(topic, partition) : fetchFrom(log, offset, maxBytes, isolation),
    ),
  )
}

/** Calls `onBatches` for all batches of a log below the isolation's limit, in order. */
export async function replayBatches(
  log: PartitionLog,
  isolation: Isolation,
  onBatches: (fetched: FetchedPartition, from: bigint) => void,
): Promise<void> {
  let offset = log.logStart
  for (;;) {
    const fetched = await fetchFrom(log, offset, REPLAY_BYTES, isolation)
    if (fetched.error !== null)
      throw new LogError(fetched.error, `${log.name} cannot be read at offset ${offset}`, 'stop')
    if (fetched.batches.length === 0) return
    onBatches(fetched, offset)
    offset = endOf(fetched.batches)
  }
}

/** Calls `onRecord` for every record of a log, in order. */
export const replay = (
  log: PartitionLog,
  isolation: Isolation,
  onRecord: (record: RecordCursor) => void,
): Promise<void> =>
  replayBatches(log, isolation, (fetched, from) => {
    const cursor = new RecordCursor(fetched, from, isolation)
    while (cursor.next()) onRecord(cursor)
  })

const hasAnswer = (log: PartitionLog, offset: bigint, isolation: Isolation): boolean =>
  offset < log.limit(isolation) || offset < log.logStart || offset > log.highWatermark

function untilReady(
  logs: readonly PartitionLog[],
  ready: () => boolean,
  maxWaitMs: number,
  clock: Clock,
  signals: readonly AbortSignal[],
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const end = (): void => resolve()
  const check = (): void => {
    if (ready()) resolve()
  }
  const ends = [clock.after(maxWaitMs, end), ...logs.map((log) => log.onMove(check))]
  for (const signal of signals) {
    if (signal.aborted) end()
    signal.addEventListener('abort', end)
    ends.push(() => signal.removeEventListener('abort', end))
  }
  return promise.finally(() => {
    for (const stop of ends) stop()
  })
}

function endOf(batches: Buffer): bigint {
  let last = 0
  for (let at = 0; at < batches.length; at += sizeOf(batches, at)) last = at
  return lastOffsetOf(batches, last) + 1n
}

const answer = (log: PartitionLog, batches: Buffer, error: LogErrorCode | null): FetchedPartition => ({
  topic: log.topic,
  partition: log.partition,
  batches,
  aborted: [],
  highWatermark: log.highWatermark,
  lastStableOffset: log.lastStableOffset,
  logStartOffset: log.logStart,
  error,
})

const unknown = (topic: string, partition: number): FetchedPartition => ({
  topic,
  partition,
  batches: NOTHING,
  aborted: [],
  highWatermark: -1n,
  lastStableOffset: -1n,
  logStartOffset: -1n,
  error: 'UNKNOWN_TOPIC_OR_PARTITION',
})
