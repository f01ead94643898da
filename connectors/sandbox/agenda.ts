/**
 * What is to happen later in the stand-ins: a person signs, an invoice is tried again, a webhook is delivered. Times are
 * business time, so a month passes in no time where the clock is warped.
 *
 * AG1  An entry outlives a kill until its handler has ended: it is done at least once.
 * AG2  Entries begin in the order of their times, those of one time in the order they were noted. One does not wait for
 *      another to end, except in the same lane.
 */

import type { Json } from '../../schemas/index.ts'
import type { Clock } from '../../topology/index.ts'
import { Records } from './records.ts'

export interface AgendaEntry {
  /** A second entry of this id replaces the first. */
  readonly id: string
  /** Business time in ms; a part of one is rounded up. */
  readonly at: number
  readonly kind: string
  readonly data: Json
  /** Entries of one lane are handled one after the other. */
  readonly lane?: string
}

export type AgendaHandler = (entry: AgendaEntry) => Promise<void> | void

type Noted = AgendaEntry & { readonly n: number }

export class Agenda {
  readonly #records: Records<Noted>
  readonly #clock: Clock
  readonly #handlers = new Map<string, AgendaHandler>()
  readonly #lanes = new Map<string, Promise<void>>()
  readonly #running = new Set<string>()
  #n = 0
  #cancel: () => void = () => undefined
  #open = false

  /** @param clock business time */
  constructor(path: string, clock: Clock) {
    this.#records = new Records(path)
    this.#clock = clock
    for (const { n } of this.#records.values()) this.#n = Math.max(this.#n, n)
  }

  /** Says who does the entries of a kind; before `start`. */
  on(kind: string, handler: AgendaHandler): void {
    this.#handlers.set(kind, handler)
  }

  note(entry: AgendaEntry): void {
    this.#n += 1
    this.#records.put(entry.id, { ...entry, at: Math.ceil(entry.at), n: this.#n })
    this.#look()
  }

  cancel(id: string): void {
    this.#records.delete(id)
    this.#look()
  }

  /** True while a handler works. */
  get isBusy(): boolean {
    return this.#running.size > 0
  }

  /** When the next entry is due, in business ms; null when nothing is noted. */
  nextAt(): number | null {
    return this.#next()?.at ?? null
  }

  /** What is to come, next first. */
  upcoming(limit: number): { readonly at: string; readonly kind: string; readonly id: string }[] {
    return [...this.#records.values()]
      .sort((a, b) => a.at - b.at || a.n - b.n)
      .slice(0, limit)
      .map(({ at, kind, id }) => ({ at: new Date(at).toISOString(), kind, id }))
  }

  start(): void {
    this.#open = true
    this.#look()
  }

  /** Begins nothing more; what is in hand ends or is done again by the next life (AG1). */
  close(): void {
    this.#open = false
    this.#cancel()
    this.#records.close()
  }

  #next(): Noted | null {
    let first: Noted | null = null
    for (const entry of this.#records.values()) {
      if (this.#running.has(entry.id)) continue
      if (first === null || entry.at < first.at || (entry.at === first.at && entry.n < first.n)) first = entry
    }
    return first
  }

  #look(): void {
    this.#cancel()
    if (!this.#open) return
    for (let next = this.#next(); next !== null; next = this.#next()) {
      const waitMs = next.at - this.#clock.now()
      if (waitMs > 0) {
        this.#cancel = this.#clock.after(waitMs, () => this.#look())
        return
      }
      this.#begin(next)
    }
  }

  #begin(entry: Noted): void {
    this.#running.add(entry.id)
    const lane = entry.lane ?? entry.id
    const before = this.#lanes.get(lane) ?? Promise.resolve()
    const done = before.then(() => this.#handle(entry))
    this.#lanes.set(lane, done)
    void done.then(() => {
      if (this.#lanes.get(lane) === done) this.#lanes.delete(lane)
    })
  }

  async #handle(entry: Noted): Promise<void> {
    try {
      if (this.#open) await this.#handlers.get(entry.kind)?.(entry)
    } catch {
      // a stand-in that stumbles over an entry goes on with the others; the entry is given up below
    } finally {
      this.#running.delete(entry.id)
      if (this.#open) {
        // The handler may have noted the same id for a later time.
        if (this.#records.get(entry.id)?.n === entry.n) this.#records.delete(entry.id)
        this.#look()
      }
    }
  }
}
