/**
 * Brings a task's state to the end of its changelogs.
 *
 * S1  The target is the high watermark (read uncommitted) seen at the start; reading is read_committed, and done when
 *     the reader's position is at or past it: markers occupy offsets.
 * S2  A position outside the changelog, or of another changelog (other cluster, topic made anew), means that the store and
 *     the log do not belong together: wiped and restored.
 * S3  Nothing is processed before every store of the task is restored, and the tail that was replayed is on disk.
 * S4  A position from longer ago than compaction keeps tombstones is no base for a replay: a deletion that is not in the
 *     changelog any more would leave its row. Wiped and restored whole, unless there is no record to replay.
 */

import type { Log, TopicMetadata } from '../../connectors/kafka/index.ts'
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
  /** Wall clock in ms. */
  readonly now: () => number
}

interface Reading {
  readonly store: string
  readonly topic: string
  readonly changelog: string
  position: bigint
  /** Where reading began. */
  readonly from: bigint
  readonly target: bigint
  /** Until when all that was committed stands below `from`, or can still be read above it. */
  readonly asOf: number
  readonly keptMs: number
}

/** Kafka's default of delete.retention.ms: what a deletion is kept for after it was written, and after it was compacted. */
const tombstonesKeptMs = 24 * 60 * 60 * 1000
/** How far two looks at the wall clock may be apart without meaning anything, in ms. */
const clockSlackMs = 60_000

/** @returns how many changelog records were read. @throws EngineError TASK_CORRUPTED by S2 and S4 */
export async function restoreTask(options: RestoreOptions): Promise<number> {
  const startedAt = options.now()
  const readings = await targets(options, startedAt)
  let records = 0
  for (let open = readings.filter(isOpen); open.length > 0; open = readings.filter(isOpen))
    records += await readOnce(options, open, readings)
  for (const reading of readings) {
    checkReplay(reading, options.now())
    options.state.belongsTo(reading.store, { changelog: reading.changelog, asOf: startedAt })
  }
  options.state.restored(new Map(readings.map((reading) => [reading.store, reading.position])))
  return records
}

const isOpen = (reading: Reading): boolean => reading.position < reading.target

async function targets(options: RestoreOptions, startedAt: number): Promise<Reading[]> {
  const { log, application, partition, part, state } = options
  const stores = part.stores.filter((store) => store.logged).map((store) => store.name)
  const partitions = stores.map((store) => ({ topic: changelogTopic(application, store), partition }))
  const [earliest, latest, metadata] = await Promise.all([
    log.listOffsets(partitions, 'earliest'),
    log.listOffsets(partitions, 'latest'),
    log.metadata(partitions.map(({ topic }) => topic)),
  ])
  const positions = state.positions()
  return stores.map((store, index) => {
    const topic = changelogTopic(application, store)
    const found = metadata.find(({ name }) => name === topic)
    const changelog = `${log.clusterId}/${found?.topicId ?? ''}`
    const [first, target] = [earliest[index] ?? 0n, latest[index] ?? 0n]
    const known = positions.get(store) ?? null
    const position = known ?? first
    if (position > target || position < first)
      throw corrupted(
        `store "${store}" stands at changelog offset ${position}, but ${topic}-${partition} holds ${first} to ${target}`,
      )
    const origin = state.origin(store)
    if (known !== null && origin?.changelog !== changelog)
      throw corrupted(
        `store "${store}" was made from changelog ${origin?.changelog ?? 'unknown'}, ${topic} is ${changelog}`,
      )
    // Read from the start, a row comes before its tombstone is cleaned away: as of now.
    const asOf = known === null ? startedAt : (origin?.asOf ?? 0)
    const reading = {
      store,
      topic,
      changelog,
      position,
      from: position,
      target,
      asOf,
      keptMs: keptMs(found),
    }
    checkReplay(reading, startedAt)
    state.belongsTo(store, { changelog, asOf })
    return reading
  })
}

/** S4. A transaction takes at least two offsets, so a last one alone is a marker. */
function checkReplay({ store, topic, from, target, asOf, keptMs }: Reading, now: number): void {
  if (target - from < 2n) return
  const ageMs = now - asOf
  if (ageMs >= -clockSlackMs && ageMs <= keptMs) return
  throw corrupted(
    `store "${store}" stands at offset ${from} of ${topic} as of ${ageMs} ms ago, and deletions are kept for ${keptMs} ms`,
  )
}

function keptMs(topic: TopicMetadata | undefined): number {
  const policy = topic?.config['cleanup.policy']
  if (policy !== undefined && !policy.includes('compact')) return Infinity
  return Number(topic?.config['delete.retention.ms'] ?? tombstonesKeptMs)
}

const corrupted = (message: string): EngineError => new EngineError('TASK_CORRUPTED', message, 'restore')

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
