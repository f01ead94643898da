/**
 * What a partition's visible batches say about transactions: which are open (the earliest bounds the last stable offset)
 * and which were aborted (a read_committed reader is told of each that overlaps what it reads).
 */

import { baseOffsetOf, epochOf, isControl, isTransactional, producerIdOf } from '../batch-format.ts'
import { isAbortMarker } from '../control-batch.ts'
import type { AbortedTransaction } from '../port.ts'

export interface OpenTransaction {
  readonly producerId: bigint
  readonly epoch: number
  readonly firstOffset: bigint
}

interface AbortedEntry extends AbortedTransaction {
  readonly markerOffset: bigint
  /** Nothing that ends later begins before this. */
  readonly stableOffset: bigint
}

export class TransactionIndex {
  /** In order of first offsets, because a transaction enters when its first batch becomes visible. */
  readonly #open = new Map<bigint, OpenTransaction>()
  /** In order of their markers. */
  #aborted: AbortedEntry[] = []

  /** Takes in the next visible batch, at `bytes[at]`. */
  add(bytes: Buffer, at: number): void {
    if (!isTransactional(bytes, at)) return
    const producerId = producerIdOf(bytes, at)
    const open = this.#open.get(producerId)
    if (!isControl(bytes, at)) {
      if (open === undefined) {
        this.#open.set(producerId, { producerId, epoch: epochOf(bytes, at), firstOffset: baseOffsetOf(bytes, at) })
      }
      return
    }
    if (open === undefined) return
    this.#open.delete(producerId)
    if (!isAbortMarker(bytes, at)) return
    const markerOffset = baseOffsetOf(bytes, at)
    const stableOffset = this.firstOpenOffset() ?? markerOffset + 1n
    this.#aborted.push({ producerId, firstOffset: open.firstOffset, markerOffset, stableOffset })
  }

  firstOpenOffset(): bigint | null {
    for (const open of this.#open.values()) return open.firstOffset
    return null
  }

  open(): readonly OpenTransaction[] {
    return [...this.#open.values()]
  }

  /** Aborted transactions that have records or their marker in `[from, end)`. */
  aborted(from: bigint, end: bigint): readonly AbortedTransaction[] {
    const found: AbortedTransaction[] = []
    for (let i = this.#firstMarkerAt(from); i < this.#aborted.length; i++) {
      const { producerId, firstOffset, stableOffset } = this.#aborted[i]!
      if (firstOffset < end) found.push({ producerId, firstOffset })
      if (stableOffset >= end) break
    }
    return found
  }

  /** Whether the data batch of a producer at `offset`, which is not open any more, was aborted. */
  isAborted(producerId: bigint, offset: bigint): boolean {
    for (let i = this.#firstMarkerAt(offset); i < this.#aborted.length; i++) {
      const entry = this.#aborted[i]!
      if (entry.producerId === producerId && entry.firstOffset <= offset) return true
      if (entry.stableOffset > offset) break
    }
    return false
  }

  /** Forgets transactions whose markers lie in `[from, end)`: their records are gone. */
  forget(from: bigint, end: bigint): void {
    this.#aborted.splice(this.#firstMarkerAt(from), this.#firstMarkerAt(end) - this.#firstMarkerAt(from))
  }

  /** Forgets what lies wholly below the log start. */
  dropBelow(logStart: bigint): void {
    this.#aborted = this.#aborted.slice(this.#firstMarkerAt(logStart))
  }

  #firstMarkerAt(offset: bigint): number {
    let low = 0
    let high = this.#aborted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#aborted[middle]!.markerOffset < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
