/**
 * One task's rows and changelog positions in one RocksDB. Owns the native context; nothing reaches the binding once it is
 * closed, because the binding aborts the process then.
 */

import { StateError } from '../contract.ts'
import type { ChangelogPosition, Entry, RangeOptions, Row, StateDatabase, StoreName } from '../contract.ts'
import type { BatchContext, DatabaseContext, RocksBinding } from './binding.ts'
import { stateError } from './rocks-errors.ts'
import { RocksIterator } from './rocks-iterator.ts'
import { POSITION_PREFIX, positionKey, prefixEnd, rowKey, storeOfPositionKey, storePrefix } from './row-keys.ts'

const NO_OPTIONS = {}
/** Rows put into a batch, and keys read, before the loop gets a turn: about a millisecond. */
const ROWS_PER_TURN = 1000
const KEYS_PER_TURN = 128
const PAGE_BYTES = 1024 * 1024
const MAX_LIMIT = 0x7fffffff

export class RocksDatabase implements StateDatabase {
  readonly persistent = true
  readonly #binding: RocksBinding
  readonly #context: DatabaseContext
  readonly #path: string
  readonly #onClose: () => void
  readonly #prefixes = new Map<StoreName, Buffer>()
  readonly #positions = new Map<StoreName, ChangelogPosition>()
  readonly #iterators = new Set<RocksIterator>()
  /** Writes run one after the other, in the order asked. */
  #lastWrite: Promise<void> = Promise.resolve()
  #closing: Promise<void> | null = null
  #closed = false
  #damagedByWrite = false

  /** Takes over an open context. @throws StateError STATE_CORRUPT when the positions cannot be read */
  constructor(binding: RocksBinding, context: DatabaseContext, path: string, onClose: () => void) {
    this.#binding = binding
    this.#context = context
    this.#path = path
    this.#onClose = onClose
    this.#readPositions()
  }

  get(store: StoreName, key: Buffer): Buffer | undefined {
    this.#ensureOpen()
    return this.#getMany(this.#prefix(store), [key])[0]
  }

  async getMany(store: StoreName, keys: readonly Buffer[]): Promise<readonly (Buffer | undefined)[]> {
    this.#ensureOpen()
    const prefix = this.#prefix(store)
    const values: (Buffer | undefined)[] = []
    for (let from = 0; from < keys.length; from += KEYS_PER_TURN) {
      if (from > 0) {
        await turn()
        this.#ensureOpen()
      }
      values.push(...this.#getMany(prefix, keys.slice(from, from + KEYS_PER_TURN)))
    }
    return values
  }

  range(store: StoreName, options: RangeOptions = {}): IterableIterator<Entry> {
    this.#ensureOpen()
    const prefix = this.#prefix(store)
    return this.#iterate(
      prefix.length,
      options.gte === undefined ? prefix : rowKey(prefix, options.gte),
      options.lt === undefined ? prefixEnd(prefix) : rowKey(prefix, options.lt),
      options,
    )
  }

  position(store: StoreName): ChangelogPosition | null {
    this.#ensureOpen()
    return this.#positions.get(store) ?? null
  }

  write(rows: readonly Row[], positions: ReadonlyMap<StoreName, ChangelogPosition>): Promise<void> {
    return this.#afterWrites(() => this.#write(rows, positions))
  }

  drop(store: StoreName, below: Buffer): Promise<void> {
    return this.#afterWrites(() => this.#drop(this.#prefix(store), below))
  }

