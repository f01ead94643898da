/** What is sent together and settles together: one event, or the events of one `sendBatch`. */

import type { ClientError } from './errors.ts'
import type { Priority, Receipt } from './event.ts'
import type { JudgedEvent } from './judge.ts'

export interface NumberedEvent extends JudgedEvent {
  readonly sequence: number
  /** The client gave the sequence, not the sender. */
  readonly isCounted: boolean
  /** The sender can name it again after a crash. */
  readonly isNamed: boolean
}

export type Outcome = { readonly receipts: readonly Receipt[] } | { readonly error: ClientError }

export interface Unit {
  readonly events: readonly NumberedEvent[]
  /** Each once. */
  readonly entities: readonly string[]
  readonly sizeBytes: number
  readonly priority: Priority
  /** When it is given up, by the clock in ms. */
  readonly deadline: number
  settle(outcome: Outcome): void
}
