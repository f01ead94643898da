/**
 * One partition: its segments, who wrote what, and what readers may see.
 *
 *   L1  Offsets are given synchronously, in the order of the calls, and written in that order.
 *   L2  A batch is visible (high watermark) only when it is written whole; under fsync `always`, only when it is synced.
 *       Markers alone are not waited for: what they say is decided elsewhere and recovery writes them again.
 *   L3  A failed write takes back everything that is not visible: file, offsets and sequences. What failed was not written.
 *       When even that fails, or an fsync fails, the partition takes no more writes until it is opened again.
 *   L4  A sealed segment is synced before its successor exists, so only the newest can be torn.
 *   L17 What was rewritten takes its place in one moment, with the index of aborted transactions; a reader who was in between
 *       reads again, so that bytes and index it gets belong together.
 *   L5  read_committed sees batches below the last stable offset: the first offset of the earliest open transaction.
 */

import { strict as assert } from 'node:assert'

import { isControl, isStamped, lastOffsetDeltaOf, lastOffsetOf, stampBatch } from '../batch-format.ts'
import type { CrashPoint } from '../crash-point.ts'
import { endOffset } from '../end-offset.ts'
import { LogError } from '../port.ts'
import type { AbortedTransaction, Isolation, TopicPartition } from '../port.ts'
import type { PartitionTail } from './hot-tail.ts'
import type { LogFiles } from './log-files.ts'
import { ProducerSequences } from './producer-sequences.ts'
import { writeAnew } from './rewrite-segments.ts'
import type { Rewriting, SealedSegment } from './rewrite-segments.ts'
import { Segment } from './segment.ts'
import { storageError } from './storage-error.ts'
import type { Cleanup } from './topic-config.ts'
import { TransactionIndex } from './transaction-index.ts'
import type { OpenTransaction } from './transaction-index.ts'
import { Turns } from './turns.ts'

/** One process is the only leader there ever was. */
const LEADER_EPOCH = 0

export interface PartitionContext {
  readonly files: LogFiles
  readonly directory: string
  readonly tail: PartitionTail
  readonly fsync: 'always' | 'interval' | 'never'
  readonly segmentBytes: number
  /** Bound of a client's batch, in bytes. */
  readonly maxBatchBytes: number
  readonly crash: CrashPoint
  readonly cleanup: Cleanup
  /** Called when a segment was sealed. */
  readonly sealed: (log: PartitionLog) => void
  /** Called when bytes became visible that are not synced yet. */
  readonly dirty: (log: PartitionLog) => void
}

/** What recovery found on disk; all of it empty for a new partition. */
export interface PartitionContents {
  readonly segments: Segment[]
  readonly sequences: ProducerSequences
  readonly transactions: TransactionIndex
  readonly logStart: bigint
  readonly nextOffset: bigint
}

export const emptyPartition = (): PartitionContents => ({
  segments: [],
  sequences: new ProducerSequences(),
  transactions: new TransactionIndex(),
  logStart: 0n,
  nextOffset: 0n,
})

export interface ReadBatches {
  readonly batches: Buffer
  readonly aborted: readonly AbortedTransaction[]
}

interface PendingWrite {
  readonly batch: Buffer
  readonly baseOffset: bigint
  readonly undo: () => void
  readonly revealed: (baseOffset: bigint) => void
  readonly acked: Promise<bigint>
  readonly ack: (baseOffset: bigint) => void
  readonly fail: (error: LogError) => void
}

export class PartitionLog implements TopicPartition {
  readonly topic: string
  readonly partition: number
  readonly #context: PartitionContext
  readonly #segments: Segment[]
  readonly #sequences: ProducerSequences
  readonly #transactions: TransactionIndex
  readonly #listeners = new Set<() => void>()
  /** Segments are removed and rewritten in turn. */
  readonly #turns = new Turns()
  #logStart: bigint
  #highWatermark: bigint
  /** The next offset to give; ahead of the high watermark by what is being written. */
  #nextOffset: bigint
  /** Grows with every rewrite of segments. */
  #generation = 0
  #queued: PendingWrite[] = []
  #writing: PendingWrite[] = []
  #drained: Promise<void> | null = null
  #broken: LogError | null = null
  #closed = false

