/** Bounds of the HTTP server. Every one is finite: nothing a peer does can hold memory or a socket for ever. */

export interface HttpSettings {
  /** Of a request body, received and decoded, in bytes. */
  readonly bodyLimitBytes: number
  /** Per client address; 0 is no limit. */
  readonly requestsPerMinute: number
  /** Addresses and networks (`10.0.0.0/8`) of proxies in front of us: what they say of a client's address is believed. */
  readonly trustedProxies: readonly string[]
  /** For the whole request to arrive, in ms. */
  readonly requestTimeoutMs: number
  readonly headersTimeoutMs: number
  /** How often the two above are checked, in ms. */
  readonly timeoutCheckMs: number
  /** A connection without a request in it, in ms. */
  readonly keepAliveMs: number
  readonly maxConnections: number
  readonly maxHeaderBytes: number
  /** A stream of events whose reader takes nothing for so long ends, in ms. */
  readonly streamStallMs: number
  /** How long `close` waits for requests in flight, in ms. */
  readonly closeGraceMs: number
}

export const httpDefaults: HttpSettings = Object.freeze({
  bodyLimitBytes: 1024 * 1024,
  requestsPerMinute: 1000,
  trustedProxies: Object.freeze([]),
  requestTimeoutMs: 15_000,
  headersTimeoutMs: 5_000,
  timeoutCheckMs: 1_000,
  keepAliveMs: 5_000,
  maxConnections: 4_096,
  maxHeaderBytes: 16 * 1024,
  streamStallMs: 30_000,
  closeGraceMs: 5_000,
})
