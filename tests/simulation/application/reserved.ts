/** The table of idempotency keys, and the books of a bystander: who took over what, and whom they had fenced by then. */

import type { Reservation } from '../../../api/index.ts'
import { MemoryReservations } from '../../../api/index.ts'
import { parseOwner } from '../../../api/ingest/owner.ts'
import type { ProducerSession } from '../../../connectors/kafka/index.ts'

/** A life that took over a key, and how. */
export interface Takeover {
  readonly by: string
  readonly from: string
  readonly key: string
  /** Whether it had opened a newer session than the owner's by then. When the row was written says nothing: a life that was
   *  replaced may write one long after. */
  readonly fenced: boolean
}

export class Reserved {
  readonly table = new MemoryReservations()
  readonly takeovers: Takeover[] = []
  /** Which life wrote a row last as its owner. */
  readonly #writers = new Map<string, string>()
  /** The newest session that a life has opened under a transactional id. */
  readonly #opened = new Map<string, Pick<ProducerSession, 'producerId' | 'epoch'>>()

  opened(life: string, transactionalId: string, { producerId, epoch }: ProducerSession): void {
    this.#opened.set(`${life} ${transactionalId}`, { producerId, epoch })
  }

  reserve(life: string, reservation: Reservation, atMs: number): boolean {
    const reserved = this.table.reserveNow(reservation, atMs)
    if (reserved) this.#writers.set(nameOf(reservation), life)
    return reserved
  }

  claim(life: string, held: Reservation, to: string): boolean {
    const claimed = this.table.claimNow(held, to)
    const writer = this.#writers.get(nameOf(held))
    if (!claimed || writer === undefined) return claimed
    if (writer !== life)
      this.takeovers.push({ by: life, from: writer, key: held.key, fenced: this.#hasFenced(life, held.owner) })
    this.#writers.set(nameOf(held), life)
    return claimed
  }

  #hasFenced(life: string, owner: string): boolean {
    const { transactionalId, session } = parseOwner(owner)
    const opened = this.#opened.get(`${life} ${transactionalId}`)
    if (opened === undefined || session === null) return false
    return opened.producerId === session.producerId
      ? opened.epoch > session.epoch
      : opened.producerId > session.producerId
  }
}

const nameOf = ({ tenantId, key }: Reservation): string => `${tenantId} ${key}`
