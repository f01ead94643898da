/** An event as a producer gives it, and what it gets back. */

import type { PublicEvent, TopicName } from '../schemas/index.ts'

/** What is given up first when the queue is full. */
export const priorities = ['low', 'normal', 'high'] as const
export type Priority = (typeof priorities)[number]

/** Whose event it is. Over HTTP the credential says so, and this may only repeat it. */
export interface Tenant {
  readonly tenantId: string
  readonly organizationId: string
}

export interface EventOptions {
  /**
   * Your own number of the event among those of its entity, growing from 1. With it the event may be sent again after a crash
   * and is written once. Without it the client counts.
   *
   * An event that failed with `retry` keeps its turn: until it was sent again, or left out by `leaveOut`, those after it of its
   * entity fail with EARLIER_FAILED, also those that were sent before it failed. Send them again in order. This is the client's
   * memory, not the log's: another process should begin with what is not acknowledged, since what is sent below a number that
   * is durable may be taken for a duplicate.
   */
  readonly sequence?: number
  /** Your own name of the event, where you do not number: over HTTP it may then be sent again and is written once. */
  readonly id?: string
  /** Event time in ms since 1970; now unless told. */
  readonly timestamp?: number
  readonly tenant?: Tenant
  /** `normal` unless told. */
  readonly priority?: Priority
}

/** `type` and `payload` as the topic declares them, for the types that a client may send. */
export type EventToSend<N extends TopicName> = PublicEvent<N> & EventOptions

/** The event is durable. */
export interface Receipt {
  /** Null for a duplicate whose first answer nobody remembers. */
  readonly eventId: string | null
  /** `topic-partition@offset`, or null as above. */
  readonly position: string | null
  /** As it stands in the record's headers; null where none stands: over HTTP, for an event with an `id` of its own. */
  readonly sequence: number | null
  /** It had been written before and was not written again. Over HTTP the first answer is repeated, and this is false. */
  readonly duplicate: boolean
}
