/** The waiting room in memory, for tests. */

import type { Owned, WaitingEvent, WaitingRoom } from './waiting.ts'

export class MemoryWaitingRoom implements WaitingRoom {
  readonly #owners = new Map<string, Owned>()
  readonly #waiting = new Map<string, WaitingEvent & { readonly sinceMs: number }>()
  /** Reasons by `provider deliveryId`. */
  readonly aside = new Map<string, string>()

  own = (provider: string, objectIds: readonly string[], owned: Owned): Promise<void> => {
    for (const id of objectIds) if (!this.#owners.has(`${provider} ${id}`)) this.#owners.set(`${provider} ${id}`, owned)
    return Promise.resolve()
  }

  ownerOf = (provider: string, objectIds: readonly string[]): Promise<Owned | null> =>
    Promise.resolve(
      objectIds.map((id) => this.#owners.get(`${provider} ${id}`)).find((one) => one !== undefined) ?? null,
    )

  wait = (event: WaitingEvent, atMs: number): Promise<void> => {
    const name = `${event.provider} ${event.deliveryId}`
    if (!this.#waiting.has(name) && !this.aside.has(name)) this.#waiting.set(name, { ...event, sinceMs: atMs })
    return Promise.resolve()
  }

  waiting = (limit: number): Promise<readonly (WaitingEvent & { readonly sinceMs: number })[]> =>
    Promise.resolve([...this.#waiting.values()].toSorted((a, b) => a.sinceMs - b.sinceMs).slice(0, limit))

  arrived = (provider: string, deliveryId: string): Promise<void> => {
    this.#waiting.delete(`${provider} ${deliveryId}`)
    return Promise.resolve()
  }

  setAside = (provider: string, deliveryId: string, reason: string): Promise<void> => {
    this.#waiting.delete(`${provider} ${deliveryId}`)
    this.aside.set(`${provider} ${deliveryId}`, reason)
    return Promise.resolve()
  }
}
