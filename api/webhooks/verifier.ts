/** What a provider's webhooks are to the endpoint: verified over the bytes, then read. */

import type { IncomingHttpHeaders } from 'node:http'
import type { Json } from '../../schemas/index.ts'

export interface WebhookVerifier {
  readonly provider: string
  /** `nowMs` is business time. Several secrets stand during a rotation. */
  verify(
    headers: IncomingHttpHeaders,
    raw: Buffer,
    secrets: readonly string[],
    nowMs: number,
  ): 'ok' | { readonly status: 400 | 401 }
  /** After verification: what is appended; nothing for what says nothing here. */
  read(raw: Buffer): readonly WebhookEvent[]
}

export interface WebhookEvent {
  /** The provider's id of it, the same when it is delivered again. */
  readonly deliveryId: string
  readonly topic: string
  readonly type: string
  /** From the metadata that we set ourselves; null when the object carries none. */
  readonly tenantId: string | null
  readonly organizationId: string | null
  readonly payload: Readonly<Record<string, Json>>
  /** The provider's object by which its tenant is found otherwise. */
  readonly objectId: string
}
