/** Rows of some segments, one segment after the other; each segment's range was opened at the call. */

import type { Entry } from '../contract.ts'
import { keyOf, startOf } from './window-keys.ts'
import type { WindowEntry } from './window-store.ts'

/** What the bytes between two row keys may hold besides what was asked for is left out. */
export interface WindowBounds {
  readonly first: Buffer | null
  readonly last: Buffer | null
  readonly from: number
  readonly to: number
}

export class WindowRange implements IterableIterator<WindowEntry> {
  readonly #segments: readonly IterableIterator<Entry>[]
  readonly #bounds: WindowBounds
  #next = 0

  constructor(segments: readonly IterableIterator<Entry>[], bounds: WindowBounds) {
    this.#segments = segments
    this.#bounds = bounds
  }

  [Symbol.iterator](): this {
    return this
  }

  next(): IteratorResult<WindowEntry, undefined> {
    for (; this.#next < this.#segments.length; this.#next++) {
      const segment = this.#segments[this.#next] as IterableIterator<Entry>
      for (let read = segment.next(); read.done !== true; read = segment.next()) {
        const entry = this.#entry(read.value)
        if (entry !== null) return { done: false, value: entry }
      }
    }
    return { done: true, value: undefined }
  }

  return(): IteratorResult<WindowEntry, undefined> {
    for (; this.#next < this.#segments.length; this.#next++) this.#segments[this.#next]?.return?.()
    return { done: true, value: undefined }
  }

  #entry([row, value]: Entry): WindowEntry | null {
    const { first, last, from, to } = this.#bounds
    const windowStart = startOf(row)
    if (windowStart < from || windowStart > to) return null
    const key = keyOf(row)
    if (first !== null && Buffer.compare(key, first) < 0) return null
    if (last !== null && Buffer.compare(key, last) > 0) return null
    return { key, windowStart, value }
  }
}
