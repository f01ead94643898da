/** Reading one's own write: what is asked of the log meanwhile stays bounded, however many wait. */

import { describe, expect, test } from 'vitest'
import type { OutboxRelay } from '../../api/index.ts'
import type { Log } from '../../connectors/kafka/index.ts'
import { visibility } from '../../deploy/visibility.ts'
import { services } from '../../processors/index.ts'
import { projections } from '../../sinks/index.ts'
import type { SinkRunner } from '../../sinks/index.ts'
import type { Clock } from '../../topology/index.ts'

/** Time that stands until all have asked, then jumps to the next who waits. */
function world(committedAt: (nowMs: number) => bigint | null) {
  let now = 0
  let asked = 0
  const due: { at: number; call: () => void }[] = []
  const clock: Clock = {
    now: () => now,
    after: (delayMs, call) => {
      due.push({ at: now + delayMs, call })
      return () => undefined
    },
  }
  const log = {
    committedOffsets: async () => {
      asked += 1
      const offset = committedAt(now)
      return [offset === null ? null : { offset }]
    },
    metadata: async () => [{ name: 'review_events', partitions: 1 }],
    listOffsets: async () => [0n],
  } as unknown as Log
  const sinks = { waitFor: async () => true } as unknown as SinkRunner
  const seen = visibility({ log, sinks, relay: {} as OutboxRelay, projections, services: services(), clock })
  const run = async <T>(work: Promise<T>): Promise<T> => {
    let over = false
    void work.finally(() => (over = true)).catch(() => undefined)
    while (!over) {
      await new Promise((resolve) => setImmediate(resolve))
      const next = due.sort((a, b) => a.at - b.at).shift()
      if (next === undefined) continue
      now = Math.max(now, next.at)
      next.call()
      while (due[0]?.at === now) due.shift()!.call()
    }
    return work
  }
  return { seen, run, asked: () => asked, now: () => now }
}

const wait = (seen: ReturnType<typeof visibility>, offset: number) =>
  seen(`review_events-0@${offset}`, 'review-queue', 2_000)

describe('a position', () => {
  test('shows once the application that decides about it has passed it', async () => {
    const { seen, run, now } = world((nowMs) => (nowMs < 100 ? 5n : 8n))
    expect(await run(wait(seen, 7))).toBe(true)
    expect(now()).toBeGreaterThanOrEqual(100)
    expect(now()).toBeLessThan(200)
  })

  test('that never comes is asked for a few dozen times, and no more often by a hundred who wait for it', async () => {
    const one = world(() => null)
    expect(await one.run(wait(one.seen, 7))).toBe(false)
    expect(one.now()).toBeGreaterThanOrEqual(2_000)
    expect(one.now()).toBeLessThan(2_100)
    expect(one.asked()).toBeLessThan(60)
    const many = world(() => null)
    const all = Promise.all(Array.from({ length: 100 }, (_, n) => wait(many.seen, 7 + n)))
    expect(await many.run(all)).toEqual(Array.from({ length: 100 }, () => false))
    expect(many.asked()).toBeLessThan(2 * one.asked())
  })
})
