/**
 * Business time that somebody moves. It stands still until it is told to jump; whatever was wanted `after` a delay happens
 * when it has passed that time. It never goes back, also not over a restart: every jump is noted in a file before it shows.
 */

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { Clock } from '../../topology/index.ts'

interface Waiting {
  readonly at: number
  readonly order: number
  readonly call: () => void
}

export class WarpClock implements Clock {
  readonly #path: string
  readonly #waiting = new Set<Waiting>()
  #now: number
  #order = 0

  /**
   * @param path where the time is noted
   * @param realNow where it begins, in ms, unless it was further already
   */
  constructor(path: string, realNow: number) {
    this.#path = path
    const noted = existsSync(path) ? Number(readFileSync(path, 'utf8')) : Number.NaN
    this.#now = Number.isSafeInteger(noted) ? Math.max(noted, realNow) : realNow
  }

  now(): number {
    return this.#now
  }

  after(delayMs: number, call: () => void): () => void {
    if (delayMs <= 0) {
      const immediate = setImmediate(call)
      return () => clearImmediate(immediate)
    }
    const waiting = { at: this.#now + delayMs, order: this.#order++, call }
    this.#waiting.add(waiting)
    return () => this.#waiting.delete(waiting)
  }

  /** When the next call is wanted, in ms; null when none is. */
  get nextAt(): number | null {
    let next: number | null = null
    for (const { at } of this.#waiting) if (next === null || at < next) next = at
    return next
  }

  /**
   * Moves on, and calls what is due by then in the order of its times. An earlier time changes nothing.
   * @throws what the first of the calls threw that did, after all were made
   */
  jumpTo(time: number): void {
    if (time <= this.#now) return
    writeFileSync(`${this.#path}.new`, String(time))
    renameSync(`${this.#path}.new`, this.#path)
    this.#now = time
    const due = [...this.#waiting].filter(({ at }) => at <= time).sort((a, b) => a.at - b.at || a.order - b.order)
    const errors: unknown[] = []
    for (const waiting of due) {
      if (!this.#waiting.delete(waiting)) continue
      try {
        waiting.call()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw errors[0]
  }
}
