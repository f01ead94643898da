/** The way events go. Two stand behind it, HTTP ingest and Kafka; `tests/contracts/transport.ts` holds them to the same. */

import type { Clock, Random } from '../topology/clock.ts'
import type { ClientError } from './errors.ts'
import type { JudgedEvent } from './judge.ts'
import type { Outcome, Unit } from './unit.ts'

export interface TransportContext {
  /** The producer's durable name. */
  readonly name: string
  readonly clock: Clock
  readonly random: Random
  /** One line for a person. */
  readonly notice: (line: string) => void
  /** Called when something is tried again. */
  readonly retried: () => void
}

/** What one delivery may hold; one unit may always. */
export interface DeliveryLimits {
  readonly bytes: number
  readonly events: number
}

export interface Transport {
  /** Deliveries under way at once. */
  readonly concurrency: number
  readonly limits: DeliveryLimits
  /** Whether this unit may share its delivery with others. */
  isShared(unit: Pick<Unit, 'events'>): boolean
  /** Why this event cannot go this way; null when it can. */
  objection(event: JudgedEvent): ClientError | null
  /** The last sequence of an entity that is durable; null when that is not known. */
  committed(entity: string): number | null
  /**
   * Sends them, in order, and again until their outcome is known or `until` has come (ms, by the clock); never rejects.
   * @returns one outcome a unit, in their order; of one entity nothing is written behind what may be sent again
   */
  deliver(units: readonly Unit[], until: number): Promise<readonly Outcome[]>
  /** Gives up what is under way. */
  close(): Promise<void>
}

export type OpenTransport = (context: TransportContext) => Promise<Transport>
