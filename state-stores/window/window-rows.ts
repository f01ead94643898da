/**
 * A window store over the rows of an ordered key-value store.
 *
 * WS1  What is visible: rows whose start is above observed time minus retention. Observed time is the greatest start put,
 *      deletes included; it is a row itself, so it follows the transaction, and is on disk with the rows it stands for.
 * WS2  A put at or below that bound writes nothing and says so.
 * WS3  Rows are dropped by whole segments, when a flush finds committed observed time past them: nothing visible is in
 *      one. Dropping is not logged: whoever restores the changelog comes to the same observed time and sees the same.
 * WS4  A restored row counts for observed time whether it is kept or not.
 * WS5  A duplicate takes the next sequence number of its store; it goes on where it was after a restart or a restore, so no
 *      row of another time is replaced.
 */

import assert from 'node:assert/strict'
import type { Entry, KeyValueStore } from '../contract.ts'
import {
  CLOCK_KEY,
  NO_CLOCK,
  changelogKey,
  decodeClock,
  encodeClock,
  endOfKeys,
  isChangelogKey,
  nextSequence,
  segmentKey,
  segmentMs,
  sequenceOf,
  startOf,
  windowKey,
} from './window-keys.ts'
import type { WindowClock } from './window-keys.ts'
import { WindowRange } from './window-range.ts'
import type { WindowBounds } from './window-range.ts'
import type { WindowDirection, WindowEntry, WindowOptions, WindowStore } from './window-store.ts'

export class WindowRows implements WindowStore {
  readonly name: string
  readonly options: WindowOptions
  readonly #rows: KeyValueStore
  readonly #segmentMs: number
  readonly #expired: () => void
  /** Null after the rows below have changed without this one: read again at the next call. */
  #clock: WindowClock | null = null
  #committedObserved = -1

  /** @param expired told of each put that came too late (WS2) */
  constructor(rows: KeyValueStore, options: WindowOptions, expired: () => void = () => undefined) {
    assert(options.retentionMs >= options.windowSizeMs, `window store ${rows.name} keeps rows for less than a window`)
    this.name = rows.name
    this.options = options
    this.#rows = rows
    this.#segmentMs = segmentMs(options)
    this.#expired = expired
    this.committed()
  }

  get observedTime(): number {
    return this.#read().observed
  }

