/**
 * What groups have committed. A record of `__consumer_offsets` is written inside the transaction and counts from its
 * commit on; until then its partition is unstable for the group, and whoever asks waits (require_stable, KIP-447).
 */

import { LogError } from '../port.ts'
import type { OffsetAndMetadata, TopicPartition } from '../port.ts'
import { decodeOffset, encodeOffsetKey, encodeOffsetValue } from './offset-records.ts'
import type { Clock } from './options.ts'
import { RecordBatchBuilder } from '../record-batch.ts'

interface PendingOffsets {
  readonly groupId: string
  readonly offsets: readonly OffsetAndMetadata[]
}

interface Waiter {
  readonly wake: () => void
  readonly fail: (error: LogError) => void
}

export class OffsetStore {
  readonly #clock: Clock
  /** By group, then by `topic-partition`. */
  readonly #committed = new Map<string, Map<string, OffsetAndMetadata>>()
  /** By producer id, in the order they were sent. */
  readonly #pending = new Map<bigint, PendingOffsets[]>()
  readonly #waiting = new Set<Waiter>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Reads back one record of the topic, of the open transaction of a producer or of none. */
  restore(key: Buffer, value: Buffer, producerId: bigint | null): void {
    const { groupId, committed } = decodeOffset(key, value)
    if (producerId === null) this.#put(groupId, committed)
    else this.addPending(producerId, groupId, [committed])
  }

  encode(groupId: string, offsets: readonly OffsetAndMetadata[]): RecordBatchBuilder {
    const records = new RecordBatchBuilder()
    this.#encodeInto(records, groupId, offsets)
    return records
  }

  /** Everything committed, as records: what a compacted topic would hold. Null when there is nothing. */
  encodeAll(): RecordBatchBuilder | null {
    const records = new RecordBatchBuilder()
    for (const [groupId, offsets] of this.#committed) this.#encodeInto(records, groupId, offsets.values())
    return records.count === 0 ? null : records
  }

  addPending(producerId: bigint, groupId: string, offsets: readonly OffsetAndMetadata[]): void {
    const pending = this.#pending.get(producerId)
    if (pending === undefined) this.#pending.set(producerId, [{ groupId, offsets }])
    else pending.push({ groupId, offsets })
  }

  /** The producer's transaction was decided. */
  settle(producerId: bigint, outcome: 'commit' | 'abort'): void {
    const pending = this.#pending.get(producerId)
    if (pending === undefined) return
    this.#pending.delete(producerId)
    if (outcome === 'commit')
      for (const { groupId, offsets } of pending) for (const offset of offsets) this.#put(groupId, offset)
    for (const { wake } of [...this.#waiting]) wake()
  }

  /** In the order asked. @throws LogError UNSTABLE_OFFSET_COMMIT after `timeoutMs` */
  async committed(
    groupId: string,
    partitions: readonly TopicPartition[],
    timeoutMs: number,
  ): Promise<readonly (OffsetAndMetadata | null)[]> {
    if (!this.#isStable(groupId, partitions)) await this.#untilStable(groupId, partitions, timeoutMs)
    const offsets = this.#committed.get(groupId)
    return partitions.map((where) => offsets?.get(nameOf(where)) ?? null)
  }

  /** Ends every wait. */
  close(): void {
    for (const { fail } of [...this.#waiting]) fail(new LogError('CLOSED', 'the log is closed', 'stop'))
  }

  groups(): readonly string[] {
    return [...this.#committed.keys()]
  }

  #isStable(groupId: string, partitions: readonly TopicPartition[]): boolean {
    const asked = new Set(partitions.map(nameOf))
    for (const pending of this.#pending.values()) {
      for (const sent of pending) {
        if (sent.groupId === groupId && sent.offsets.some((offset) => asked.has(nameOf(offset)))) return false
      }
    }
    return true
  }

  #untilStable(groupId: string, partitions: readonly TopicPartition[], timeoutMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiter: Waiter = {
      wake: () => {
        if (this.#isStable(groupId, partitions)) resolve()
      },
      fail: reject,
    }
    const cancel = this.#clock.after(timeoutMs, () => {
      const what = `offsets of group ${groupId} were still being moved by a transaction after ${timeoutMs} ms`
      reject(new LogError('UNSTABLE_OFFSET_COMMIT', what, 'retry'))
    })
    this.#waiting.add(waiter)
    return promise.finally(() => {
      cancel()
      this.#waiting.delete(waiter)
    })
  }

  #encodeInto(records: RecordBatchBuilder, groupId: string, offsets: Iterable<OffsetAndMetadata>): void {
    const now = this.#clock.now()
    for (const offset of offsets) records.append(now, encodeOffsetKey(groupId, offset), encodeOffsetValue(offset, now))
  }

  #put(groupId: string, { topic, partition, offset, metadata }: OffsetAndMetadata): void {
    let offsets = this.#committed.get(groupId)
    if (offsets === undefined) this.#committed.set(groupId, (offsets = new Map()))
    offsets.set(nameOf({ topic, partition }), { topic, partition, offset, metadata })
  }
}

const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`
