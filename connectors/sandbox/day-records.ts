/** What a stand-in knows for a day and then no more, as a provider does with the keys of its callers; outlives a kill. */

import { Records } from './records.ts'

const dayMs = 24 * 60 * 60 * 1000

interface Dated<T> {
  /** Business time in ms. */
  readonly at: number
  readonly value: T
}

export class DayRecords<T> {
  readonly #records: Records<Dated<T>>
  readonly #now: () => number

  /** @param now business time in ms */
  constructor(path: string, now: () => number) {
    this.#records = new Records(path)
    this.#now = now
  }

  get size(): number {
    return this.#records.size
  }

  get(key: string): T | undefined {
    const known = this.#records.get(key)
    return known === undefined || this.#isOver(known) ? undefined : known.value
  }

  /** Also lets go what is over. */
  put(key: string, value: T): void {
    if (this.get(key) === undefined) this.#records.delete(key)
    for (const [old, dated] of this.#records.entries()) {
      if (!this.#isOver(dated)) break
      this.#records.delete(old)
    }
    this.#records.put(key, { at: this.#now(), value })
  }

  close(): void {
    this.#records.close()
  }

  /** So is what an earlier form of the file left without a time. */
  #isOver({ at }: Dated<T>): boolean {
    return !(this.#now() - at < dayMs)
  }
}
