/**
 * Which of its sender's events about an entity an event is. One of the two counts, for one entity never both:
 *
 *   the sender   gives numbers that grow, and may give one again after that event has failed
 *   the client   goes on from the last it knows of, else from the clock (a microsecond a number), so that what a process
 *                counts is above what an earlier one has counted
 */

import { ClientError } from './errors.ts'
import { ownCountFrom } from './judge.ts'

/** Beyond this the entity that was longest silent is forgotten. */
const maxEntities = 200_000

export class Numbering {
  readonly #last = new Map<string, number>()
  readonly #committed: (entity: string) => number | null
  readonly #now: () => number

  /** @param committed the last that is durable of an entity, by whatever process; null when that is not known */
  constructor(committed: (entity: string) => number | null, now: () => number) {
    this.#committed = committed
    this.#now = now
  }

  /** @throws ClientError BAD_SEQUENCE */
  number(entity: string, given: number | null): number {
    const sent = this.#last.get(entity)
    const last = laterOf(sent ?? null, this.#committed(entity))
    const sequence = given ?? (last === null ? this.#now() * 1000 : last + 1)
    if (given !== null && last !== null && last >= ownCountFrom)
      throw badSequence(`sequence: ${given} is given, but the client counts this entity: leave it out.`)
    if (given !== null && sent !== undefined && given <= sent)
      throw badSequence(`sequence: ${given} is given after ${sent}; of one entity sequences grow.`)
    this.#last.delete(entity)
    this.#last.set(entity, sequence)
    if (this.#last.size > maxEntities) this.#last.delete(this.#last.keys().next().value!)
    return sequence
  }

  /** A number of the sender's that was not used up, unless a later one was given meanwhile. */
  takeBack(entity: string, sequence: number): void {
    if (sequence < ownCountFrom && this.#last.get(entity) === sequence) this.#last.set(entity, sequence - 1)
  }
}

const laterOf = (one: number | null, other: number | null): number | null =>
  one === null || other === null ? (one ?? other) : Math.max(one, other)

const badSequence = (message: string): ClientError =>
  new ClientError('BAD_SEQUENCE', message, 'stop', { field: 'sequence' })
