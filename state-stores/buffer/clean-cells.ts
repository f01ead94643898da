/**
 * The bounded cache of clean cells: rows equal to the disk's, kept so that a hot key is not read again. It owns only the
 * bookkeeping; the cells stand in their store's table with all others. Second chance (CLOCK): a read sets one bit.
 */

import { LAYERED, QUEUED, TOUCHED, weightOf } from './cell.ts'
import type { Cell } from './cell.ts'

export class CleanCells {
  readonly #limitBytes: number
  #bytes = 0
  #queue: Cell[] = []
  #head = 0

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** A cell has become clean: its value is known and is the disk's. */
  add(cell: Cell): void {
    this.#bytes += weightOf(cell, cell.value)
    if (!(cell.flags & QUEUED)) this.#enqueue(cell)
    while (this.#bytes > this.#limitBytes) this.#evictOne()
  }

  /** A clean cell is about to be written, or leaves its table. */
  remove(cell: Cell): void {
    this.#bytes -= weightOf(cell, cell.value)
  }

  #enqueue(cell: Cell): void {
    cell.flags |= QUEUED
    this.#queue.push(cell)
  }

  #evictOne(): void {
    const cell = this.#queue[this.#head++]
    if (cell === undefined) throw new Error('clean cells are counted but not queued')
    if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
    cell.flags &= ~QUEUED
    if (cell.flags & LAYERED || !cell.store.holds(cell)) return
    if (cell.flags & TOUCHED) {
      cell.flags &= ~TOUCHED
      this.#enqueue(cell)
    } else {
      this.remove(cell)
      cell.store.forget(cell)
    }
  }
}
