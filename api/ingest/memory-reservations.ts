/**
 * Idempotency keys in memory, for simulation: a database of its own life, which several processes reach. Each statement is
 * one synchronous step (`…Now`), so that whoever stands between can decide when it runs and whether its answer arrives.
 */

import type { RequestKey, Reservation, Reservations } from './reservations.ts'

interface Row {
  reservation: Reservation
  readonly atMs: number
}

export class MemoryReservations implements Reservations {
  readonly #rows = new Map<string, Row>()

  reserveNow(reservation: Reservation, atMs: number): boolean {
    const name = nameOf(reservation)
    if (this.#rows.has(name)) return false
    this.#rows.set(name, { reservation: { ...reservation, attempt: 0, positions: null }, atMs })
    return true
  }

  findNow(key: RequestKey): Reservation | null {
    return this.#rows.get(nameOf(key))?.reservation ?? null
  }

  finishNow(key: RequestKey, owner: string, positions: readonly string[]): void {
    const row = this.#pending(key, owner)
    if (row !== null) row.reservation = { ...row.reservation, positions }
  }

  releaseNow(key: RequestKey, owner: string): void {
    if (this.#pending(key, owner) !== null) this.#rows.delete(nameOf(key))
  }

  claimNow(held: Reservation, to: string): boolean {
    const row = this.#pending(held, held.owner)
    if (row === null || row.reservation.attempt !== held.attempt) return false
    row.reservation = { ...row.reservation, owner: to, attempt: held.attempt + 1 }
    return true
  }

  sweepNow(beforeMs: number): void {
    for (const [name, { atMs }] of this.#rows) if (atMs < beforeMs) this.#rows.delete(name)
  }

  reserve = (reservation: Reservation, atMs: number): Promise<boolean> =>
    Promise.resolve(this.reserveNow(reservation, atMs))

  find = (key: RequestKey): Promise<Reservation | null> => Promise.resolve(this.findNow(key))

  finish = (key: RequestKey, owner: string, positions: readonly string[]): Promise<void> =>
    Promise.resolve(this.finishNow(key, owner, positions))

  release = (key: RequestKey, owner: string): Promise<void> => Promise.resolve(this.releaseNow(key, owner))

  claim = (held: Reservation, to: string): Promise<boolean> => Promise.resolve(this.claimNow(held, to))

  sweep = (beforeMs: number): Promise<void> => Promise.resolve(this.sweepNow(beforeMs))

  #pending(key: RequestKey, owner: string): Row | null {
    const row = this.#rows.get(nameOf(key))
    return row?.reservation.owner === owner && row.reservation.positions === null ? row : null
  }
}

const nameOf = ({ tenantId, key }: RequestKey): string => `${tenantId} ${key}`