  put(key: Buffer, windowStart: number, value: Buffer | null): boolean {
    assertTime(windowStart)
    const { retainDuplicates } = this.options
    if (value === null && retainDuplicates) return true
    const { observed, sequence } = this.#read()
    if (windowStart <= observed - this.options.retentionMs) {
      this.#expired()
      return false
    }
    const used = retainDuplicates ? nextSequence(sequence) : 0
    if (windowStart > observed || retainDuplicates) this.#write(Math.max(windowStart, observed), used)
    const row = windowKey(this.#segmentOf(windowStart), key, windowStart, used)
    if (value === null) this.#rows.delete(row)
    else this.#rows.put(row, value)
    return true
  }

  get(key: Buffer, windowStart: number): Buffer | undefined {
    assertTime(windowStart)
    assert(!this.options.retainDuplicates, `window store ${this.name} retains duplicates: fetch them`)
    if (windowStart < this.#firstVisible()) return undefined
    return this.#rows.get(windowKey(this.#segmentOf(windowStart), key, windowStart, 0))
  }

  fetch(key: Buffer, from: number, to: number, direction: WindowDirection = {}): IterableIterator<WindowEntry> {
    return this.fetchKeys(key, key, from, to, direction)
  }

  fetchKeys(
    first: Buffer | null,
    last: Buffer | null,
    from: number,
    to: number,
    { reverse = false }: WindowDirection = {},
  ): IterableIterator<WindowEntry> {
    const bounds = { first, last, from: Math.max(from, this.#firstVisible()), to: Math.min(to, this.observedTime) }
    const segments: IterableIterator<Entry>[] = []
    if (bounds.from > bounds.to) return new WindowRange(segments, bounds)
    const newest = this.#segmentOf(bounds.to)
    // Opened from the first to be read, so that an error leaves the others unopened.
    for (let segment = this.#segmentOf(bounds.from); segment <= newest; segment++)
      segments.push(this.#segmentRange(segment, bounds, reverse))
    if (reverse) segments.reverse()
    return new WindowRange(segments, bounds)
  }

  fetchAll(from: number, to: number, direction: WindowDirection = {}): IterableIterator<WindowEntry> {
    return this.fetchKeys(null, null, from, to, direction)
  }

  all(direction: WindowDirection = {}): IterableIterator<WindowEntry> {
    return this.fetchKeys(null, null, 0, Number.MAX_SAFE_INTEGER, direction)
  }

  // For the owner of the rows

  /** A row of the changelog, later than all before (WS4). False when it is not this store's kind of key. */
  restore(key: Buffer, value: Buffer | null): boolean {
    if (!isChangelogKey(key)) return false
    const windowStart = startOf(key)
    const clock = this.#read()
    const observed = Math.max(clock.observed, windowStart)
    const sequence = this.options.retainDuplicates ? sequenceOf(key) : 0
    if (observed !== clock.observed || sequence !== clock.sequence) this.#write(observed, sequence)
    if (windowStart <= observed - this.options.retentionMs) return true
    const row = Buffer.concat([segmentKey(this.#segmentOf(windowStart)), key])
    if (value === null) this.#rows.delete(row)
    else this.#rows.put(row, value)
    return true
  }

  /** The changelog's key of a row; null for the clock row, which is this store's alone. */
  changelogKey(row: Buffer): Buffer | null {
    return row.equals(CLOCK_KEY) ? null : changelogKey(row)
  }

  /** What is written is committed now. */
  committed(): void {
    this.#clock = null
    this.#committedObserved = this.#read().observed
  }

  /** Rows went back to an earlier state. */
  undone(): void {
    this.#clock = null
  }

  /** Rows below this key may be dropped (WS3); null while there are none. */
  expiredBelow(): Buffer | null {
    const oldest = this.#committedObserved - this.options.retentionMs
    const segment = oldest <= 0 ? 0 : this.#segmentOf(oldest)
    return segment === 0 ? null : segmentKey(segment)
  }

  #segmentOf(time: number): number {
    return Math.floor(time / this.#segmentMs)
  }

  #firstVisible(): number {
    return Math.max(0, this.#read().observed - this.options.retentionMs + 1)
  }

  #segmentRange(segment: number, { first, last, from, to }: WindowBounds, reverse: boolean): IterableIterator<Entry> {
    const oneKey = first !== null && last !== null && first.equals(last)
    const gte = oneKey
      ? windowKey(segment, first, Math.max(from, segment * this.#segmentMs), 0)
      : Buffer.concat([segmentKey(segment), first ?? Buffer.alloc(0)])
    if (oneKey) return this.#rows.range({ gte, lt: windowKey(segment, last, to + 1, 0), reverse })
    return this.#rows.range({
      gte,
      lt: last === null ? segmentKey(segment + 1) : endOfKeys(segment, last, to),
      reverse,
    })
  }

  #read(): WindowClock {
    if (this.#clock !== null) return this.#clock
    const bytes = this.#rows.get(CLOCK_KEY)
    this.#clock = bytes === undefined ? NO_CLOCK : decodeClock(bytes)
    return this.#clock
  }

  #write(observed: number, sequence: number): void {
    this.#clock = { observed, sequence }
    this.#rows.put(CLOCK_KEY, encodeClock(this.#clock))
  }
}

function assertTime(windowStart: number): void {
  assert(Number.isSafeInteger(windowStart) && windowStart >= 0, `${windowStart} is no window start in ms`)
}
