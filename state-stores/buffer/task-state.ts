/**
 * The keyed state of one task: all its stores over one database, as a write buffer of two layers.
 *
 *   uncommitted   written by the open transaction      savepoint() rollback() dirty()   dropped by abort()
 *   committed     committed to the changelog           commit() restored()              flush() moves it to disk
 *   database      rows and changelog positions, one atomic batch
 *
 * Owns which layer a cell is in. Does not own the changelog, the transaction, or when to flush (StateBudget says that).
 * Invariants S1–S9 are in DESIGN.md; the numbers here and in the tests are those.
 */

import assert from 'node:assert/strict'
import { FLUSHING, LAYERED, UNCOMMITTED, UNFLUSHED, committedOf, hold, release, sizeOf, weightOf } from './cell.ts'
import type { Held, Cell } from './cell.ts'
import { CleanCells } from './clean-cells.ts'
import { originRow, readOrigin } from './origins.ts'
import type { ChangelogOrigin } from './origins.ts'
import { StoreBuffer } from './store-buffer.ts'
import type { StoreOwner } from './store-buffer.ts'
import { WatchedDatabase } from './watched-database.ts'
import { StateError } from '../contract.ts'
import type { ChangelogPosition, KeyValueStore, Row, StateDatabase, StoreName } from '../contract.ts'
import { WindowRows } from '../window/index.ts'
import type { WindowOptions, WindowStore } from '../window/index.ts'

export interface TaskStore {
  readonly name: StoreName
  /** Logged stores have a changelog and a position; the others keep only what was flushed. */
  readonly logged: boolean
  /** Set for a window store. */
  readonly window?: WindowOptions | undefined
}

export interface TaskStateOptions {
  readonly database: StateDatabase
  readonly stores: readonly TaskStore[]
  /** Wall clock in ms; what an origin's `asOf` is told by. */
  readonly now?: () => number
  /** Told of each put into a window that is older than its store keeps. */
  readonly expired?: (store: StoreName) => void
  /** Bound of the rows kept in memory although they are on disk, in bytes. */
  readonly cleanBytes?: number
}

const CLEAN_BYTES = 8 * 1024 * 1024
/** A record's own bytes in a v2 batch besides key and value, and what a transaction adds once: batch header and marker. */
const RECORD_BYTES = 12
const TRANSACTION_BYTES = 140

export class TaskState {
  readonly #database: WatchedDatabase
  readonly #now: () => number
  readonly #stores = new Map<StoreName, StoreBuffer>()
  readonly #windows = new Map<StoreName, WindowRows>()
  /** Of logged stores, as committed, once they were told theirs. */
  readonly #origins = new Map<StoreName, ChangelogOrigin>()
  readonly #clean: CleanCells
  readonly #positions = new Map<StoreName, ChangelogPosition | null>()

  /** Uncommitted cells in the order of their first write. */
  #written: Cell[] = []
  #uncommittedBytes = 0

  /** What rollback() puts back: cells written since the savepoint and the values they had. */
  readonly #undoCells: Cell[] = []
  readonly #undoValues: Held[] = []
  /** How many of them count; the arrays keep their size, because this is reset for every record. */
  #undoCount = 0
  #savepoint = 1
  #savedWritten = 0
  #savedBytes = 0

  #unflushed: Cell[] = []
  #unflushedBytes = 0
  #positionsMoved = false
  #changelogBytes = 0

  /** When the open transaction was made ready: what anybody commits later stands above its positions. */
  #preparedAt = 0

  #flushingCells: Cell[] = []
  #flushingBytes = 0
  #flushing: Promise<void> | null = null
  #flushesBegun = 0
  #flushesDone = 0
  #closing: Promise<void> | null = null

  static open(options: TaskStateOptions): TaskState {
    return new TaskState(options)
  }

