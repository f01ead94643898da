/** One open transaction of one producer: where it wrote, what is still on its way, and when it runs out. */

import type { PartitionLog } from './partition-log.ts'

/** The offsets of a transaction's records in one partition: `first` names it there, `end` lies after its last record. */
export interface TouchedRange {
  readonly first: bigint
  readonly end: bigint
}

export class Transaction {
  readonly #touched = new Map<PartitionLog, TouchedRange>()
  readonly #inFlight = new Set<Promise<unknown>>()
  readonly #start: () => () => void
  #cancelTimeout: () => void

  /** @param start the timer of its timeout; returns how to cancel it */
  constructor(start: () => () => void) {
    this.#start = start
    this.#cancelTimeout = start()
  }

  get touched(): ReadonlyMap<PartitionLog, TouchedRange> {
    return this.#touched
  }

  /** Counts a write of `count` records as part of this transaction. */
  async track(log: PartitionLog, count: number, written: Promise<bigint>): Promise<bigint> {
    const tracked = written.then(
      (baseOffset) => this.#touch(log, baseOffset, baseOffset + BigInt(count)),
      () => undefined,
    )
    this.#inFlight.add(tracked)
    await tracked
    this.#inFlight.delete(tracked)
    return written
  }

  /** Resolves when every write so far was acknowledged or failed. */
  async settled(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight)
  }

  stopTimeout(): void {
    this.#cancelTimeout()
  }

  restartTimeout(): void {
    this.#cancelTimeout = this.#start()
  }

  /** A batch that was delivered twice is answered with its first place, which may lie before others. */
  #touch(log: PartitionLog, first: bigint, end: bigint): void {
    const range = this.#touched.get(log)
    if (range === undefined) this.#touched.set(log, { first, end })
    else this.#touched.set(log, { first: range.first, end: end > range.end ? end : range.end })
  }
}
