/** What a client has done so far, in numbers. */

import type { Priority } from './event.ts'

export interface ClientStats {
  /** Events that were found good: each is acknowledged, failed, dropped or still held. */
  readonly accepted: number
  /** Bytes held: waiting and under way. */
  readonly queuedBytes: number
  readonly waitingEvents: number
  readonly underWayEvents: number
  /** Calls of `send` that wait for room. */
  readonly waitingForRoom: number
  readonly acknowledged: number
  /** Of the acknowledged, those that had been written before. */
  readonly duplicates: number
  /** Given up, by whatever error but DROPPED. */
  readonly failed: number
  readonly retries: number
  readonly dropped: Readonly<Record<Priority, number>>
}

/** Counts of a client's life. */
export class Counts {
  accepted = 0
  acknowledged = 0
  duplicates = 0
  failed = 0
  retries = 0
  readonly dropped: Record<Priority, number> = { low: 0, normal: 0, high: 0 }
}
