/**
 * A database that remembers the damage it met. Whoever met it may have caught the error; what stands on such a database
 * must not be committed all the same (S8).
 */

import { StateError } from '../contract.ts'
import type { ChangelogPosition, Entry, RangeOptions, Row, StateDatabase, StoreName } from '../contract.ts'

export class WatchedDatabase implements StateDatabase {
  readonly persistent: boolean
  readonly #database: StateDatabase
  #damage: StateError | null = null

  constructor(database: StateDatabase) {
    this.persistent = database.persistent
    this.#database = database
  }

  /** The first damage that was met. */
  get damage(): StateError | null {
    return this.#damage
  }

  get(store: StoreName, key: Buffer): Buffer | undefined {
    try {
      return this.#database.get(store, key)
    } catch (error) {
      throw this.#met(error)
    }
  }

  async getMany(store: StoreName, keys: readonly Buffer[]): Promise<readonly (Buffer | undefined)[]> {
    try {
      return await this.#database.getMany(store, keys)
    } catch (error) {
      throw this.#met(error)
    }
  }

  range(store: StoreName, options?: RangeOptions): IterableIterator<Entry> {
    try {
      return new WatchedRange(this.#database.range(store, options), (error) => this.#met(error))
    } catch (error) {
      throw this.#met(error)
    }
  }

  position(store: StoreName): ChangelogPosition | null {
    return this.#database.position(store)
  }

  async write(rows: readonly Row[], positions: ReadonlyMap<StoreName, ChangelogPosition>): Promise<void> {
    try {
      await this.#database.write(rows, positions)
    } catch (error) {
      throw this.#met(error)
    }
  }

  async drop(store: StoreName, below: Buffer): Promise<void> {
    try {
      await this.#database.drop(store, below)
    } catch (error) {
      throw this.#met(error)
    }
  }

  close(): Promise<void> {
    return this.#database.close()
  }

  #met(error: unknown): unknown {
    if (error instanceof StateError && error.then === 'restore') this.#damage ??= error
    return error
  }
}

class WatchedRange implements IterableIterator<Entry> {
  readonly #range: IterableIterator<Entry>
  readonly #met: (error: unknown) => unknown

  constructor(range: IterableIterator<Entry>, met: (error: unknown) => unknown) {
    this.#range = range
    this.#met = met
  }

  [Symbol.iterator](): this {
    return this
  }

  next(): IteratorResult<Entry, undefined> {
    try {
      return this.#range.next() as IteratorResult<Entry, undefined>
    } catch (error) {
      throw this.#met(error)
    }
  }

  return(): IteratorResult<Entry, undefined> {
    this.#range.return?.()
    return { done: true, value: undefined }
  }
}
