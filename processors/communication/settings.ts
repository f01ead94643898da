/** Bounds of what is written to a person. */

import type { RetrySettings } from '../retry.ts'

export interface CommunicationSettings {
  /** The same dedupe key within this time is one message, in ms. */
  readonly dedupeMs: number
  /** So many messages that are not transactional within `capMs`, at most. */
  readonly cap: number
  readonly capMs: number
  /** Messages remembered per contact, at most. */
  readonly remembered: number
  readonly retry: RetrySettings
}

export const communicationDefaults: CommunicationSettings = Object.freeze({
  dedupeMs: 24 * 60 * 60 * 1000,
  cap: 3,
  capMs: 7 * 24 * 60 * 60 * 1000,
  remembered: 200,
  retry: { attempts: 5, baseMs: 2_000, capMs: 60_000 },
})