  private constructor({ database, stores, now, expired, cleanBytes = CLEAN_BYTES }: TaskStateOptions) {
    this.#database = new WatchedDatabase(database)
    this.#now = now ?? (() => 0)
    this.#clean = new CleanCells(cleanBytes)
    const owner: StoreOwner = {
      database: this.#database,
      ensureOpen: () => this.#ensureOpen(),
      write: (cell, value) => this.#write(cell, value),
      cached: (cell) => this.#clean.add(cell),
      layered: () => this.#layered(),
    }
    for (const { name, logged, window } of stores) {
      assert(!this.#stores.has(name), `store ${name} is declared twice`)
      const rows = new StoreBuffer(name, logged, owner)
      this.#stores.set(name, rows)
      if (window !== undefined) this.#windows.set(name, new WindowRows(rows, window, () => expired?.(name)))
      if (logged) this.#positions.set(name, database.position(name))
    }
  }

  /** The store as a step sees it: uncommitted over committed over disk. */
  store(name: StoreName): KeyValueStore {
    assert(!this.#windows.has(name), `store ${name} is a window store`)
    return this.#store(name)
  }

  windowStore(name: StoreName): WindowStore {
    const window = this.#windows.get(name)
    assert(window !== undefined, `no window store ${name} in this task`)
    return window
  }

  /** The damage that the database has met, whoever caught its error: nothing of this state may be used or committed (S8). */
  get damage(): StateError | null {
    return this.#database.damage
  }

  /** Reads rows that no layer has, in one batch off the loop, so that the steps to come find them. A hint: never needed. */
  async prefetch(name: StoreName, keys: readonly Buffer[]): Promise<void> {
    this.#ensureOpen()
    const store = this.#store(name)
    const missing = new Map<string, Buffer>()
    for (const key of keys) {
      const id = hold(key)
      if (store.find(id) === undefined) missing.set(id, key)
    }
    if (missing.size === 0) return
    const flushes = this.#flushesDone
    const values = await this.#database.getMany(name, [...missing.values()])
    // S6: a row written to disk since may have left the layers again; what was read before it is stale.
    if (this.#closing !== null || flushes !== this.#flushesDone) return
    let i = 0
    for (const id of missing.keys()) {
      const value = values[i++]
      store.cache(id, value === undefined ? null : hold(value))
    }
  }

  // The open transaction

  /** Before each record: rollback() comes back to here. */
  savepoint(): void {
    this.#undoCount = 0
    this.#savepoint++
    this.#savedWritten = this.#written.length
    this.#savedBytes = this.#uncommittedBytes
  }

  /** Undoes every write since the savepoint (S3), or since the transaction began when none was set. */
  rollback(): void {
    for (let i = this.#undoCount - 1; i >= 0; i--) (this.#undoCells[i] as Cell).value = this.#undoValues[i]
    for (let i = this.#savedWritten; i < this.#written.length; i++) this.#unwrite(this.#written[i] as Cell)
    this.#written.length = this.#savedWritten
    this.#uncommittedBytes = this.#savedBytes
    this.savepoint()
    for (const window of this.#windows.values()) window.undone()
  }

  /**
   * Each key of a logged store written in the open transaction, once, with its last value: what the changelog gets.
   * @throws StateError STATE_CORRUPT when the database has met damage: what was written may stand on a read that failed
   */
  dirty(emit: (store: StoreName, key: Buffer, value: Buffer | null) => void): void {
    if (this.damage !== null) throw this.damage
    this.#preparedAt = this.#now()
    for (const { store, id, value } of this.#written) {
      if (!store.logged) continue
      const row = release(id)
      const window = this.#windows.get(store.name)
      const key = window === undefined ? row : window.changelogKey(row)
      if (key !== null) emit(store.name, key, typeof value === 'string' ? release(value) : null)
    }
  }

  /**
   * After the log's commit: what was uncommitted is committed, up to these positions (the next offset of each changelog).
   * @param changelogBytes what the transaction appended to the changelogs; estimated from the rows when absent
   */
  commit(positions: ReadonlyMap<StoreName, ChangelogPosition>, changelogBytes?: number): void {
    for (const [name, { changelog }] of this.#origins) this.#origins.set(name, { changelog, asOf: this.#preparedAt })
    this.#moveDown(positions, changelogBytes)
  }

  #moveDown(positions: ReadonlyMap<StoreName, ChangelogPosition>, changelogBytes?: number): void {
    this.#ensureOpen()
    let appended = 0
    for (const cell of this.#written) {
      if (cell.store.logged) appended += RECORD_BYTES + cell.id.length + sizeOf(cell.value)
      this.#commitCell(cell)
    }
    this.#changelogBytes += changelogBytes ?? (appended === 0 ? 0 : appended + TRANSACTION_BYTES)
    this.#movePositions(positions)
    this.#clearWritten()
    for (const window of this.#windows.values()) window.committed()
  }

  /** Drops what is uncommitted (S2); committed rows, running flush and disk are not touched. */
  abort(): void {
    for (const cell of this.#written) {
      cell.value = cell.below
      this.#unwrite(cell)
    }
    this.#clearWritten()
    this.#dropOrders()
    for (const window of this.#windows.values()) window.undone()
  }

  // Restore

  /** What a store's position counts in, S9; null: nobody said. */
  origin(name: StoreName): ChangelogOrigin | null {
    return this.#origins.get(name) ?? readOrigin(this.#database, name)
  }

  /** Says it: part of every flush from here on. Commits move `asOf` on. */
  belongsTo(name: StoreName, origin: ChangelogOrigin): void {
    this.#origins.set(name, origin)
  }

  /** A row of the changelog, later than all before; null deletes. It counts once restored() has said its position. */
  restore(name: StoreName, key: Buffer, value: Buffer | null): void {
    this.#ensureOpen()
    const window = this.#windows.get(name)
    if (window === undefined) {
      this.#write(this.#store(name).cellOf(hold(key)), value === null ? null : hold(value))
    } else if (!window.restore(key, value))
      throw new StateError(
        'STATE_CORRUPT',
        `the changelog of ${name} has a key of ${key.length} bytes: no window's`,
        'stop',
      )
  }

  /** All rows given so far stand below these positions: from here on a flush may write them. */
  restored(positions: ReadonlyMap<StoreName, ChangelogPosition>): void {
    this.#moveDown(positions)
  }

  /** Next changelog offset of each logged store as committed; null: restore from the changelog's start. */
  positions(): ReadonlyMap<StoreName, ChangelogPosition | null> {
    return new Map(this.#positions)
  }

  // Disk

  /**
   * Writes all committed rows and positions in one batch (S4). Rows committed meanwhile wait for the next flush; when a
   * flush is running this is that one. On failure nothing is lost: the rows wait again.
   * @throws StateError STATE_FULL, STATE_IO, STATE_CORRUPT, CLOSED
   */
  flush(): Promise<void> {
    if (this.#closing !== null) return Promise.reject(closedError())
    if (this.damage !== null) return Promise.reject(this.damage)
    return this.#flush()
  }

  get flushing(): boolean {
    return this.#flushing !== null
  }

  /** Anything committed that the disk does not have and no running flush is writing. */
  get hasUnflushed(): boolean {
    return this.#unflushed.length > 0 || this.#positionsMoved
  }

  /** Flushes begun since open: rows committed after one wait for the next. */
  get flushes(): number {
    return this.#flushesBegun
  }

  /** Memory of committed rows that are not on disk, those being written included. */
  get unflushedBytes(): number {
    return this.#unflushedBytes + this.#flushingBytes
  }

  /** Memory of the open transaction's rows: past a bound of its own the engine commits early. */
  get uncommittedBytes(): number {
    return this.#uncommittedBytes
  }

  /** Memory of rows that are only a cache of the disk. */
  get cleanBytes(): number {
    return this.#clean.bytes
  }

  /** Changelog bytes committed or restored since the last flush began: what a restart would replay. */
  get changelogBytes(): number {
    return this.#changelogBytes
  }

  /** Drops what is uncommitted, waits for a running flush, flushes the rest when asked, and closes the database. */
  close({ flush }: { readonly flush: boolean }): Promise<void> {
    this.#closing ??= this.#close(flush)
    return this.#closing
  }

  async #close(flush: boolean): Promise<void> {
    this.abort()
    try {
      await this.#flushing?.catch(() => undefined)
      if (flush && this.damage === null) await this.#flush()
    } finally {
      await this.#database.close()
    }
  }

  #store(name: StoreName): StoreBuffer {
    const store = this.#stores.get(name)
    assert(store !== undefined, `no store ${name} in this task`)
    return store
  }

  #ensureOpen(): void {
    if (this.#closing !== null) throw closedError()
  }

  #write(cell: Cell, value: string | null): void {
    if (cell.savedAt !== this.#savepoint) {
      cell.savedAt = this.#savepoint
      this.#undoCells[this.#undoCount] = cell
      this.#undoValues[this.#undoCount++] = cell.value
    }
    if (cell.flags & UNCOMMITTED) this.#uncommittedBytes += sizeOf(value) - sizeOf(cell.value)
    else {
      if (cell.value !== undefined && !(cell.flags & LAYERED)) this.#clean.remove(cell)
      cell.below = cell.value
      cell.flags |= UNCOMMITTED
      this.#written.push(cell)
      this.#uncommittedBytes += weightOf(cell, value)
      cell.store.noteLayered(cell)
    }
    cell.value = value
  }

  /** Takes a cell, its committed value already back in place, out of the open transaction. */
  #unwrite(cell: Cell): void {
    cell.flags &= ~UNCOMMITTED
    cell.below = undefined
    this.#settle(cell)
  }

  #commitCell(cell: Cell): void {
    if (cell.flags & UNFLUSHED) this.#unflushedBytes += sizeOf(cell.value) - sizeOf(cell.below)
    else {
      cell.flags |= UNFLUSHED
      this.#unflushed.push(cell)
      this.#unflushedBytes += weightOf(cell, cell.value)
    }
    cell.flags &= ~UNCOMMITTED
    cell.below = undefined
  }

  #movePositions(positions: ReadonlyMap<StoreName, ChangelogPosition>): void {
    for (const [name, position] of positions) {
      const before = this.#positions.get(name)
      assert(before !== undefined, `no logged store ${name} in this task`)
      assert(before === null || position >= before, `position of ${name} went back from ${before} to ${position}`)
      if (position === before) continue
      this.#positions.set(name, position)
      this.#positionsMoved = true
    }
  }

  #clearWritten(): void {
    this.#written = []
    this.#uncommittedBytes = 0
    this.savepoint()
  }

  /** A cell has left a layer. In none any more, it is clean, or forgotten when its value was never read. */
  #settle(cell: Cell): void {
    if (cell.flags & LAYERED) return
    if (cell.value === undefined || cell.store.isExpired(cell)) cell.store.forget(cell)
    else this.#clean.add(cell)
  }

  #flush(): Promise<void> {
    if (this.#flushing !== null) return this.#flushing
    if (!this.hasUnflushed) return Promise.resolve()
    const changelogBytes = this.#changelogBytes
    const expired = this.#expire()
    const rows = this.#beginFlush()
    const positions = new Map<StoreName, ChangelogPosition>()
    for (const [name, position] of this.#positions) if (position !== null) positions.set(name, position)
    for (const [name, origin] of this.#origins) if (positions.has(name)) rows.push(originRow(name, origin))
    const done = this.#writeAndDrop(rows, positions, expired).then(
      () => this.#endFlush(),
      (error: unknown) => {
        this.#undoFlush(changelogBytes)
        throw error
      },
    )
    this.#flushing = done
    return done
  }

  #beginFlush(): Row[] {
    this.#flushesBegun++
    const cells = this.#unflushed
    for (const cell of cells) cell.flags = (cell.flags & ~UNFLUSHED) | FLUSHING
    this.#flushingCells = cells
    this.#flushingBytes = this.#unflushedBytes
    this.#unflushed = []
    this.#unflushedBytes = 0
    this.#positionsMoved = false
    this.#changelogBytes = 0
    const rows: Row[] = []
    for (const cell of cells)
      if (!cell.store.isExpired(cell)) rows.push(new HeldRow(cell.store.name, cell.id, committedOf(cell)))
    return rows
  }

  /** Window stores whose oldest segments have expired since the last flush, and below which key (WS3). */
  #expire(): Map<StoreBuffer, Buffer> {
    const expired = new Map<StoreBuffer, Buffer>()
    for (const [name, window] of this.#windows) {
      const below = window.expiredBelow()
      const store = this.#store(name)
      if (below !== null && store.expire(below)) expired.set(store, below)
    }
    return expired
  }

  async #writeAndDrop(
    rows: readonly Row[],
    positions: ReadonlyMap<StoreName, ChangelogPosition>,
    expired: ReadonlyMap<StoreBuffer, Buffer>,
  ): Promise<void> {
    await this.#database.write(rows, positions)
    // Not one batch with the rows, and need not be: what a kill leaves here is invisible, and is dropped with the next.
    for (const [store, below] of expired) await store.dropExpired(below)
  }