  constructor(where: TopicPartition, context: PartitionContext, contents: PartitionContents) {
    this.topic = where.topic
    this.partition = where.partition
    this.#context = context
    this.#segments = contents.segments
    this.#sequences = contents.sequences
    this.#transactions = contents.transactions
    this.#logStart = contents.logStart
    this.#highWatermark = contents.nextOffset
    this.#nextOffset = contents.nextOffset
  }

  get maxBatchBytes(): number {
    return this.#context.maxBatchBytes
  }

  get segmentBytes(): number {
    return this.#context.segmentBytes
  }

  /** How short its topic wants it. */
  get cleanup(): Cleanup {
    return this.#context.cleanup
  }

  get sizeBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.size, 0)
  }

  get name(): string {
    return `${this.topic}-${this.partition}`
  }

  get logStart(): bigint {
    return this.#logStart
  }

  get highWatermark(): bigint {
    return this.#highWatermark
  }

  get lastStableOffset(): bigint {
    const open = this.#transactions.firstOpenOffset() ?? this.#highWatermark
    return open > this.#logStart ? open : this.#logStart
  }

  /** Where a reader of this isolation must stop. */
  limit(isolation: Isolation): bigint {
    return isolation === 'read_committed' ? this.lastStableOffset : this.#highWatermark
  }

  openTransactions(): readonly OpenTransaction[] {
    return this.#transactions.open()
  }

  get highestProducerId(): bigint {
    return this.#sequences.highestProducerId
  }

  /** The highest epoch that a producer wrote with; -1 when it did not. */
  epochOf(producerId: bigint): number {
    return this.#sequences.epochOf(producerId)
  }

  /**
   * Appends a sealed batch and keeps its bytes, or a copy when they were given before and may be kept already. Resolves with
   * its base offset when it is acknowledged.
   * @param revealed called in the moment when it becomes visible; not for a batch that was there before
   * @throws LogError INVALID_PRODUCER_EPOCH, OUT_OF_ORDER_SEQUENCE_NUMBER, STORAGE_FULL, STORAGE_ERROR (`then: 'retry'`: nothing was
   *   written), CLOSED; all as a rejection
   */
  append(given: Buffer, revealed: (baseOffset: bigint) => void = nothing): Promise<bigint> {
    const refused = this.#closed ? new LogError('CLOSED', `${this.name} is closed`, 'stop') : this.#broken
    if (refused !== null) return Promise.reject(refused)
    try {
      const sentBefore = this.#sequences.check(given)
      if (sentBefore !== null) return this.#ackOf(sentBefore)
    } catch (error) {
      return Promise.reject(error as LogError)
    }
    const batch = isStamped(given) ? Buffer.from(given) : given
    const baseOffset = this.#nextOffset
    stampBatch(batch, baseOffset, LEADER_EPOCH)
    this.#nextOffset += BigInt(lastOffsetDeltaOf(batch, 0) + 1)
    const { promise: acked, resolve: ack, reject: fail } = Promise.withResolvers<bigint>()
    this.#queued.push({ batch, baseOffset, undo: this.#sequences.record(batch, 0), revealed, acked, ack, fail })
    this.#drained ??= this.#drain()
    return acked
  }

  /**
   * Whole batches from `from` on, below the isolation's limit; at least one if there is one, else empty. With the aborted
   * transactions that a read_committed reader of them must know.
   */
  async read(from: bigint, maxBytes: number, isolation: Isolation): Promise<ReadBatches> {
    for (;;) {
      const generation = this.#generation
      try {
        const batches = await this.#read(from, maxBytes, isolation)
        if (generation !== this.#generation) continue
        const end = isolation === 'read_committed' ? endOffset(batches) : null
        return { batches, aborted: end === null ? [] : this.#transactions.aborted(from, end) }
      } catch (error) {
        if (generation === this.#generation) throw error
      }
    }
  }

  /** Calls `listener` whenever a limit moved; the returned function ends that. */
  onMove(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Moves the log start and removes the segments that lie below it. The caller has made the move durable. */
  dropBelow(logStart: bigint): Promise<void> {
    return this.#turns.take('segments', () => this.#dropBelow(logStart))
  }

  /** Sealed segments in which nothing is undecided, each with the offset after its last. */
  settled(): readonly SealedSegment[] {
    const limit = this.lastStableOffset
    return this.#segments.flatMap((segment, index) => {
      const next = this.#segments[index + 1]
      return next === undefined || next.baseOffset > limit ? [] : [{ segment, end: next.baseOffset }]
    })
  }

  /** Whether a sealed segment waits for the end of a transaction. */
  get hasUnsettled(): boolean {
    return this.#segments.length - 1 > this.settled().length
  }

  /** Of a decided batch. */
  isAborted(producerId: bigint, offset: bigint): boolean {
    return this.#transactions.isAborted(producerId, offset)
  }

  /** Base offsets of the batches that say where each producer is. */
  lastBatches(): ReadonlySet<bigint> {
    return this.#sequences.lastBatches()
  }

  /**
   * Writes neighbouring settled segments anew, as one (L17, L18).
   * @param settledBelow what lies below is rewritten so that nothing of it is transactional any more
   */
  rewrite(former: readonly SealedSegment[], rewriting: Rewriting, settledBelow: bigint): Promise<void> {
    return this.#turns.take('segments', async () => {
      const at = this.#segments.indexOf(former[0]!.segment)
      if (this.#closed || at < 0) return
      const { files, directory, crash } = this.#context
      const end = former.at(-1)!.end
      const written = await writeAnew(files, directory, former, rewriting)
      if (this.#closed) return
      await files.rename(written.path, former[0]!.segment.path)
      this.#segments.splice(at, former.length, written.segment)
      this.#generation++
      const settled = end < settledBelow ? end : settledBelow
      this.#transactions.forget(written.segment.baseOffset, settled)
      this.#context.tail.hideBelow(settled)
      crash('C29')
      await files.fsyncDirectory(directory)
      for (const [i, { segment }] of former.entries()) await (i === 0 ? segment.close() : segment.remove())
      if (former.length > 1) await files.fsyncDirectory(directory)
    })
  }

  async #dropBelow(logStart: bigint): Promise<void> {
    if (logStart <= this.#logStart) return
    this.#logStart = logStart
    this.#transactions.dropBelow(logStart)
    const { files, directory } = this.#context
    let removed = false
    while (this.#segments.length > 1 && this.#segments[1]!.baseOffset <= logStart) {
      await this.#segments.shift()!.remove()
      removed = true
    }
    if (removed) await files.fsyncDirectory(directory)
  }

  /** Makes everything that was visible at the call outlive a power failure. */
  async sync(): Promise<void> {
    const newest = this.#segments.at(-1)
    if (newest === undefined || this.#broken !== null) return
    try {
      await newest.sync()
    } catch (error) {
      throw this.#break(error)
    }
  }

  /** Waits for what is being written, syncs and closes the files. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#drained
    await this.#turns.take('segments', async () => {})
    try {
      await this.sync()
    } finally {
      await Promise.all(this.#segments.map((segment) => segment.close()))
    }
  }

  /** Writes what is queued, round by round: one write and one fsync serve all that came meanwhile. Never rejects. */
  async #drain(): Promise<void> {
    while (this.#queued.length > 0) {
      this.#writing = this.#queued
      this.#queued = []
      try {
        while (this.#writing.length > 0) await this.#writeRound()
      } catch (error) {
        await this.#takeBack(error)
      }
    }
    this.#drained = null
  }

  /** Writes as many of the pending batches as go into one segment, and reveals them. */
  async #writeRound(): Promise<void> {
    const segment = await this.#segmentFor(this.#writing[0]!)
    let sizeBytes = segment.size
    let count = 0
    let synced = this.#context.fsync === 'always'
    let onlyMarkers = true
    for (const { batch } of this.#writing) {
      sizeBytes += batch.length
      if (count > 0 && sizeBytes > this.#context.segmentBytes) break
      onlyMarkers &&= isControl(batch, 0)
      count++
    }
    await segment.write(this.#writing.slice(0, count).map(({ batch }) => batch))
    synced &&= !onlyMarkers
    this.#context.crash('C26')
    if (synced) await this.#syncOrBreak(segment)
    this.#context.crash('C27')
    this.#reveal(segment, this.#writing.splice(0, count))
    if (!synced && this.#context.fsync !== 'never') this.#context.dirty(this)
  }

  async #segmentFor(first: PendingWrite): Promise<Segment> {
    const newest = this.#segments.at(-1)
    const { files, directory, segmentBytes } = this.#context
    if (newest !== undefined && (newest.size === 0 || newest.size + first.batch.length <= segmentBytes)) return newest
    if (newest !== undefined) {
      await this.#syncOrBreak(newest)
      this.#context.crash('C28')
    }
    const segment = new Segment(files, directory, first.baseOffset)
    try {
      await segment.create(directory)
    } catch (error) {
      await segment.close()
      throw error
    }
    this.#segments.push(segment)
    if (newest !== undefined) this.#context.sealed(this)
    return segment
  }

  #reveal(segment: Segment, written: readonly PendingWrite[]): void {
    for (const { batch, baseOffset, revealed, ack } of written) {
      segment.reveal(batch, 0)
      this.#transactions.add(batch, 0)
      this.#context.tail.push(batch)
      this.#highWatermark = lastOffsetOf(batch, 0) + 1n
      revealed(baseOffset)
      ack(baseOffset)
    }
    for (const listener of [...this.#listeners]) listener()
  }

  /** A write failed: nothing that is not visible remains of it, nor of what was queued behind it. */
  async #takeBack(error: unknown): Promise<void> {
    try {
      if (this.#broken === null) await this.#segments.at(-1)?.rollBack()
    } catch (cause) {
      this.#break(cause)
    }
    const failed = [...this.#writing, ...this.#queued]
    this.#writing = []
    this.#queued = []
    const trouble = this.#broken ?? storageError(this.name, error, 'retry')
    for (const { undo, fail } of failed.toReversed()) {
      undo()
      fail(trouble)
    }
    this.#nextOffset = this.#highWatermark
  }

  async #syncOrBreak(segment: Segment): Promise<void> {
    try {
      await segment.sync()
    } catch (error) {
      throw this.#break(error)
    }
  }

  /** After a failed fsync nobody knows what the disk holds, so nothing more is promised. */
  #break(error: unknown): LogError {
    this.#broken ??= storageError(`${this.name} takes no more writes until the log is opened again`, error, 'stop')
    return this.#broken
  }

  /** The earlier send of a batch may still be on its way. */
  #ackOf(baseOffset: bigint): Promise<bigint> {
    for (const pending of [...this.#writing, ...this.#queued]) {
      if (pending.baseOffset === baseOffset) return pending.acked
    }
    return Promise.resolve(baseOffset)
  }

  #segmentOf(offset: bigint): number {
    let at = this.#segments.length - 1
    while (at > 0 && this.#segments[at]!.baseOffset > offset) at--
    assert(at >= 0, 'what is visible lies in a segment')
    return at
  }

  async #read(from: bigint, maxBytes: number, isolation: Isolation): Promise<Buffer> {
    const limit = this.limit(isolation)
    if (from >= limit) return Buffer.alloc(0)
    const hot = this.#context.tail.read(from, limit, maxBytes)
    if (hot !== null) return hot
    for (let i = this.#segmentOf(from); i < this.#segments.length; i++) {
      const batches = await this.#readSegment(this.#segments[i]!, from, limit, maxBytes)
      if (batches.length > 0) return batches
    }
    return Buffer.alloc(0)
  }

  async #readSegment(segment: Segment, from: bigint, limit: bigint, maxBytes: number): Promise<Buffer> {
    try {
      return await segment.read(from, limit, maxBytes)
    } catch (error) {
      if (from < this.#logStart)
        throw new LogError('OFFSET_OUT_OF_RANGE', `${this.name}: ${from} was deleted`, 'stop', error)
      throw storageError(this.name, error, 'retry')
    }
  }
}

const nothing = (): void => {}
