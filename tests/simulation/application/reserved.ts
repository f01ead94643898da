/** The table of idempotency keys, and the books of a bystander: who took over what, and whom they had fenced by then. */

import type { Reservation } from '../../../api/index.ts'
import { MemoryReservations } from '../../../api/index.ts'

/** A life that took over a key, and how. */
export interface Takeover {
  readonly by: string
  readonly from: string
  readonly key: string
  /** Whether it opened a session of the owner's after the owner, another life, had written the row. */
  readonly fenced: boolean
}

export class Reserved {
  readonly table = new MemoryReservations()
  readonly takeovers: Takeover[] = []
  readonly #now: () => number
  /** Who wrote a row last as its owner, and when. */
  readonly #writers = new Map<string, { readonly life: string; readonly at: number }>()
  /** When a life last began to open a session under a transactional id. */
  readonly #opened = new Map<string, number>()

  constructor(now: () => number) {
    this.#now = now
  }

  opened(life: string, transactionalId: string, at: number): void {
    this.#opened.set(`${life} ${transactionalId}`, at)
  }

  reserve(life: string, reservation: Reservation, atMs: number): boolean {
    const reserved = this.table.reserveNow(reservation, atMs)
    if (reserved) this.#writers.set(nameOf(reservation), { life, at: this.#now() })
    return reserved
  }

  claim(life: string, held: Reservation, to: string): boolean {
    const claimed = this.table.claimNow(held, to)
    const writer = this.#writers.get(nameOf(held))
    if (!claimed || writer === undefined) return claimed
    const openedAt = this.#opened.get(`${life} ${transactionalIdOf(held.owner)}`) ?? -1
    if (writer.life !== life)
      this.takeovers.push({ by: life, from: writer.life, key: held.key, fenced: openedAt >= writer.at })
    this.#writers.set(nameOf(held), { life, at: this.#now() })
    return claimed
  }
}

const nameOf = ({ tenantId, key }: Reservation): string => `${tenantId} ${key}`
const transactionalIdOf = (owner: string): string => owner.split('@')[0]!