  /** Waits for writes that were asked for, closes iterators, then the database. */
  close(): Promise<void> {
    this.#closing ??= this.#lastWrite.then(() => this.#close())
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#closed = true
    for (const iterator of this.#iterators) iterator.closeWithDatabase()
    try {
      await new Promise<void>((resolve, reject) => {
        this.#binding.db_close(this.#context, (error) => (error === null ? resolve() : reject(error)))
      })
    } catch (error) {
      // After a failed write RocksDB reports that failure again; what was written before is kept all the same.
      if (!this.#damagedByWrite) throw stateError(error, `${this.#path}: close`)
    } finally {
      this.#onClose()
    }
  }

  #afterWrites(work: () => void | Promise<void>): Promise<void> {
    if (this.#closed || this.#closing !== null) return Promise.reject(this.#closedError())
    const written = this.#lastWrite.then(work)
    this.#lastWrite = written.catch(() => undefined)
    return written
  }

  #drop(prefix: Buffer, below: Buffer): void {
    try {
      this.#binding.db_clear(this.#context, { gte: prefix, lt: rowKey(prefix, below) })
    } catch (error) {
      this.#damagedByWrite = true
      throw stateError(error, `${this.#path}: drop`)
    }
  }

  async #write(rows: readonly Row[], positions: ReadonlyMap<StoreName, ChangelogPosition>): Promise<void> {
    const batch = this.#binding.batch_init()
    try {
      await this.#fill(batch, rows)
      for (const [store, position] of positions) this.#putPosition(batch, store, position)
      // No sync: what the machine loses with its power is read again from the changelog.
      this.#binding.batch_write(this.#context, batch, NO_OPTIONS)
    } catch (error) {
      this.#damagedByWrite = true
      throw stateError(error, `${this.#path}: write`)
    } finally {
      this.#binding.batch_clear(batch)
    }
    for (const [store, position] of positions) this.#positions.set(store, position)
  }

  async #fill(batch: BatchContext, rows: readonly Row[]): Promise<void> {
    let inTurn = 0
    for (const { store, key, value } of rows) {
      if (++inTurn > ROWS_PER_TURN) {
        await turn()
        inTurn = 0
      }
      const bytes = rowKey(this.#prefix(store), key)
      if (value === null) this.#binding.batch_del(batch, bytes, NO_OPTIONS)
      else this.#binding.batch_put(batch, bytes, value, NO_OPTIONS)
    }
  }

  #putPosition(batch: BatchContext, store: StoreName, position: ChangelogPosition): void {
    const bytes = Buffer.allocUnsafe(8)
    bytes.writeBigUInt64BE(position)
    this.#binding.batch_put(batch, positionKey(store), bytes, NO_OPTIONS)
  }

  #readPositions(): void {
    const rows = this.#iterate(0, POSITION_PREFIX, prefixEnd(POSITION_PREFIX), {})
    for (const [key, value] of rows) {
      const store = storeOfPositionKey(key)
      if (value.length !== 8) throw this.#corrupt(`position of ${store} has ${value.length} bytes`)
      this.#positions.set(store, value.readBigUInt64BE())
    }
  }

  #getMany(prefix: Buffer, keys: readonly Buffer[]): (Buffer | undefined)[] {
    const wanted = keys.map((key) => rowKey(prefix, key))
    try {
      const values = this.#binding.db_get_many_sync(this.#context, wanted, NO_OPTIONS)
      // Null: the values together pass 2 GiB; one at a time they do not.
      return values.map((value, i) => (value === null ? this.#getMany(prefix, [keys[i] as Buffer])[0] : value))
    } catch (error) {
      throw stateError(error, `${this.#path}: get`)
    }
  }

  #iterate(prefixBytes: number, gte: Buffer, lt: Buffer, { reverse = false, limit }: RangeOptions): RocksIterator {
    const iterator = new RocksIterator({
      binding: this.#binding,
      context: this.#binding.iterator_init(this.#context, {
        gte,
        lt,
        reverse,
        limit: limit === undefined ? -1 : Math.min(limit, MAX_LIMIT),
        highWaterMarkBytes: PAGE_BYTES,
        keyEncoding: 'buffer',
        valueEncoding: 'buffer',
      }),
      prefixBytes,
      path: this.#path,
      onClose: (closed) => this.#iterators.delete(closed),
    })
    this.#iterators.add(iterator)
    return iterator
  }

  #prefix(store: StoreName): Buffer {
    let prefix = this.#prefixes.get(store)
    if (prefix === undefined) this.#prefixes.set(store, (prefix = storePrefix(store)))
    return prefix
  }

  #ensureOpen(): void {
    if (this.#closed) throw this.#closedError()
  }

  #closedError(): StateError {
    return new StateError('CLOSED', `state ${this.#path} is closed`, 'stop')
  }

  #corrupt(what: string): StateError {
    return new StateError('STATE_CORRUPT', `state ${this.#path}: ${what}`, 'restore')
  }
}

/** One turn of the event loop. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
