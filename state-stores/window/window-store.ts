/** What a window store is: values by key and window start, kept for a time that the store's own clock measures. */

import type { StoreName } from '../contract.ts'

export interface WindowOptions {
  /** How long a row is kept, in ms of observed time; at least the window's size and its grace. */
  readonly retentionMs: number
  /** Length of a window in ms; what a row's end is made of, not used by the store. */
  readonly windowSizeMs: number
  /** Rows of one key and start stand side by side instead of replacing each other: for stores of stream joins. */
  readonly retainDuplicates: boolean
}

export interface WindowEntry {
  readonly key: Buffer
  /** Ms since the epoch. */
  readonly windowStart: number
  readonly value: Buffer
}

export interface WindowDirection {
  readonly reverse?: boolean
}

/**
 * Kafka Streams' WindowStore. Bounds are inclusive, as there; a range is as of its call, and must be run to its end or
 * closed with return(). Ranges over several keys come segment by segment, in each by key, then by start: for one key
 * that is by start. Keys and values are copied on put and owned by the caller after a read.
 */
export interface WindowStore {
  readonly name: StoreName
  readonly options: WindowOptions
  /** The greatest window start that was put; -1 before the first. What is `retentionMs` older is gone. */
  readonly observedTime: number
  /**
   * Null deletes; with `retainDuplicates` it does nothing.
   * @returns false when the window is older than the retention: nothing was written
   */
  put(key: Buffer, windowStart: number, value: Buffer | null): boolean
  /** Not for a store that retains duplicates: fetch() gives them all. */
  get(key: Buffer, windowStart: number): Buffer | undefined
  /** Windows of one key that start in `from` to `to`. */
  fetch(key: Buffer, from: number, to: number, direction?: WindowDirection): IterableIterator<WindowEntry>
  /** The same of several keys, from the first to the last inclusive; null is no bound. */
  fetchKeys(
    first: Buffer | null,
    last: Buffer | null,
    from: number,
    to: number,
    direction?: WindowDirection,
  ): IterableIterator<WindowEntry>
  /** The same of all keys. */
  fetchAll(from: number, to: number, direction?: WindowDirection): IterableIterator<WindowEntry>
  all(direction?: WindowDirection): IterableIterator<WindowEntry>
}
