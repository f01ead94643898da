/** What an outside service looks like to the effect worker. Retries, rate limits and ordering are the worker's. */

import type { Json } from '../../schemas/index.ts'

export interface ProviderCall {
  /** Deterministic; the idempotency key where the provider takes one. */
  readonly callId: string
  readonly operation: string
  readonly attempt: number
  readonly tenantId: string
  readonly organizationId: string
  readonly request: Json
  /** Ends the call when the task closes or the time is up. */
  readonly signal: AbortSignal
}

/** ok · retry (408, 409, 429, 5xx, network, time out) · auth · quota · invalid: the last three are not tried again. */
export type CallClass = 'ok' | 'retry' | 'auth' | 'quota' | 'invalid'

export interface CallOutcome {
  readonly class: CallClass
  /** HTTP status; 0 when none came. */
  readonly status: number
  readonly output: Json
  /** What the provider asked us to wait, in ms, when it said so. */
  readonly retryAfterMs?: number
  /** Plain words, nothing personal, for a class other than ok. */
  readonly error?: string
  readonly costMicrodollars?: number
}

export interface Provider {
  readonly name: string
  /** The account that a rate limit counts against. */
  readonly account: string
  readonly mode: 'sandbox' | 'live'
  /**
   * What a repeat after a crash means. keyed: the provider takes our key · lookup-first: ask before sending again ·
   * may-repeat: the call can happen twice.
   */
  readonly repeat: 'keyed' | 'lookup-first' | 'may-repeat'
  /** Token bucket; null is unlimited. */
  readonly rate: { readonly capacity: number; readonly refillPerMs: number } | null
  readonly concurrency: number
  readonly timeoutMs: number
  /** Never throws for what the provider did: every answer is an outcome. */
  call(call: ProviderCall): Promise<CallOutcome>
}
