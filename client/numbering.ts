/**
 * Which of its sender's events about an entity an event is, and which of them are owed: they failed and may be sent again, and
 * until they were, nothing above them gets through (CL5). One of the two counts, for one entity never both:
 *
 *   the sender   gives numbers that grow, and gives one again after that event has failed
 *   the client   goes on from the last it knows of, else from the clock (a microsecond a number), so that what a process
 *                counts is above what an earlier one has counted
 */

import { ClientError } from './errors.ts'
import { ownCountFrom } from './judge.ts'

/** Beyond this the entity that was longest silent is forgotten. */
const maxEntities = 200_000
/** Beyond this what the entity owes that owes longest is forgotten. */
const maxOwed = 200_000

export class Numbering {
  readonly #last = new Map<string, number>()
  /** By entity, growing. Those up to the last were sent again and have not settled. */
  readonly #owed = new Map<string, number[]>()
  #owedCount = 0
  readonly #committed: (entity: string) => number | null
  readonly #now: () => number

  /** @param committed the last that is durable of an entity, by whatever process; null when that is not known */
  constructor(committed: (entity: string) => number | null, now: () => number) {
    this.#committed = committed
    this.#now = now
  }

  /** @throws ClientError BAD_SEQUENCE, EARLIER_FAILED */
  number(entity: string, given: number | null): number {
    const sent = this.#last.get(entity)
    const last = laterOf(sent ?? null, this.#committed(entity))
    const sequence = given ?? (last === null ? this.#now() * 1000 : last + 1)
    if (given !== null && last !== null && last >= ownCountFrom)
      throw badSequence(`sequence: ${given} is given, but the client counts this entity: leave it out.`)
    if (given !== null && sent !== undefined && given <= sent)
      throw badSequence(`sequence: ${given} is given after ${sent}; of one entity sequences grow.`)
    const owed = this.#firstOwed(entity)
    if (owed !== null && (given === null || given > owed)) throw earlierFailed(owed)
    this.#last.delete(entity)
    this.#last.set(entity, sequence)
    if (this.#last.size > maxEntities) this.#last.delete(this.#last.keys().next().value!)
    return sequence
  }

  /** A number of the sender's that was not used up, unless a later one was given meanwhile. */
  takeBack(entity: string, sequence: number): void {
    if (this.#last.get(entity) === sequence) this.rewind(entity, sequence)
  }

  /** This number was not used up, nor any above it. */
  rewind(entity: string, sequence: number): void {
    if (sequence < ownCountFrom && (this.#last.get(entity) ?? 0) >= sequence) this.#last.set(entity, sequence - 1)
  }

  /** A number of the sender's whose event may be sent again; one that is not above the last may not. */
  owe(entity: string, sequence: number): void {
    if (sequence <= (this.#last.get(entity) ?? 0)) return
    const owed = this.#owed.get(entity) ?? []
    const place = placeOf(owed, sequence)
    if (owed[place] === sequence) return
    owed.splice(place, 0, sequence)
    this.#owed.set(entity, owed)
    this.#owedCount += 1
    if (this.#owedCount <= maxOwed) return
    const [longest, forgotten] = this.#owed.entries().next().value!
    this.#owed.delete(longest)
    this.#owedCount -= forgotten.length
  }

  /** It is written, or will not be sent again. */
  forgive(entity: string, sequence: number): void {
    const owed = this.#owed.get(entity)
    if (owed === undefined) return
    const place = placeOf(owed, sequence)
    if (owed[place] !== sequence) return
    owed.splice(place, 1)
    this.#owedCount -= 1
    if (owed.length === 0) this.#owed.delete(entity)
  }

  #firstOwed(entity: string): number | null {
    const owed = this.#owed.get(entity)
    if (owed === undefined) return null
    return owed[placeOf(owed, (this.#last.get(entity) ?? 0) + 1)] ?? null
  }
}

/** Of the first that is not below this one; by halves. */
function placeOf(growing: readonly number[], sequence: number): number {
  let [from, to] = [0, growing.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    if (growing[middle]! < sequence) from = middle + 1
    else to = middle
  }
  return from
}

const laterOf = (one: number | null, other: number | null): number | null =>
  one === null || other === null ? (one ?? other) : Math.max(one, other)

export const earlierFailed = (sequence: number | null): ClientError =>
  new ClientError(
    'EARLIER_FAILED',
    `${sequence === null ? 'An earlier event of its entity' : `Sequence ${sequence} of its entity`} failed; send that again first, or leave it out.`,
    'retry',
  )
const badSequence = (message: string): ClientError =>
  new ClientError('BAD_SEQUENCE', message, 'stop', { field: 'sequence' })
