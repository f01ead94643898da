/** One store of a task: a table of cells over the task's database. The transaction's rules are TaskState's. */

import { Cell, hold, LAYERED, release, TOUCHED } from './cell.ts'
import type { Held } from './cell.ts'
import { KeyOrder } from './key-order.ts'
import { MergedRange } from './merged-range.ts'
import type { Entry, KeyValueStore, RangeOptions, StateDatabase, StoreName } from '../contract.ts'

/** What a store needs of its task. */
export interface StoreOwner {
  readonly database: StateDatabase
  /** @throws StateError CLOSED */
  ensureOpen(): void
  /** Writes to the open transaction. */
  write(cell: Cell, value: string | null): void
  /** A row read from disk has been put into a cell. */
  cached(cell: Cell): void
  /** Cells of all stores in any layer. */
  layered(): Iterable<Cell>
}

export class StoreBuffer implements KeyValueStore {
  readonly name: StoreName
  readonly logged: boolean
  readonly #owner: StoreOwner
  readonly #cells = new Map<string, Cell>()
  /** A step reads a key and then writes it: the last cell found saves the second look-up. */
  #last: Cell | null = null
  #order: KeyOrder | null = null
  /** Nobody asks for rows below it any more. */
  #expiredBelow = ''
  /** Up to where they were dropped from disk. */
  #droppedBelow = ''

  constructor(name: StoreName, logged: boolean, owner: StoreOwner) {
    this.name = name
    this.logged = logged
    this.#owner = owner
  }

  get(key: Buffer): Buffer | undefined {
    this.#owner.ensureOpen()
    const id = hold(key)
    const cell = this.find(id)
    if (cell === undefined) return this.#read(id, key)
    cell.flags |= TOUCHED
    const { value } = cell
    return typeof value === 'string' ? release(value) : undefined
  }

  put(key: Buffer, value: Buffer): void {
    this.#owner.ensureOpen()
    this.#owner.write(this.cellOf(hold(key)), hold(value))
  }

  delete(key: Buffer): void {
    this.#owner.ensureOpen()
    this.#owner.write(this.cellOf(hold(key)), null)
  }

  range(options: RangeOptions = {}): IterableIterator<Entry> {
    this.#owner.ensureOpen()
    const { gte, lt, reverse = false, limit = Infinity } = options
    const layers = this.#ordered().snapshot({
      gte: gte === undefined ? undefined : hold(gte),
      lt: lt === undefined ? undefined : hold(lt),
      reverse,
      limit,
    })
    // Each row of the layers hides at most one of the disk's.
    const onDisk = limit === Infinity ? options : { ...options, limit: limit + layers.length }
    return new MergedRange(layers, this.#owner.database.range(this.name, onDisk), reverse, limit)
  }

  find(id: string): Cell | undefined {
    if (this.#last !== null && this.#last.id === id) return this.#last
    const cell = this.#cells.get(id)
    if (cell !== undefined) this.#last = cell
    return cell
  }

  /** The key's cell, made with an unread value when there is none. */
  cellOf(id: string): Cell {
    const found = this.find(id)
    if (found !== undefined) return found
    const cell = new Cell(this, id)
    this.#cells.set(id, cell)
    this.#last = cell
    return cell
  }

  /** Puts a row read from disk into a clean cell, unless the key has a cell by now. */
  cache(id: string, value: Held): void {
    if (this.#cells.has(id)) return
    const cell = this.cellOf(id)
    cell.value = value
    this.#owner.cached(cell)
  }

  /** Rows below this key expire: they go to no disk and no cache any more. False when the disk has none of them. */
  expire(below: Buffer): boolean {
    this.#expiredBelow = hold(below)
    return this.#expiredBelow !== this.#droppedBelow
  }

  async dropExpired(below: Buffer): Promise<void> {
    await this.#owner.database.drop(this.name, below)
    this.#droppedBelow = hold(below)
  }

  isExpired(cell: Cell): boolean {
    return cell.id < this.#expiredBelow
  }

  holds(cell: Cell): boolean {
    return this.#cells.get(cell.id) === cell
  }

  forget(cell: Cell): void {
    this.#cells.delete(cell.id)
    if (this.#last === cell) this.#last = null
  }

  /** A cell has entered a layer. */
  noteLayered(cell: Cell): void {
    this.#order?.note(cell)
  }

  /** Many cells have left the layers: the next range sorts what remains. */
  dropOrder(): void {
    this.#order = null
  }

  #read(id: string, key: Buffer): Buffer | undefined {
    const bytes = this.#owner.database.get(this.name, key)
    this.cache(id, bytes === undefined ? null : hold(bytes))
    return bytes
  }

  #ordered(): KeyOrder {
    if (this.#order !== null) return this.#order
    const order = new KeyOrder()
    for (const cell of this.#owner.layered()) if (cell.store === this && cell.flags & LAYERED) order.note(cell)
    this.#order = order
    return order
  }
}
