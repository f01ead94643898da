/** What the payment provider is made with; no host name outside the configuration. */

import type { Provider } from '../effects/port.ts'

/** Whom an organization is billed through. Read when a call is made, so that no name or address is in an event. */
export interface Owner {
  readonly name: string
  readonly email: string
}

export interface StripeSettings {
  readonly baseUrl: string
  readonly apiKey: string
  readonly mode: Provider['mode']
  /** Of one exchange. */
  readonly timeoutMs: number
  /** Token bucket of the account; null is unlimited. */
  readonly rate: Provider['rate']
  /** Calls in flight at once; 16 unless told. */
  readonly concurrency?: number
  /** Null when the organization has no owner any more. */
  readonly resolveOwner: (tenantId: string, organizationId: string) => Promise<Owner | null>
}

/** The version that requests are written for and that webhooks are to be set to. */
export const stripeApiVersion = '2026-10-28.endive'
export const defaultConcurrency = 16