  #endFlush(): void {
    const cells = this.#takeFlushing()
    this.#flushesDone++
    for (const cell of cells) {
      cell.flags &= ~FLUSHING
      this.#settle(cell)
    }
    this.#dropOrders()
  }

  #undoFlush(changelogBytes: number): void {
    for (const cell of this.#takeFlushing()) {
      cell.flags &= ~FLUSHING
      if (cell.flags & UNFLUSHED) continue
      cell.flags |= UNFLUSHED
      this.#unflushed.push(cell)
      this.#unflushedBytes += weightOf(cell, committedOf(cell))
    }
    this.#positionsMoved = true
    this.#changelogBytes += changelogBytes
  }

  #takeFlushing(): Cell[] {
    const cells = this.#flushingCells
    this.#flushingCells = []
    this.#flushingBytes = 0
    this.#flushing = null
    return cells
  }

  #dropOrders(): void {
    for (const store of this.#stores.values()) store.dropOrder()
  }

  *#layered(): Generator<Cell> {
    yield* this.#written
    yield* this.#unflushed
    yield* this.#flushingCells
  }
}

/** A row of a flush; its buffers are made when the database asks, not all at once. */
class HeldRow implements Row {
  readonly store: StoreName
  readonly #id: string
  readonly #value: Held
  constructor(store: StoreName, id: string, value: Held) {
    this.store = store
    this.#id = id
    this.#value = value
  }
  get key(): Buffer {
    return release(this.#id)
  }
  get value(): Buffer | null {
    return typeof this.#value === 'string' ? release(this.#value) : null
  }
}

const closedError = (): StateError => new StateError('CLOSED', 'the state of this task is closed', 'stop')
