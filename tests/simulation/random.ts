/**
 * Chance in a simulation: one seed, and streams forked from it by name, so that a draw in one place shifts no other.
 * The generator is xoshiro128**, seeded through splitmix32.
 */

import type { Random } from '../../topology/index.ts'
import type { Pick } from './program.ts'

export class Chance implements Random, Pick {
  readonly #name: string
  #a: number
  #b: number
  #c: number
  #d: number

  constructor(name: string) {
    this.#name = name
    let state = hashText(name)
    const next = (): number => {
      state = (state + 0x9e3779b9) | 0
      let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
      return (mixed ^ (mixed >>> 15)) | 0
    }
    this.#a = next()
    this.#b = next()
    this.#c = next()
    this.#d = next() | 1
    for (let warm = 0; warm < 8; warm++) this.uint32()
  }

  static of(seed: number): Chance {
    return new Chance(`seed ${seed}`)
  }

  /** A stream of its own: the same for the same names, whatever was drawn here. */
  fork(name: string): Chance {
    return new Chance(`${this.#name}/${name}`)
  }

  uint32(): number {
    const result = Math.imul(rotate(Math.imul(this.#b, 5), 7), 9) >>> 0
    const shifted = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= shifted
    this.#d = rotate(this.#d, 11)
    return result
  }

  /** From 0 up to but not 1. */
  unit(): number {
    return this.uint32() / 0x1_0000_0000
  }

  below(below: number): number {
    return Math.floor(this.unit() * below)
  }

  /** An integer, both ends included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  /** As likely between 1 and 10 as between 10 and 100. */
  logBetween(low: number, high: number): number {
    return low * (high / low) ** this.unit()
  }

  chance(probability: number): boolean {
    return this.unit() < probability
  }

  /** The time to the next of events that come `mean` apart. */
  exponential(mean: number): number {
    return -Math.log(1 - this.unit()) * mean
  }

  of<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)]
    if (item === undefined) throw new RangeError('a choice among nothing')
    return item
  }

  shuffled<T>(items: readonly T[]): T[] {
    const list = [...items]
    for (let last = list.length - 1; last > 0; last--) {
      const other = this.below(last + 1)
      ;[list[last], list[other]] = [list[other] as T, list[last] as T]
    }
    return list
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length)
    for (let at = 0; at < length; at++) bytes[at] = this.uint32() >>> 24
    return bytes
  }
}

const rotate = (value: number, by: number): number => (value << by) | (value >>> (32 - by))

/** FNV-1a. */
export function hashText(text: string, start = 0x811c9dc5): number {
  let hash = start
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash
}
