/**
 * Layered cells of one store in key order, kept only while ranges are asked for: built by the first range after a flush,
 * then each new cell waits in `pending` until the next range. A store that is never ranged pays nothing.
 *
 * A sorted list of sorted chunks: an insertion moves at most a chunk. Cells that left the layers are skipped, not removed;
 * the order is thrown away at the next flush.
 */

import { LAYERED } from './cell.ts'
import type { Cell } from './cell.ts'

const CHUNK = 256

const byId = (a: Cell, b: Cell): number => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)

/** A range in held form. */
export interface Bounds {
  readonly gte: string | undefined
  readonly lt: string | undefined
  readonly reverse: boolean
  readonly limit: number
}

/** A row of the layers at the moment of the call: null hides the disk's row. */
export interface Layered {
  readonly id: string
  readonly value: string | null
}

export class KeyOrder {
  /** Every chunk has at least one cell; ids rise within and across chunks. */
  #chunks: Cell[][] = []
  #pending: Cell[] = []

  note(cell: Cell): void {
    if (cell.order === this) return
    cell.order = this
    this.#pending.push(cell)
  }

  /** Rows of the layers in bounds, in the asked direction; no more than the first `limit` live ones can be needed. */
  snapshot(bounds: Bounds): Layered[] {
    this.#settle()
    const rows: Layered[] = []
    let live = 0
    for (const cell of bounds.reverse ? this.#down(bounds) : this.#up(bounds)) {
      if (live >= bounds.limit) break
      const { id, value, flags } = cell
      if (!(flags & LAYERED) || value === undefined) continue
      rows.push({ id, value })
      if (value !== null) live++
    }
    return rows
  }

  *#up({ gte, lt }: Bounds): Generator<Cell> {
    let c = gte === undefined ? 0 : this.#chunkOf(gte)
    let i = gte === undefined || c === this.#chunks.length ? 0 : firstIn(this.#chunks[c] as Cell[], gte)
    for (; c < this.#chunks.length; c++, i = 0) {
      const chunk = this.#chunks[c] as Cell[]
      for (; i < chunk.length; i++) {
        const cell = chunk[i] as Cell
        if (lt !== undefined && cell.id >= lt) return
        yield cell
      }
    }
  }

  *#down({ gte, lt }: Bounds): Generator<Cell> {
    let c = lt === undefined ? this.#chunks.length : this.#chunkOf(lt)
    let end = lt === undefined || c === this.#chunks.length ? 0 : firstIn(this.#chunks[c] as Cell[], lt)
    for (;;) {
      for (let i = end - 1; i >= 0; i--) {
        const cell = (this.#chunks[c] as Cell[])[i] as Cell
        if (gte !== undefined && cell.id < gte) return
        yield cell
      }
      if (c-- === 0) return
      end = (this.#chunks[c] as Cell[]).length
    }
  }

  /** The first chunk whose last id is not below `id`; the number of chunks when there is none. */
  #chunkOf(id: string): number {
    let low = 0
    let high = this.#chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const chunk = this.#chunks[middle] as Cell[]
      if ((chunk[chunk.length - 1] as Cell).id < id) low = middle + 1
      else high = middle
    }
    return low
  }

  #settle(): void {
    if (this.#pending.length === 0) return
    if (this.#pending.length > this.#chunks.length * 16) this.#rebuild()
    else for (const cell of this.#pending) this.#insert(cell)
    this.#pending = []
  }

  #rebuild(): void {
    const all = this.#chunks.flat().concat(this.#pending).sort(byId)
    this.#chunks = []
    for (let i = 0; i < all.length; i += CHUNK) this.#chunks.push(all.slice(i, i + CHUNK))
  }

  #insert(cell: Cell): void {
    const at = Math.min(this.#chunkOf(cell.id), this.#chunks.length - 1)
    const chunk = this.#chunks[at]
    if (chunk === undefined) {
      this.#chunks.push([cell])
      return
    }
    chunk.splice(firstIn(chunk, cell.id), 0, cell)
    if (chunk.length > 2 * CHUNK) this.#chunks.splice(at, 1, chunk.slice(0, CHUNK), chunk.slice(CHUNK))
  }
}

/** Index of the first cell of a chunk whose id is not below `id`. */
function firstIn(chunk: readonly Cell[], id: string): number {
  let low = 0
  let high = chunk.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((chunk[middle] as Cell).id < id) low = middle + 1
    else high = middle
  }
  return low
}
