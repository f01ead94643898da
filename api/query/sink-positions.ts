/**
 * How far the timeline's rows are, looked up for all streams of the process at once: one small statement at an interval, and
 * none while nobody listens. It works whichever process runs the sinks.
 */

import type { Pool } from '../../connectors/postgres/index.ts'
import { timelines } from '../../sinks/index.ts'
import type { Clock } from '../../topology/clock.ts'
import type { StreamCursor } from './stream-cursor.ts'

export interface SinkPositions {
  /** As of now. @throws the database's error */
  now(): Promise<StreamCursor>
  /** Calls at every look until the returned function is called; a look that fails is left out. */
  watch(told: (positions: StreamCursor) => void): () => void
}

const sinks = timelines.map(({ name }) => name)
const topicOf = new Map(timelines.map(({ name, reads }) => [name, reads.name]))

/** @param everyMs between two looks */
export function sinkPositions(pool: Pool, clock: Clock, everyMs: number): SinkPositions {
  const watchers = new Set<(positions: StreamCursor) => void>()
  let isLooking = false

  /** Holds nothing of a tenant, so nobody in particular asks. */
  async function now(): Promise<StreamCursor> {
    const { rows } = await pool.query<{ sink: string; part: number; next_offset: string }>(
      'select sink, part, next_offset from lifecycle.sink_offsets where sink = any ($1) order by sink, part',
      [sinks],
    )
    const found = new Map<string, bigint[]>([...topicOf.values()].map((topic) => [topic, []]))
    for (const { sink, part, next_offset } of rows) found.get(topicOf.get(sink)!)![part] = BigInt(next_offset)
    return new Map([...found].map(([topic, offsets]) => [topic, Array.from(offsets, (offset) => offset ?? 0n)]))
  }

  async function look(): Promise<void> {
    isLooking = true
    while (watchers.size > 0) {
      await new Promise<void>((resolve) => void clock.after(everyMs, resolve))
      const positions = watchers.size === 0 ? null : await now().catch(() => null)
      if (positions !== null) watchers.forEach((told) => told(positions))
    }
    isLooking = false
  }

  return {
    now,
    watch(told) {
      watchers.add(told)
      if (!isLooking) void look()
      return () => void watchers.delete(told)
    },
  }
}
