/** Reading changelogs into a task's state: what restoring and standing by have in common. */

import type { CrashPoint, FetchedPartition, Log } from '../../connectors/kafka/index.ts'
import { LogError, RecordCursor, endOffset, noCrash } from '../../connectors/kafka/index.ts'
import type { TaskState } from '../../state-stores/index.ts'
import { EngineError } from '../errors.ts'
import type { SubTopology } from '../graph/topology.ts'
import { changelogTopic } from '../graph/topology.ts'

/** How far one store's changelog was read. */
export interface Reading {
  readonly store: string
  readonly topic: string
  readonly partition: number
  position: bigint
  /** The high watermark when it was last asked for or fetched. */
  target: bigint
}

export interface ChangelogOptions {
  readonly log: Log
  readonly application: string
  readonly part: SubTopology
  readonly partition: number
  readonly state: TaskState
}

/** Rows put into the state at one go; then the event loop gets its turn. */
const rowsPerSlice = 2000

/** Where each changelog of a task stands and ends. @throws EngineError TASK_CORRUPTED by restore S2 */
export async function readingsOf(options: ChangelogOptions): Promise<Reading[]> {
  const { log, application, part, partition } = options
  const stores = part.stores.filter((store) => store.logged).map((store) => store.name)
  const partitions = stores.map((store) => ({ topic: changelogTopic(application, store), partition }))
  const [earliest, latest] = await Promise.all([
    log.listOffsets(partitions, 'earliest'),
    log.listOffsets(partitions, 'latest'),
  ])
  const positions = options.state.positions()
  return stores.map((store, index) => {
    const topic = changelogTopic(application, store)
    const first = earliest[index] ?? 0n
    const target = latest[index] ?? 0n
    const position = positions.get(store) ?? first
    if (position > target || position < first)
      throw new EngineError(
        'TASK_CORRUPTED',
        `store "${store}" stands at changelog offset ${position}, but ${topic}-${partition} holds ${first} to ${target}`,
        'restore',
      )
    return { store, topic, partition, position, target }
  })
}

export interface ReplayOptions {
  readonly state: TaskState
  readonly crash?: CrashPoint
  /** Lets others have their turn. */
  readonly pause?: () => Promise<void>
  /** Stops in between; what was put into the state counts only after `restored`. */
  readonly signal?: AbortSignal | undefined
}

/** Puts fetched rows into the state and moves the reading past them. @returns how many. @throws EngineError, LogError */
export async function replay(options: ReplayOptions, fetched: FetchedPartition, reading: Reading): Promise<number> {
  const { state, crash = noCrash, pause, signal } = options
  const { topic, partition } = reading
  if (fetched.error === 'OFFSET_OUT_OF_RANGE')
    throw new EngineError('TASK_CORRUPTED', `changelog ${topic}-${partition}: ${fetched.error}`, 'restore')
  if (fetched.error !== null)
    throw new LogError(fetched.error, `changelog ${topic}-${partition} cannot be read`, 'retry')
  const cursor = new RecordCursor(fetched, reading.position, 'read_committed')
  let records = 0
  while (cursor.next()) {
    const key = cursor.key()
    if (key !== null) state.restore(reading.store, key, cursor.value())
    if (++records % rowsPerSlice !== 0) continue
    crash('C14')
    await pause?.()
    signal?.throwIfAborted()
  }
  if (records > 0) crash('C14')
  reading.position = endOffset(fetched.batches) ?? reading.position
  return records
}

export const positionsOf = (readings: readonly Reading[]): ReadonlyMap<string, bigint> =>
  new Map(readings.map(({ store, position }) => [store, position]))

/** Offsets that are still to be read. */
export function remaining(readings: readonly Reading[]): bigint {
  return readings.reduce((sum, { position, target }) => sum + (target > position ? target - position : 0n), 0n)
}
