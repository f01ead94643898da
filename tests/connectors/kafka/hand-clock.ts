/** A clock that a test turns by hand, and bytes that repeat with their seed. */

import { createHash } from 'node:crypto'

export class HandClock {
  #now = Date.UTC(2025, 0, 1)
  readonly #waiting = new Set<{ readonly at: number; readonly call: () => void }>()

  readonly now = (): number => this.#now

  readonly after = (delayMs: number, call: () => void): (() => void) => {
    const entry = { at: this.#now + delayMs, call }
    this.#waiting.add(entry)
    return () => void this.#waiting.delete(entry)
  }

  /** How many calls are still to come. */
  get pending(): number {
    return this.#waiting.size
  }

  /** Fires what comes due, in order, and lets what it started run. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms
    for (;;) {
      const next = [...this.#waiting].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#waiting.delete(next)
      this.#now = Math.max(this.#now, next.at)
      next.call()
      await settle()
    }
    this.#now = until
    await settle()
  }
}

/** Lets promises and short file work run on. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

export function seededRandom(seed: string): { bytes(length: number): Buffer } {
  let counter = 0
  return { bytes: (length) => createHash('sha512').update(`${seed}/${counter++}`).digest().subarray(0, length) }
}
