/**
 * Chance that depends on what it is about and on nothing else: the same question gets the same answer in whatever order
 * things happen. So a provider asked twice answers alike, and a run without faults says the same as one with.
 */

import { createHash } from 'node:crypto'

export class Draw {
  readonly #seed: string

  constructor(seed: string) {
    this.#seed = seed
  }

  #bytes(about: readonly (string | number)[]): Buffer {
    return createHash('sha1')
      .update(JSON.stringify([this.#seed, ...about]))
      .digest()
  }

  /** From 0 up to but not 1. */
  part(...about: readonly (string | number)[]): number {
    return this.#bytes(about).readUInt32BE(0) / 2 ** 32
  }

  chance(probability: number, ...about: readonly (string | number)[]): boolean {
    return this.part(...about) < probability
  }

  /** An integer from `least` to `most`. */
  between(least: number, most: number, ...about: readonly (string | number)[]): number {
    return least + Math.floor(this.part(...about) * (most - least + 1))
  }

  of<T>(items: readonly T[], ...about: readonly (string | number)[]): T {
    const item = items[this.between(0, items.length - 1, ...about)]
    if (item === undefined) throw new Error('a draw from nothing')
    return item
  }

  /** Random text that stands nowhere else: 16 bytes. */
  canary(...about: readonly (string | number)[]): string {
    return this.#bytes(['canary', ...about]).toString('hex', 0, 8)
  }

  uuid(...about: readonly (string | number)[]): string {
    const hex = this.#bytes(['uuid', ...about]).toString('hex', 0, 16)
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`
  }
}
