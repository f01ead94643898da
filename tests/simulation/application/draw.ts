/**
 * Chance that depends on what it is about and on nothing else: the same question gets the same answer in whatever order
 * things happen. So a provider asked twice answers alike, and a run without faults says the same as one with.
 */

import { uuidv5 } from '../../../schemas/index.ts'

export class Draw {
  readonly #seed: string

  constructor(seed: string) {
    this.#seed = seed
  }

  /** 32 hexadecimal digits, but for two all of them drawn. */
  #hex(about: readonly (string | number)[]): string {
    return uuidv5(JSON.stringify([this.#seed, ...about])).replaceAll('-', '')
  }

  /** From 0 up to but not 1. */
  part(...about: readonly (string | number)[]): number {
    return Number.parseInt(this.#hex(about).slice(0, 8), 16) / 2 ** 32
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
    return this.#hex(['canary', ...about]).slice(16)
  }

  uuid(...about: readonly (string | number)[]): string {
    return uuidv5(JSON.stringify([this.#seed, 'uuid', ...about]))
  }
}
