/** Rows of one store in key order, read in pages from a snapshot. */

import { StateError } from '../contract.ts'
import type { Entry } from '../contract.ts'
import type { IteratorContext, RocksBinding } from './binding.ts'
import { stateError } from './rocks-errors.ts'

const FIRST_PAGE = 16
const PAGE = 256

export interface RocksIteratorOptions {
  readonly binding: RocksBinding
  readonly context: IteratorContext
  readonly prefixBytes: number
  /** For messages. */
  readonly path: string
  readonly onClose: (iterator: RocksIterator) => void
}

export class RocksIterator implements IterableIterator<Entry> {
  readonly #options: RocksIteratorOptions
  #context: IteratorContext | null
  #rows: Buffer[] = []
  #next = 0
  #page = FIRST_PAGE
  #finished = false
  #closedBelow = false

  constructor(options: RocksIteratorOptions) {
    this.#options = options
    this.#context = options.context
  }

  [Symbol.iterator](): this {
    return this
  }

  next(): IteratorResult<Entry, undefined> {
    if (this.#closedBelow) throw new StateError('CLOSED', `state ${this.#options.path} is closed`, 'stop')
    if (this.#next >= this.#rows.length && !this.#read()) return this.return()
    const key = this.#rows[this.#next++] as Buffer
    const value = this.#rows[this.#next++] as Buffer
    return { done: false, value: [key.subarray(this.#options.prefixBytes), value] }
  }

  return(): IteratorResult<Entry, undefined> {
    this.#close()
    return { done: true, value: undefined }
  }

  /** The database is closing: the native iterator goes first, and whoever still holds this one gets an error. */
  closeWithDatabase(): void {
    this.#closedBelow = true
    this.#close()
  }

  #read(): boolean {
    if (this.#context === null || this.#finished) return false
    try {
      const { rows, finished } = this.#options.binding.iterator_nextv_sync(this.#context, this.#page)
      this.#rows = rows
      this.#next = 0
      this.#finished = finished
      this.#page = PAGE
      return rows.length > 0
    } catch (error) {
      this.#close()
      throw stateError(error, `${this.#options.path}: range`)
    }
  }

  #close(): void {
    this.#rows = []
    this.#next = 0
    if (this.#context === null) return
    this.#options.binding.iterator_close(this.#context)
    this.#context = null
    this.#options.onClose(this)
  }
}
