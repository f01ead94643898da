/** What every research provider is made with; one object per provider, no host name outside the configuration. */

import type { Provider } from '../effects/port.ts'

export interface ResearchProviderSettings {
  readonly baseUrl: string
  readonly apiKey: string
  readonly mode: Provider['mode']
  /** Of one call; a scraping job waits this long for its pages. */
  readonly timeoutMs: number
  /** Token bucket of the account; null is unlimited. */
  readonly rate: Provider['rate']
  /** Calls in flight at once; 16 unless told. */
  readonly concurrency?: number
  /** The longest answer that is read, in bytes; 2 MiB unless told. */
  readonly maxBytes?: number
  /** Wall clock in ms, for a `retry-after` that is a date. */
  readonly now?: () => number
}

export const defaultConcurrency = 16
export const defaultMaxBytes = 2 * 1024 * 1024
