/** Reading changelogs into a task's state: what restoring and standing by have in common. */

import type { CrashPoint, FetchedPartition, Log, TopicMetadata } from '../../connectors/kafka/index.ts'
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
  /** Identity of cluster and topic. */
  readonly changelog: string
  position: bigint
  /** Where reading began. */
  readonly from: bigint
  /** The high watermark when it was last asked for or fetched. */
  target: bigint
  /** Until when all that was committed stands below `from`, or can still be read above it. */
  readonly asOf: number
  readonly keptMs: number
}

export interface ChangelogOptions {
  readonly log: Log
  readonly application: string
  readonly part: SubTopology
  readonly partition: number
  readonly state: TaskState
  /** Wall clock in ms. */
  readonly now: () => number
}

/** Rows put into the state at one go; then the event loop gets its turn. */
const rowsPerSlice = 2000
/** Kafka's default of delete.retention.ms: what a deletion is kept for after it was written, and after it was compacted. */
const tombstonesKeptMs = 24 * 60 * 60 * 1000
/** How far two looks at the wall clock may be apart without meaning anything, in ms. */
const clockSlackMs = 60_000

/** Where each changelog of a task stands and ends. @throws EngineError TASK_CORRUPTED by RS2 and RS4 */
export async function readingsOf({
  log,
  application,
  part,
  partition,
  state,
  now,
}: ChangelogOptions): Promise<Reading[]> {
  const startedAt = now()
  const stores = part.stores.filter((store) => store.logged).map((store) => store.name)
  const partitions = stores.map((store) => ({ topic: changelogTopic(application, store), partition }))
  const [earliest, latest, metadata] = await Promise.all([
    log.listOffsets(partitions, 'earliest'),
    log.listOffsets(partitions, 'latest'),
    log.metadata(partitions.map(({ topic }) => topic)),
  ])
  return stores.map((store, index) => {
    const topic = changelogTopic(application, store)
    const found = metadata.find(({ name }) => name === topic)
    const changelog = `${log.clusterId}/${found?.topicId ?? ''}`
    const [first, target] = [earliest[index] ?? 0n, latest[index] ?? 0n]
    const position = checkedPosition(state, store, { changelog, name: `${topic}-${partition}`, first, target })
    // Read from the start, a row comes before its tombstone is cleaned away: as of now.
    const asOf = position === null ? startedAt : (state.origin(store)?.asOf ?? 0)
    const from = position ?? first
    const reading = { store, topic, partition, changelog, position: from, from, target, asOf, keptMs: keptMs(found) }
    checkReplay(reading, startedAt)
    state.belongsTo(store, { changelog, asOf })
    return reading
  })
}

/** Null when the store has none. @throws EngineError TASK_CORRUPTED by RS2 */
function checkedPosition(
  state: TaskState,
  store: string,
  of: { readonly changelog: string; readonly name: string; readonly first: bigint; readonly target: bigint },
): bigint | null {
  const known = state.positions().get(store) ?? null
  const position = known ?? of.first
  if (position > of.target || position < of.first)
    throw corrupted(
      `store "${store}" stands at changelog offset ${position}, but ${of.name} holds ${of.first} to ${of.target}`,
    )
  const origin = state.origin(store)
  if (known !== null && origin?.changelog !== of.changelog)
    throw corrupted(
      `store "${store}" was made from changelog ${origin?.changelog ?? 'unknown'}, ${of.name} is ${of.changelog}`,
    )
  return known
}

/**
 * RS4. A transaction takes at least two offsets, so a last one alone is a marker.
 * @throws EngineError TASK_CORRUPTED
 */
export function checkReplay({ store, topic, from, target, asOf, keptMs }: Reading, now: number): void {
  if (target - from < 2n) return
  const ageMs = now - asOf
  if (ageMs >= -clockSlackMs && ageMs <= keptMs) return
  throw corrupted(
    `store "${store}" stands at offset ${from} of ${topic} as of ${ageMs} ms ago, and deletions are kept for ${keptMs} ms`,
  )
}

/** The state was read to the end that its changelogs had at this time. */
export function atEnd(state: TaskState, readings: readonly Reading[], at: number): void {
  for (const { store, changelog } of readings) state.belongsTo(store, { changelog, asOf: at })
}

function keptMs(topic: TopicMetadata | undefined): number {
  const policy = topic?.config['cleanup.policy']
  if (policy !== undefined && !policy.includes('compact')) return Infinity
  return Number(topic?.config['delete.retention.ms'] ?? tombstonesKeptMs)
}

const corrupted = (message: string): EngineError => new EngineError('TASK_CORRUPTED', message, 'restore')

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
  if (fetched.error === 'OFFSET_OUT_OF_RANGE') throw corrupted(`changelog ${topic}-${partition}: ${fetched.error}`)
  if (fetched.error !== null) {
    const then = fetched.error === 'TOPIC_AUTHORIZATION_FAILED' ? 'stop' : 'retry'
    throw new LogError(fetched.error, `changelog ${topic}-${partition} cannot be read`, then)
  }
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
