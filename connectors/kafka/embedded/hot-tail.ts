/**
 * The newest batches of all partitions, kept in memory so that readers at the tail never touch the disk. One budget for
 * the process: the oldest batch of all goes first.
 */

import { baseOffsetOf, lastOffsetOf } from '../batch-format.ts'

/** What a small Buffer costs beside its bytes, roughly. */
const OVERHEAD_BYTES = 256

/** First in, first out, with an index: taking the head is cheap at any length. */
class Fifo<T> {
  #items: (T | undefined)[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  at(index: number): T {
    return this.#items[this.#head + index]!
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined
    const item = this.#items[this.#head]
    this.#items[this.#head++] = undefined
    if (this.#head > 512 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }
}

export class HotTail {
  readonly #budgetBytes: number
  /** Whose batch is the oldest, the second oldest, … */
  readonly #order = new Fifo<PartitionTail>()
  #sizeBytes = 0

  constructor(budgetBytes: number) {
    this.#budgetBytes = budgetBytes
  }

  partition(): PartitionTail {
    return new PartitionTail((tail, sizeBytes) => {
      this.#order.push(tail)
      this.#sizeBytes += sizeBytes + OVERHEAD_BYTES
      while (this.#sizeBytes > this.#budgetBytes) {
        const dropped = this.#order.shift()?.drop()
        if (dropped === undefined) break
        this.#sizeBytes -= dropped + OVERHEAD_BYTES
      }
    })
  }
}

export class PartitionTail {
  readonly #batches = new Fifo<Buffer>()
  /** What lies below was rewritten on disk, and is not read from here. */
  #floor = 0n
  readonly #pushed: (tail: PartitionTail, sizeBytes: number) => void

  constructor(pushed: (tail: PartitionTail, sizeBytes: number) => void) {
    this.#pushed = pushed
  }

  push(batch: Buffer): void {
    this.#batches.push(batch)
    this.#pushed(this, batch.length)
  }

  /** Drops the oldest batch; returns its size. */
  drop(): number | undefined {
    return this.#batches.shift()?.length
  }

  /** Nothing below `offset` is read from here any more. */
  hideBelow(offset: bigint): void {
    if (offset > this.#floor) this.#floor = offset
  }

  /** As `Segment.read`; null when `from` lies before the tail. */
  read(from: bigint, limit: bigint, maxBytes: number): Buffer | null {
    const batches = this.#batches
    if (batches.length === 0 || from < this.#floor || from < baseOffsetOf(batches.at(0), 0)) return null
    const taken: Buffer[] = []
    let sizeBytes = 0
    for (let i = this.#firstReaching(from); i < batches.length; i++) {
      const batch = batches.at(i)
      if (baseOffsetOf(batch, 0) >= limit || (sizeBytes > 0 && sizeBytes + batch.length > maxBytes)) break
      taken.push(batch)
      sizeBytes += batch.length
    }
    return taken.length === 1 ? taken[0]! : Buffer.concat(taken, sizeBytes)
  }

  #firstReaching(offset: bigint): number {
    let low = 0
    let high = this.#batches.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (lastOffsetOf(this.#batches.at(middle), 0) < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
