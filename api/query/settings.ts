/** Bounds of the query API. */

export interface QuerySettings {
  /** Signs cursors; at least 32 bytes, the same in every process. */
  readonly cursorSecret: Buffer
  /** How long a cursor is good, in ms. */
  readonly cursorMs: number
  /** How long a read waits for its `min_position`, in ms. */
  readonly visibleWaitMs: number
  /** Reads of one tenant at a time: a quarter of the pool, so that no tenant holds it all. */
  readonly readsPerTenant: number
  /** Reads of one tenant that wait for their turn; beyond it 503. */
  readonly waitingPerTenant: number
}

export const queryDefaults: Omit<QuerySettings, 'cursorSecret'> = Object.freeze({
  cursorMs: 60 * 60 * 1000,
  visibleWaitMs: 2_000,
  readsPerTenant: 2,
  waitingPerTenant: 64,
})
