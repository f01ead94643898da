/** Waits between attempts: each twice the one before, up to a longest, a fifth more or less so that many do not come back together. */

import type { Random } from '../topology/clock.ts'

const firstMs = 100
const longestMs = 10_000

export class BackOff {
  readonly #random: Random
  #nextMs = firstMs

  constructor(random: Random) {
    this.#random = random
  }

  /** @param atLeastMs what the other side asks for */
  next(atLeastMs = 0): number {
    const waitMs = Math.round(this.#nextMs * (0.8 + (0.4 * this.#random.bytes(1)[0]!) / 255))
    this.#nextMs = Math.min(this.#nextMs * 2, longestMs)
    return Math.max(waitMs, atLeastMs)
  }
}
