/**
 * When calls of an account may start (A5): planned by reservations in the waiting store, decided by real starts.
 *
 *   waiting store   'r' account -> start times, 8 bytes each: the last, then the earlier ones
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
  readonly #started = new Map<string, number[]>()

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

  get started(): ReadonlyMap<string, readonly number[]> {
    return this.#started
  }

  /** A run before in this process knows when its calls really started. */
  takeOver(started: ReadonlyMap<string, readonly number[]>): void {
    for (const [account, starts] of started) this.#started.set(account, [...starts])
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
  }

  /** The earliest time this record is likely to start, taken. Inside a step. */
  reserve(record: StreamRecord, now: number): number {
    const limited = this.#limitOf(record)
    if (limited === null) return now
    const row = Buffer.concat([Buffer.of(startsPrefix), Buffer.from(limited.account, 'utf8')])
    // Read from the store each time, so that a reservation that was rolled back is forgotten.
    const value = this.#store.get(row)
    const starts = value === undefined ? [] : inOrder(value)
    const start = nextStart(starts, limited.limit, now)
    const kept = keptStarts([...starts, start], limited.limit, now)
    this.#store.put(row, offsetList(BigInt(start), kept.slice(0, -1).map(BigInt)))
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
