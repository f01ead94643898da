/**
 * The history of committed offsets, read off `__consumer_offsets`: I7 committed offsets only grow, I15 stream time that is
 * committed with them only grows and is a number.
 */

import { decodeOffset } from '../../../connectors/kafka/embedded/offset-records.ts'
import { decodeOffsetMetadata } from '../../../topology/runtime/offset-metadata.ts'
import type { SeenBatch } from '../observer.ts'
import type { Violation } from '../program.ts'

export interface Committed {
  readonly group: string
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly metadata: string
}

export class CommittedOffsets {
  readonly #latest = new Map<string, Committed>()
  readonly #pending = new Map<bigint, Committed[]>()

  latest(group: string, topic: string, partition: number): bigint | null {
    return this.#latest.get(`${group} ${topic}-${partition}`)?.offset ?? null
  }

  /** A part of the topic was deleted unseen; what stands behind it repeats all that was decided there. */
  skipped(): void {
    this.#pending.clear()
  }

  /** Takes new batches of the offsets topic; says which invariants they break. */
  take(batches: readonly SeenBatch[]): Violation[] {
    const violations: Violation[] = []
    for (const batch of batches) {
      if (batch.marker !== null) {
        const pending = this.#pending.get(batch.producerId) ?? []
        this.#pending.delete(batch.producerId)
        if (!batch.marker.abort) for (const commit of pending) violations.push(...this.#apply(commit))
        continue
      }
      for (const { key, value } of batch.records) {
        if (key === null || value === null || key.readInt16BE(0) !== 1) continue
        const { groupId, committed } = decodeOffset(key, value)
        const commit = { group: groupId, ...committed }
        if (!batch.transactional) violations.push(...this.#apply(commit))
        else this.#pending.set(batch.producerId, [...(this.#pending.get(batch.producerId) ?? []), commit])
      }
    }
    return violations
  }

  #apply(commit: Committed): Violation[] {
    const place = `${commit.group} ${commit.topic}-${commit.partition}`
    const before = this.#latest.get(place)
    this.#latest.set(place, commit)
    const violations: Violation[] = []
    if (before !== undefined && commit.offset < before.offset)
      violations.push({
        invariant: 'I7',
        what: `the committed offset of ${place} went back from ${before.offset} to ${commit.offset}`,
      })
    const time = decodeOffsetMetadata(commit.metadata)
    if (!Number.isSafeInteger(time))
      violations.push({ invariant: 'I15', what: `the stream time committed for ${place} is ${time}` })
    if (before !== undefined && time < decodeOffsetMetadata(before.metadata))
      violations.push({
        invariant: 'I15',
        what: `the stream time committed for ${place} went back from ${decodeOffsetMetadata(before.metadata)} to ${time}`,
      })
    return violations
  }
}
