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
  /** Reads of one tenant that wait for their `min_position` at a time. */
  readonly visibleWaitsPerTenant: number
  /** Reads of one tenant that wait for their turn; beyond it 503. */
  readonly waitingPerTenant: number
  readonly stream: {
    /** How often the rows are looked at for news, in ms. */
    readonly lookMs: number
    /** A sign of life when there are none, in ms. */
    readonly beatMs: number
    /** A stream ends after this time and is opened again, with the token of then, in ms. */
    readonly longestMs: number
    /** Events of one read. */
    readonly page: number
    /** Streams of one person, of all people of a client, and of the process. */
    readonly perUser: number
    readonly perTenant: number
    readonly inAll: number
  }
}

export const queryDefaults: Omit<QuerySettings, 'cursorSecret'> = Object.freeze({
  cursorMs: 60 * 60 * 1000,
  visibleWaitMs: 2_000,
  readsPerTenant: 2,
  visibleWaitsPerTenant: 8,
  waitingPerTenant: 64,
  stream: Object.freeze({
    lookMs: 250,
    beatMs: 15_000,
    longestMs: 5 * 60_000,
    page: 200,
    perUser: 8,
    perTenant: 128,
    inAll: 512,
  }),
})
