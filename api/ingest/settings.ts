/** Bounds of the ingest API. */

import type { EventTimeBounds } from '../../schemas/index.ts'
import { eventTimeBounds } from '../../schemas/index.ts'

export interface IngestSettings extends EventTimeBounds {
  /**
   * The name of this process's transactional producer, the same after a restart: opening it ends what an earlier run left
   * open, and it owns the idempotency keys being worked on.
   */
  readonly transactionalId: string
  readonly transactionTimeoutMs: number
  /** Records of one transaction, in bytes; requests that come meanwhile share the next one. */
  readonly batchBytes: number
  /** Records that wait for a transaction, in bytes; beyond it 503. */
  readonly queueBytes: number
  readonly eventsPerRequest: number
  /** How long a retry waits for another process that holds its idempotency key, before it takes over, in ms. */
  readonly takeoverAfterMs: number
  /** How long `close` waits for the transaction that runs, in ms. */
  readonly closeGraceMs: number
  /** How long an idempotency key is remembered, in ms. */
  readonly keyRetentionMs: number
}

const dayMs = 24 * 60 * 60 * 1000

/** Durable: what a process's transactional id begins with. */
export const ingestPrefix = 'ingest-'

export const ingestDefaults: Omit<IngestSettings, 'transactionalId'> = Object.freeze({
  transactionTimeoutMs: 30_000,
  batchBytes: 900_000,
  queueBytes: 32 * 1024 * 1024,
  eventsPerRequest: 1_000,
  ...eventTimeBounds,
  takeoverAfterMs: 3_000,
  closeGraceMs: 5_000,
  keyRetentionMs: dayMs,
})
