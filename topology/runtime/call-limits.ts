/**
 * When calls of an account may start (A5): planned by reservations in the waiting store, decided by real starts, which
 * take the place of their reservations with the commit that follows.
 *
 *   waiting store   'r' account -> start times, 8 bytes each: the last, then the earlier ones
 *
 * An account is never forgotten: what its window is, only the next record of it can say, and until then a start may count.
 */

import type { KeyValueStore } from '../../state-stores/index.ts'
import type { AsyncOperation, CallLimit } from '../graph/nodes.ts'
import type { StreamRecord } from '../graph/record.ts'
import { offsetList, readOffsets } from './open-offsets.ts'

const startsPrefix = 0x72

export class CallLimits {
  readonly #operator: AsyncOperation
  readonly #store: KeyValueStore
  /** Real start times per account, the last `limit.calls` of them. */
  readonly #started = new Map<string, readonly number[]>()
  /** Accounts with starts that the store does not know. */
  readonly #unwritten = new Set<string>()

  /** What the run before had reserved up to now counts as started. */
  constructor(operator: AsyncOperation, store: KeyValueStore, now: number) {
    this.#operator = operator
    this.#store = store
    const rows = store.range({ gte: Buffer.of(startsPrefix), lt: Buffer.of(startsPrefix + 1) })
    for (const [row, value] of rows)
      this.#started.set(
        row.toString('utf8', 1),
        inOrder(value).filter((start) => start <= now),
      )
  }

  /** True when calls have started since the last write. */
  get hasUnwritten(): boolean {
    return this.#unwritten.size > 0
  }

  get started(): ReadonlyMap<string, readonly number[]> {
    return this.#started
  }

  /** A run before in this process knows when its calls really started; whoever had the task in between, what came later. */
  takeOver(started: ReadonlyMap<string, readonly number[]>): void {
    for (const [account, starts] of started) {
      this.#started.set(account, latest(this.#started.get(account) ?? [], starts))
      this.#unwritten.add(account)
    }
  }

  /** When a call may really start. */
  startOf(record: StreamRecord, now: number): number {
    const limited = this.#limitOf(record)
    return limited === null ? now : nextStart(this.#started.get(limited.account) ?? [], limited.limit, now)
  }

  /** A call starts now. */
  starts(record: StreamRecord, now: number): void {
    const limited = this.#limitOf(record)
    if (limited === null) return
    const starts = this.#started.get(limited.account) ?? []
    this.#started.set(limited.account, [...starts, now].slice(-limited.limit.calls))
    this.#unwritten.add(limited.account)
  }

  /** Puts real starts in the place of their reservations; part of the commit. */
  write(now: number): void {
    for (const account of this.#unwritten) {
      const row = rowOf(account)
      const value = this.#store.get(row)
      const planned = value === undefined ? [] : inOrder(value)
      const past = planned.filter((start) => start <= now)
      const ahead = planned.slice(past.length)
      const written = rowValue([...latest(past, this.#started.get(account) ?? []), ...ahead])
      if (value === undefined || !value.equals(written)) this.#store.put(row, written)
    }
    this.#unwritten.clear()
  }

  /** The earliest time this record is likely to start, taken. Inside a step. */
  reserve(record: StreamRecord, now: number): number {
    const limited = this.#limitOf(record)
    if (limited === null) return now
    const row = rowOf(limited.account)
    // Read from the store each time, so that a reservation that was rolled back is forgotten.
    const value = this.#store.get(row)
    const starts = value === undefined ? [] : inOrder(value)
    const start = nextStart(starts, limited.limit, now)
    this.#store.put(row, rowValue(keptStarts([...starts, start], limited.limit, now)))
    return start
  }

  /** A limit that cannot be told is none: the call itself will say what is wrong with the record. */
  #limitOf(record: StreamRecord): { readonly account: string; readonly limit: CallLimit } | null {
    try {
      return this.#operator.limit?.(record) ?? null
    } catch {
      return null
    }
  }
}

const rowOf = (account: string): Buffer => Buffer.concat([Buffer.of(startsPrefix), Buffer.from(account, 'utf8')])

const rowValue = (starts: readonly number[]): Buffer =>
  offsetList(BigInt(starts.at(-1) ?? 0), starts.slice(0, -1).map(BigInt))

/** Of two views of the same starts, in order and aligned at their ends, the later time of each. */
function latest(one: readonly number[], other: readonly number[]): number[] {
  const [long, short] = one.length >= other.length ? [one, other] : [other, one]
  const more = long.length - short.length
  return long.map((start, index) => Math.max(start, short[index - more] ?? start))
}

function inOrder(value: Buffer): number[] {
  const [last, ...earlier] = readOffsets(value).map(Number)
  return last === undefined ? [] : [...earlier, last]
}

/** At most `calls` in any window: the start `calls` places back plus the window, and never before an earlier start. */
function nextStart(starts: readonly number[], limit: CallLimit, now: number): number {
  const last = starts.at(-1) ?? now
  const oldest = starts.length < limit.calls ? undefined : starts[starts.length - limit.calls]
  return Math.max(now, last, oldest === undefined ? now : oldest + limit.windowMs)
}

/** What a restart must know: starts still inside the window, and the last reservations after now. */
function keptStarts(starts: readonly number[], { calls, windowMs }: CallLimit, now: number): number[] {
  const inWindow = starts.filter((start) => start <= now && start > now - windowMs)
  const ahead = starts.filter((start) => start > now)
  return [...inWindow.slice(-calls), ...ahead.slice(-calls)]
}
