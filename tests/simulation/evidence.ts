/** The observer's knowledge, as programs and checkers ask for it. */

import type { CommittedOffsets } from './invariants/committed-offsets.ts'
import type { Observer } from './observer.ts'
import type { Evidence, SeenRecord } from './program.ts'

export interface WallClocks {
  /** The furthest any wall clock was ever ahead of the true time, in ms. */
  readonly furthestAheadMs: () => number
  readonly epochMs: number
}

export class LogEvidence implements Evidence {
  readonly #observer: Observer
  readonly #offsets: CommittedOffsets
  readonly #nowMs: () => number
  readonly #clocks: WallClocks

  constructor(observer: Observer, offsets: CommittedOffsets, nowMs: () => number, clocks: WallClocks) {
    this.#observer = observer
    this.#offsets = offsets
    this.#nowMs = nowMs
    this.#clocks = clocks
  }

  topics(): readonly string[] {
    return [...this.#observer.topics.keys()].sort()
  }

  partitions(topic: string): number {
    return this.#observer.topics.get(topic) ?? 0
  }

  records(topic: string, partition: number): readonly SeenRecord[] {
    return this.#observer.partition(topic, partition).records
  }

  committed(topic: string, partition: number): readonly SeenRecord[] {
    return this.records(topic, partition).filter(({ committed }) => committed === true)
  }

  end(topic: string, partition: number): bigint {
    return this.#observer.partition(topic, partition).highWatermark
  }

  offset(group: string, topic: string, partition: number): bigint | null {
    return this.#offsets.latest(group, topic, partition)
  }

  now(): number {
    return this.#nowMs()
  }

  earliestWall(wallMs: number): number {
    return wallMs - this.#clocks.epochMs - this.#clocks.furthestAheadMs()
  }
}
