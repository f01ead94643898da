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
  #failure: unknown = null
  #cancelTimeout: (() => void) | null = null

  get touched(): ReadonlyMap<PartitionLog, TouchedRange> {
    return this.#touched
  }

  /** Why it can only be aborted; null when it can be committed. */
  get failure(): unknown {
    return this.#failure
  }

  /** Counts a write of `count` records as part of this transaction. */
  async track(log: PartitionLog, count: number, written: Promise<bigint>): Promise<bigint> {
    const tracked = written.then(
      (baseOffset) => {
        const first = this.#touched.get(log)?.first ?? baseOffset
        this.#touched.set(log, { first, end: baseOffset + BigInt(count) })
      },
      (error: unknown) => {
        this.#failure ??= error
      },
    )
    this.#inFlight.add(tracked)
    await tracked
    this.#inFlight.delete(tracked)
    return written
  }

  /** Resolves when every write so far was acknowledged or failed. */
  async settled(): Promise<void> {
    await Promise.all(this.#inFlight)
  }

  /** The timeout runs from the first write. */
  startTimeout(start: () => () => void): void {
    this.#cancelTimeout ??= start()
  }

  stopTimeout(): void {
    this.#cancelTimeout?.()
    this.#cancelTimeout = null
  }
}
