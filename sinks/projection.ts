/** A projection as a value: the topic it reads, the tables it keeps, and a pure function from event to row changes. */

import type { EventDefinitions, EventOf, EventTopic } from '../schemas/index.ts'
import type { RowChange, Table } from './table.ts'

/** Where an event stands. */
export interface EventPlace {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
}

export interface Projection<D extends EventDefinitions = EventDefinitions> {
  /** Durable: the group is `sink-<name>`, and offsets are kept under it. */
  readonly name: string
  readonly reads: EventTopic<D>
  /** No other projection writes them. */
  readonly tables: readonly Table[]
  /** Pure: the same event gives the same changes, so a rebuild gives the same rows. */
  apply(event: EventOf<D>, place: EventPlace): readonly RowChange[]
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a list of projections of different topics
export type AnyProjection = Projection<any>

export const sinkGroup = ({ name }: Pick<AnyProjection, 'name'>): string => `sink-${name}`

export function defineProjection<const D extends EventDefinitions>(projection: Projection<D>): Projection<D> {
  return Object.freeze(projection)
}
