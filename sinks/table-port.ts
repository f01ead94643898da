/**
 * What a sink needs of a database, in few verbs. PostgreSQL and memory implement it, and one suite holds them to the
 * same answers (`tests/contracts/projection.ts`). Trouble with the database is thrown as it comes: nothing happened, or
 * the port has already found out what did; the caller waits and does the same again.
 */

import type { AnyProjection } from './projection.ts'
import type { RowChange, Table } from './table.ts'

/** One partition of one sink's topic, in one particular log. */
export interface SinkSource {
  readonly sink: string
  readonly topic: string
  readonly partition: number
  readonly clusterId: string
  readonly topicId: string
  /** How many the topic has: with another number, keys stand elsewhere. */
  readonly partitions: number
}

export interface Claim {
  readonly source: SinkSource
  /** Higher than any owner had before. */
  readonly epoch: bigint
  readonly nextOffset: bigint
}

/** A change with the record it came from. */
export type PlacedChange = RowChange & {
  readonly offset: bigint
  /** Event time in ms. */
  readonly at: number
}

/** What the records [from, next) of a partition did. */
export interface SinkBatch {
  readonly claim: Claim
  readonly from: bigint
  readonly next: bigint
  readonly changes: readonly PlacedChange[]
}

/**
 * committed: rows and offset are in. moved: somebody (a rebuild) set the offset elsewhere; nothing written. fenced: the
 * partition has another owner; nothing written. rejected: the database will never take these values; nothing written.
 */
export type CommitOutcome =
  | { readonly kind: 'committed' }
  | { readonly kind: 'moved'; readonly nextOffset: bigint }
  | { readonly kind: 'fenced' }
  | { readonly kind: 'rejected'; readonly reason: string }

export interface SinkOffset {
  readonly sink: string
  readonly topic: string
  readonly partition: number
  readonly nextOffset: bigint
  readonly epoch: bigint
}

export interface TablePort {
  /**
   * Takes a partition over from whoever had it. A new one begins at `firstOffset`.
   * @throws SinkError OTHER_LOG when its offsets belong to another log
   */
  claim(source: SinkSource, firstOffset: bigint): Promise<Claim>
  /** Writes rows and offset in one transaction. Changes stand in the order of their records. */
  commit(batch: SinkBatch): Promise<CommitOutcome>
  /** Empties a projection and its offsets in one transaction, and fences whoever fills it. */
  reset(projection: AnyProjection): Promise<void>
  /** By sink, topic and partition. */
  offsets(): Promise<readonly SinkOffset[]>
  /** Empties the personal columns of a tenant's rows: what a rebuild gives once its key is destroyed. */
  erase(tables: readonly Table[], tenantId: string): Promise<void>
}

export type SinkErrorCode =
  | 'OTHER_LOG'
  | 'AHEAD_OF_LOG'
  | 'BEHIND_LOG'
  | 'POISON_RATE'
  | 'REFUSED'
  | 'UNKNOWN_PROJECTION'
  | 'MISSING_TOPIC'
  | 'CLOSED'

/** Trouble that waiting does not help. */
export class SinkError extends Error {
  readonly code: SinkErrorCode
  constructor(code: SinkErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'SinkError'
    this.code = code
  }
}

/**
 * Where a commit can be interrupted; names as in the fault matrix. A test's hook throws or waits there. C20 the offset row
 * is locked · C21 some rows are written · C22 the offset is written · C23 it is committed, and nobody has heard of it.
 */
export type CommitPoint = 'C20' | 'C21' | 'C22' | 'C23'
export type CommitHook = (point: CommitPoint) => void | Promise<void>

export const otherLog = ({ sink, topic, partition }: SinkSource): SinkError =>
  new SinkError(
    'OTHER_LOG',
    `sink ${sink}: the offsets in this database for ${topic}-${partition} belong to another log (cluster, topic or partition count differs): ` +
      `connect the right one, or run: npm run projections -- rebuild ${sink}`,
  )
