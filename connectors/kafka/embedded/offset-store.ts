/**
 * What groups have committed. A record of `__consumer_offsets` that was written inside a transaction counts from its commit
 * on; until then its partition is unstable for the group (require_stable, KIP-447). Of two that count, the one that was
 * written later does, as in Kafka: the order of the records decides, not that of the markers.
 */

import { LogError } from '../port.ts'
import type { Header, OffsetAndMetadata, TopicPartition } from '../port.ts'
import type { Clock } from '../clock.ts'
import { RecordBatchBuilder } from '../record-batch.ts'
import type { RecordCursor } from '../record-cursor.ts'
import { decodeOffset, encodeOffsetKey, encodeOffsetValue } from './offset-records.ts'

/** Header of a record that was written anew: where it stood at first. */
const AT_HEADER = 'at'

interface CommittedOffset extends OffsetAndMetadata {
  /** Its place in `__consumer_offsets`. */
  readonly at: bigint
}

/** One TxnOffsetCommit of an open transaction. */
interface PendingOffsets {
  readonly groupId: string
  readonly offsets: readonly OffsetAndMetadata[]
  /** Where its first record was written; null while it is not. */
  at: bigint | null
}

export class OffsetStore {
  readonly #clock: Clock
  /** By group, then by `topic-partition`. */
  readonly #committed = new Map<string, Map<string, CommittedOffset>>()
  /** By producer id, in the order they were sent. */
  readonly #pending = new Map<bigint, PendingOffsets[]>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Reads back one record of the topic, of the open transaction of a producer or of none. */
  restore(record: RecordCursor, producerId: bigint | null): void {
    const { groupId, committed } = decodeOffset(record.key()!, record.value()!)
    const at =
      record
        .headers()
        .find(({ key }) => key === AT_HEADER)
        ?.value.readBigInt64BE(0) ?? record.offset
    if (producerId === null) this.#put(groupId, committed, at)
    else this.addPending(producerId, groupId, [committed])(at)
  }

  encode(groupId: string, offsets: readonly OffsetAndMetadata[]): RecordBatchBuilder {
    const records = new RecordBatchBuilder()
    const now = this.#clock.now()
    for (const offset of offsets) records.append(now, encodeOffsetKey(groupId, offset), encodeOffsetValue(offset, now))
    return records
  }

  /** Everything committed, as records: what a compacted topic would hold. Null when there is nothing. */
  encodeAll(): RecordBatchBuilder | null {
    const records = new RecordBatchBuilder()
    const now = this.#clock.now()
    for (const [groupId, offsets] of this.#committed) {
      for (const offset of offsets.values())
        records.append(now, encodeOffsetKey(groupId, offset), encodeOffsetValue(offset, now), placeHeader(offset.at))
    }
    return records.count === 0 ? null : records
  }

  /** Offsets of a group outside of any transaction, whose first record was written at `at`. */
  commit(groupId: string, offsets: readonly OffsetAndMetadata[], at: bigint): void {
    for (const [index, offset] of offsets.entries()) this.#put(groupId, offset, at + BigInt(index))
  }

  /** They are being written, and pending from now on. Returns how to say where they were. */
  addPending(producerId: bigint, groupId: string, offsets: readonly OffsetAndMetadata[]): (at: bigint) => void {
    const sent: PendingOffsets = { groupId, offsets, at: null }
    const pending = this.#pending.get(producerId)
    if (pending === undefined) this.#pending.set(producerId, [sent])
    else pending.push(sent)
    return (at) => {
      sent.at = at
    }
  }

  /** The producer's transaction was decided. */
  settle(producerId: bigint, outcome: 'commit' | 'abort'): void {
    const pending = this.#pending.get(producerId)
    this.#pending.delete(producerId)
    if (pending === undefined || outcome === 'abort') return
    for (const { groupId, offsets, at } of pending) if (at !== null) this.commit(groupId, offsets, at)
  }

  /**
   * In the order asked.
   * @throws LogError UNSTABLE_OFFSET_COMMIT when a transaction may move one of them and `requireStable`
   */
  fetch(
    groupId: string,
    partitions: readonly TopicPartition[],
    requireStable: boolean,
  ): readonly (OffsetAndMetadata | null)[] {
    if (requireStable && !this.#isStable(groupId, partitions)) {
      const what = `offsets of group ${groupId} are being moved by a transaction`
      throw new LogError('UNSTABLE_OFFSET_COMMIT', what, 'retry')
    }
    const offsets = this.#committed.get(groupId)
    return partitions.map((where) => {
      const found = offsets?.get(nameOf(where))
      // A negative one can be committed, and means none.
      if (found === undefined || found.offset < 0n) return null
      const { topic, partition, offset, metadata } = found
      return { topic, partition, offset, metadata }
    })
  }

  /** Whether a group has committed anything. */
  has(groupId: string): boolean {
    return this.#committed.has(groupId)
  }

  groups(): readonly string[] {
    return [...this.#committed.keys()]
  }

  #isStable(groupId: string, partitions: readonly TopicPartition[]): boolean {
    if (this.#pending.size === 0) return true
    const asked = new Set(partitions.map(nameOf))
    for (const pending of this.#pending.values()) {
      for (const sent of pending) {
        if (sent.groupId === groupId && sent.offsets.some((offset) => asked.has(nameOf(offset)))) return false
      }
    }
    return true
  }

  #put(groupId: string, { topic, partition, offset, metadata }: OffsetAndMetadata, at: bigint): void {
    let offsets = this.#committed.get(groupId)
    if (offsets === undefined) this.#committed.set(groupId, (offsets = new Map()))
    const name = nameOf({ topic, partition })
    const former = offsets.get(name)
    if (former === undefined || former.at < at) offsets.set(name, { topic, partition, offset, metadata, at })
  }
}

const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`

function placeHeader(at: bigint): readonly Header[] {
  const value = Buffer.alloc(8)
  value.writeBigInt64BE(at)
  return [{ key: AT_HEADER, value }]
}
