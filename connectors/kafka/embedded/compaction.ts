/**
 * One pass of compaction over a partition, as Kafka's log cleaner makes it: of each key only the last committed record stays.
 *
 *   K1  Only sealed segments below the last stable offset are touched, and of them nothing at or above the end of what the
 *       key map covers. So every record that goes has a later one of its key that stays.
 *   K2  What was aborted goes. What was committed is written as not transactional, so its markers go too.
 *   K3  Offsets, times, producers and sequences stay: a batch without records stays as a header when it says where its
 *       producer is, or where its file ends.
 *   K4  A tombstone goes in a pass that begins `delete.retention.ms` after the pass that found it the last of its key.
 *   K5  The key map is bounded: what does not fit is left to the next pass.
 */

import {
  baseOffsetOf,
  BATCH_HEADER_BYTES,
  countOf,
  isControl,
  isTransactional,
  lastOffsetOf,
  producerIdOf,
  sizeOf,
  withRecords,
} from '../batch-format.ts'
import { RecordCursor } from '../record-cursor.ts'
import type { PartitionLog } from './partition-log.ts'
import { eachChunk } from './rewrite-segments.ts'
import type { SealedSegment } from './rewrite-segments.ts'

/** What an entry of the key map costs beside its key, roughly. */
const ENTRY_BYTES = 96

export interface Pass {
  /** What lies below was compacted by an earlier pass. */
  readonly cleanBelow: bigint
  /** Tombstones below are old enough to go (K4). */
  readonly tombstonesBelow: bigint
  readonly mapBytes: number
  /** Segments are put together up to this size. */
  readonly segmentBytes: number
  readonly pause: () => Promise<void>
}

/** @returns the offset below which the partition is compacted now */
export async function compact(log: PartitionLog, pass: Pass): Promise<bigint> {
  const sealed = log.settled()
  if (sealed.length === 0) return pass.cleanBelow
  const keys = new KeyMap(log, pass.mapBytes)
  const covered = await keys.read(sealed, pass.cleanBelow > log.logStart ? pass.cleanBelow : log.logStart, pass.pause)
  const filter = new Filter(log, keys, covered, pass.tombstonesBelow)
  const rewriting = { batch: filter.batch, pause: pass.pause }
  for (const group of groups(sealed, covered, pass.segmentBytes)) await log.rewrite(group, rewriting, covered)
  return covered
}

/** Neighbours below `covered` that go into one file. */
function groups(sealed: readonly SealedSegment[], covered: bigint, segmentBytes: number): SealedSegment[][] {
  const grouped: SealedSegment[][] = []
  let sizeBytes = 0
  for (const one of sealed) {
    if (one.segment.baseOffset >= covered) break
    sizeBytes += one.segment.size
    if (grouped.length > 0 && sizeBytes <= segmentBytes) grouped.at(-1)!.push(one)
    else {
      grouped.push([one])
      sizeBytes = one.segment.size
    }
  }
  return grouped
}

/** The offset of the last committed record of each key, in a stretch of the log. */
class KeyMap {
  readonly #log: PartitionLog
  readonly #latest = new Map<string, bigint>()
  #leftBytes: number

  constructor(log: PartitionLog, budgetBytes: number) {
    this.#log = log
    this.#leftBytes = budgetBytes
  }

  /** @returns the end of what was taken in: whole batches from `from` on, at least one (K5) */
  async read(sealed: readonly SealedSegment[], from: bigint, pause: () => Promise<void>): Promise<bigint> {
    let covered = from
    for (const { segment, end } of sealed) {
      if (end <= from) continue
      await eachChunk(segment, covered, end, async (chunk) => {
        for (let at = 0; at < chunk.length && this.#leftBytes > 0; at += sizeOf(chunk, at)) {
          this.#take(chunk, at)
          covered = lastOffsetOf(chunk, at) + 1n
        }
        await pause()
      })
      if (this.#leftBytes <= 0) break
    }
    return covered
  }

  /** Undefined for a key that does not occur. */
  latest(key: string): bigint | undefined {
    return this.#latest.get(key)
  }

  #take(chunk: Buffer, at: number): void {
    if (isControl(chunk, at) || isAborted(this.#log, chunk, at)) return
    const cursor = cursorOver(this.#log, chunk, at)
    while (cursor.next()) {
      const key = keyOf(cursor)
      if (key === null) continue
      if (!this.#latest.has(key)) this.#leftBytes -= key.length + ENTRY_BYTES
      this.#latest.set(key, cursor.offset)
    }
  }
}

/** What stays of each batch. */
class Filter {
  readonly #log: PartitionLog
  readonly #keys: KeyMap
  readonly #covered: bigint
  readonly #tombstonesBelow: bigint
  readonly #lastOfProducer: ReadonlySet<bigint>

  constructor(log: PartitionLog, keys: KeyMap, covered: bigint, tombstonesBelow: bigint) {
    this.#log = log
    this.#keys = keys
    this.#covered = covered
    this.#tombstonesBelow = tombstonesBelow
    this.#lastOfProducer = log.lastBatches()
  }

  readonly batch = (chunk: Buffer, at: number, last: boolean): Buffer | null => {
    const whole = chunk.subarray(at, at + sizeOf(chunk, at))
    if (baseOffsetOf(chunk, at) >= this.#covered) return whole
    const stays = last || this.#lastOfProducer.has(baseOffsetOf(chunk, at))
    if (isControl(chunk, at)) return stays ? whole : null
    const records = isAborted(this.#log, chunk, at) ? [] : this.#records(chunk, at)
    if (records === null && !isTransactional(chunk, at)) return whole
    if (records === null) return withRecords(chunk, at, [whole.subarray(BATCH_HEADER_BYTES)], countOf(chunk, at))
    return records.length > 0 || stays ? withRecords(chunk, at, records, records.length) : null
  }

  /** Null when all of them stay. */
  #records(chunk: Buffer, at: number): readonly Buffer[] | null {
    const kept: Buffer[] = []
    const cursor = cursorOver(this.#log, chunk, at)
    let count = 0
    for (; cursor.next(); count++) {
      if (this.#stays(cursor)) kept.push(cursor.bytes.subarray(cursor.recordStart, cursor.recordEnd))
    }
    return kept.length === count && count > 0 ? null : kept
  }

  #stays(record: RecordCursor): boolean {
    const key = keyOf(record)
    if (key === null) return true
    const { offset } = record
    const latest = this.#keys.latest(key)
    if (latest !== undefined && offset < latest) return false
    return record.valueLength >= 0 || offset >= this.#tombstonesBelow
  }
}

const isAborted = (log: PartitionLog, chunk: Buffer, at: number): boolean =>
  isTransactional(chunk, at) && log.isAborted(producerIdOf(chunk, at), baseOffsetOf(chunk, at))

/** Exact: two keys are the same text only when their bytes are. */
const keyOf = ({ bytes, keyStart, keyLength }: RecordCursor): string | null =>
  keyLength < 0 ? null : bytes.toString('latin1', keyStart, keyStart + keyLength)

/** Over one batch, whatever became of its transaction. @throws LogError CORRUPT_MESSAGE, from `next` */
function cursorOver({ topic, partition }: PartitionLog, chunk: Buffer, at: number): RecordCursor {
  const batches = chunk.subarray(at, at + sizeOf(chunk, at))
  const limits = { highWatermark: -1n, lastStableOffset: -1n, logStartOffset: -1n }
  return new RecordCursor({ topic, partition, batches, aborted: [], error: null, ...limits }, 0n, 'read_uncommitted')
}
