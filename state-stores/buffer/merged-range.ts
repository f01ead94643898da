/** Rows of the layers laid over rows of the disk, both snapshots in the same direction: one pass, one row per key. */

import { hold, release } from './cell.ts'
import type { Layered } from './key-order.ts'
import type { Entry } from '../contract.ts'

/** Runs to its end, or is closed with return(): the disk's iterator holds files open until then. */
export class MergedRange implements IterableIterator<Entry> {
  readonly #layers: readonly Layered[]
  readonly #disk: IterableIterator<Entry>
  readonly #reverse: boolean
  #left: number
  #next = 0
  #row: Entry | null = null
  #rowId = ''
  #ended = false

  constructor(layers: readonly Layered[], disk: IterableIterator<Entry>, reverse: boolean, limit: number) {
    this.#layers = layers
    this.#disk = disk
    this.#reverse = reverse
    this.#left = limit
    this.#readDisk()
  }

  [Symbol.iterator](): this {
    return this
  }

  next(): IteratorResult<Entry, undefined> {
    while (this.#left > 0 && !this.#ended) {
      const entry = this.#step()
      if (entry === undefined) break
      if (entry === null) continue
      this.#left--
      return { done: false, value: entry }
    }
    return this.return()
  }

  return(): IteratorResult<Entry, undefined> {
    if (!this.#ended) {
      this.#ended = true
      this.#disk.return?.()
    }
    return { done: true, value: undefined }
  }

  /** The next key's row; null when it is deleted above the disk; undefined at the end. */
  #step(): Entry | null | undefined {
    const layered = this.#layers[this.#next]
    const row = this.#row
    if (layered === undefined && row === null) return undefined
    if (layered === undefined || (row !== null && this.#before(this.#rowId, layered.id))) {
      this.#readDisk()
      return row
    }
    this.#next++
    if (row !== null && this.#rowId === layered.id) this.#readDisk()
    return layered.value === null ? null : [release(layered.id), release(layered.value)]
  }

  #before(a: string, b: string): boolean {
    return this.#reverse ? a > b : a < b
  }

  #readDisk(): void {
    const read = this.#disk.next()
    this.#row = read.done === true ? null : read.value
    if (this.#row !== null) this.#rowId = hold(this.#row[0])
  }
}
