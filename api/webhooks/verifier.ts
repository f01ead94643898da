/** What a provider's webhooks are: how they are signed, and what they say. */

import type { IncomingHttpHeaders } from 'node:http'
import type { AnyEventTopic } from '../../schemas/index.ts'

export interface WebhookVerifier {
  /** In the path: `/webhooks/{provider}/{endpoint}`. */
  readonly provider: string
  /**
   * Over the raw bytes, before anything is parsed; compares in constant time.
   * @param secrets of the endpoint, any of which may have signed
   * @param nowMs real time
   */
  verify(
    headers: IncomingHttpHeaders,
    raw: Buffer,
    secrets: readonly string[],
    nowMs: number,
  ): 'ok' | { readonly status: 400 | 401 }
  /**
   * After verification. What cannot be used is said to be so.
   * @throws ApiProblem for what the provider is to send again once its settings are mended
   */
  read(raw: Buffer): readonly (WebhookEvent | UnusableEvent)[]
}

export interface WebhookEvent {
  /** The provider's id of this delivery: the same when it comes again. */
  readonly deliveryId: string
  readonly topic: AnyEventTopic
  /** Of visibility `webhook`. */
  readonly type: string
  /** From metadata that we set ourselves; null where the object bears none. */
  readonly tenantId: string | null
  readonly organizationId: string | null
  readonly payload: Readonly<Record<string, unknown>>
  /** The provider's id of what it is about. */
  readonly objectId: string
  /** Ids of what belongs to it: whose tenant is known when one of them was seen before. */
  readonly relatedIds?: readonly string[]
}

/** A part of a delivery that is set aside. */
export interface UnusableEvent {
  readonly deliveryId: string
  /** One line, nothing personal. */
  readonly unusable: string
}

export const isUnusable = (event: WebhookEvent | UnusableEvent): event is UnusableEvent => 'unusable' in event
