/**
 * The outbox as the relay sees it: what it needs of the database, in few verbs. PostgreSQL and memory implement it, and
 * one suite holds them to the same answers (`tests/contracts/outbox.ts`). Trouble is thrown as it comes: the term is over
 * then, and the next one finds out what was done.
 */

import type { AnyEvent } from '../../schemas/index.ts'

export interface OutboxRow {
  /** int8, exact. */
  readonly id: string
  readonly topic: string
  readonly key: string
  readonly event: AnyEvent
}

export interface StampedRow extends OutboxRow {
  readonly batch: string
}

/** Where a row went in the log. */
export interface Sent {
  readonly id: string
  readonly partition: number
  readonly offset: bigint
}

export interface PlacedRow {
  readonly topic: string
  readonly sent: boolean
  readonly partition: number | null
  readonly offset: string | null
}

export interface OutboxRows {
  /**
   * Takes the lock under which one relay of the cluster leads. Null when another has it.
   * @param news called when rows were committed, perhaps also without reason
   */
  lead(news: () => void): Promise<LedRows | null>
  /** Null when there is no such row. */
  placeOf(id: string): Promise<PlacedRow | null>
  /** True when there are rows on their way to the log; those set aside, and what waits behind them, are not. */
  hasUnsent(): Promise<boolean>
}

/** The rows in the hands of who leads (O1): each call is a transaction of its own, and rejects once the lock is lost. */
export interface LedRows {
  /** Rows that may go next, oldest first. A row behind one that was set aside waits, so that the order of a key holds. */
  waiting(limit: number): Promise<readonly OutboxRow[]>
  /** Rows with a batch number that are not known to be sent, in the order of their batches. */
  stamped(): Promise<readonly StampedRow[]>
  /** The highest number ever given, 0 when there is none. */
  lastBatch(): Promise<bigint>
  stamp(ids: readonly string[], batch: bigint): Promise<void>
  /** Notes where the rows went and drops their events: what was personal in them is gone from here. `at` in ms. */
  markSent(sent: readonly Sent[], at: number): Promise<void>
  /** The same, where nobody knows any more which offsets the log gave them. */
  markSentSomewhere(ids: readonly string[], at: number): Promise<void>
  /** Rows that turned out not to go with their batch, which is not in the log yet. */
  unstamp(ids: readonly string[]): Promise<void>
  setAside(id: string, failure: string, at: number): Promise<void>
  /** Deletes what was sent before this time, in ms; the newest batch stays: its number is the next one's predecessor. */
  forgetSent(before: number): Promise<void>
  /** Gives up the lock. Never throws. */
  release(): void
}
