/** Bounds of the ingest API. */

export interface IngestSettings {
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
  /** An event may be ahead of our clock by this, in ms. */
  readonly futureMs: number
  /** Older than this is marked late, in ms. */
  readonly lateAfterMs: number
  /** Oldest event time taken, by the topic's retention, in ms. */
  readonly oldestMs: Readonly<Record<'forever' | '7d', number>>
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
  futureMs: 5 * 60 * 1000,
  lateAfterMs: dayMs,
  oldestMs: Object.freeze({ forever: 30 * dayMs, '7d': 7 * dayMs }),
  takeoverAfterMs: 3_000,
  closeGraceMs: 5_000,
  keyRetentionMs: dayMs,
})
