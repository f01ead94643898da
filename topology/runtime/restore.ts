/**
 * Brings a task's state to the end of its changelogs.
 *
 * S1  The target is the high watermark (read uncommitted) seen at the start; reading is read_committed, and done when
 *     the reader's position is at or past it: markers occupy offsets.
 * S2  A position outside the changelog means that the store and the log do not belong together: wiped and restored.
 * S3  Nothing is processed before every store of the task is restored, and the tail that was replayed is on disk.
 */

import type { Log } from '../../connectors/kafka/index.ts'
import { LogError, RecordCursor, endOffset } from '../../connectors/kafka/index.ts'
import type { TaskState } from '../../state-stores/index.ts'
import { EngineError } from '../errors.ts'
import type { SubTopology } from '../graph/topology.ts'
import { changelogTopic } from '../graph/topology.ts'

export interface RestoreOptions {
  readonly log: Log
  readonly application: string
  readonly part: SubTopology
  readonly partition: number
  readonly state: TaskState
  readonly fetchMaxBytes: number
  /** Restored bytes on top of which rows are flushed in between. */
  readonly flushBytes: number
}

interface Reading {
  readonly store: string
  readonly topic: string
  position: bigint
  readonly target: bigint
}

/** @returns how many changelog records were read. @throws EngineError TASK_CORRUPTED by S2 */
export async function restoreTask(options: RestoreOptions): Promise<number> {
  const readings = await targets(options)
  let records = 0
  for (let open = readings.filter(isOpen); open.length > 0; open = readings.filter(isOpen))
    records += await readOnce(options, open, readings)
  options.state.restored(new Map(readings.map((reading) => [reading.store, reading.position])))
  return records
}

const isOpen = (reading: Reading): boolean => reading.position < reading.target

async function targets(options: RestoreOptions): Promise<Reading[]> {
  const stores = options.part.stores.filter((store) => store.logged).map((store) => store.name)
  const partitions = stores.map((store) => ({
    topic: changelogTopic(options.application, store),
    partition: options.partition,
  }))
  const [earliest, latest] = await Promise.all([
    options.log.listOffsets(partitions, 'earliest'),
    options.log.listOffsets(partitions, 'latest'),
  ])
  const positions = options.state.positions()
  return stores.map((store, index) => {
    const topic = changelogTopic(options.application, store)
    const first = earliest[index] ?? 0n
    const target = latest[index] ?? 0n
    const position = positions.get(store) ?? first
    if (position > target || position < first)
      throw new EngineError(
        'TASK_CORRUPTED',
        `store "${store}" stands at changelog offset ${position}, but ${topic}-${options.partition} holds ${first} to ${target}`,
        'restore',
      )
    return { store, topic, position, target }
  })
}

async function readOnce(
  options: RestoreOptions,
  open: readonly Reading[],
  readings: readonly Reading[],
): Promise<number> {
  const { log, partition, state, fetchMaxBytes } = options
  const answer = await log.fetch({
    partitions: open.map(({ topic, position }) => ({ topic, partition, offset: position, maxBytes: fetchMaxBytes })),
    isolation: 'read_committed',
    maxWaitMs: 100,
  })
  let records = 0
  for (const fetched of answer) {
    const reading = open.find(({ topic }) => topic === fetched.topic)
    if (reading === undefined) continue
    if (fetched.error === 'OFFSET_OUT_OF_RANGE')
      throw new EngineError('TASK_CORRUPTED', `changelog ${fetched.topic}-${partition}: ${fetched.error}`, 'restore')
    if (fetched.error !== null)
      throw new LogError(fetched.error, `changelog ${fetched.topic}-${partition} cannot be read`, 'retry')
    const cursor = new RecordCursor(fetched, reading.position, 'read_committed')
    for (; cursor.next(); records++) {
      const key = cursor.key()
      if (key !== null) state.restore(reading.store, key, cursor.value())
    }
    reading.position = endOffset(fetched.batches) ?? reading.position
  }
  if (state.uncommittedBytes + state.unflushedBytes > options.flushBytes) {
    state.restored(new Map(readings.map((reading) => [reading.store, reading.position])))
    await state.flush()
  }
  return records
}
