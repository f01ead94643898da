/**
 * What a task's keyed state is made of. Three layers, top to bottom:
 *
 *   uncommitted rows   written by the open transaction; dropped on abort
 *   committed rows     committed to the changelog, not yet on disk
 *   StateDatabase      rows on disk together with the changelog position they stand for, always in one atomic batch
 *
 * One database serves one task: the rows of all its stores, each under its store's name.
 */

/** A store's name: durable, written by hand; its changelog topic is named after it. */
export type StoreName = string

export interface RangeOptions {
  /** First key, inclusive; absent means from the start. Keys compare as unsigned bytes. */
  readonly gte?: Buffer
  /** End key, exclusive; absent means to the end. */
  readonly lt?: Buffer
  readonly reverse?: boolean
  readonly limit?: number
}

export type Entry = readonly [key: Buffer, value: Buffer]

/** A row to write: null deletes. */
export interface Row {
  readonly store: StoreName
  readonly key: Buffer
  readonly value: Buffer | null
}

/** The next changelog offset a store has not seen yet. */
export type ChangelogPosition = bigint

/** Rows on disk (or in memory, for tests) of one task. Every call after close() throws a StateError CLOSED. */
export interface StateDatabase {
  /** False when nothing outlives the process: its position is then never known at open. */
  readonly persistent: boolean
  get(store: StoreName, key: Buffer): Buffer | undefined
  getMany(store: StoreName, keys: readonly Buffer[]): Promise<readonly (Buffer | undefined)[]>
  /** A snapshot in key order. The iterator must be run to its end or closed with return(). */
  range(store: StoreName, options?: RangeOptions): IterableIterator<Entry>
  /** Null when the store has never been written: restore begins at the changelog's start. */
  position(store: StoreName): ChangelogPosition | null
  /** One atomic batch: rows and positions together, or nothing. */
  write(rows: readonly Row[], positions: ReadonlyMap<StoreName, ChangelogPosition>): Promise<void>
  /** Drops all rows of a store below a key, at a cost that does not depend on how many. After the writes asked for before. */
  drop(store: StoreName, below: Buffer): Promise<void>
  close(): Promise<void>
}

/** Opens databases; one supplier per process so that caches and files share one budget. */
export interface StateDatabaseSupplier {
  /**
   * @param path name of the task's directory below the supplier's root, e.g. `research/0_2`
   * @throws StateError STATE_CORRUPT when the files fail a check: the caller wipes and restores
   */
  open(path: string): Promise<StateDatabase>
  /** Names of the databases directly below a path that hold rows from earlier runs; absent when nothing outlives the process. */
  list?(path: string): Promise<readonly string[]>
  /** Removes a closed database. */
  wipe(path: string): Promise<void>
  close(): Promise<void>
}

/** What a step sees of a store. Keys and values are owned by the caller after a get; copied on put. */
export interface KeyValueStore {
  readonly name: StoreName
  get(key: Buffer): Buffer | undefined
  put(key: Buffer, value: Buffer): void
  delete(key: Buffer): void
  /** Merged over all layers, in key order, as of the call. */
  range(options?: RangeOptions): IterableIterator<Entry>
}

export type StateErrorCode = 'STATE_CORRUPT' | 'STATE_IO' | 'STATE_FULL' | 'STATE_LOCKED' | 'CLOSED'

/** Trouble with local state. */
export class StateError extends Error {
  readonly code: StateErrorCode
  readonly then: 'retry' | 'restore' | 'stop'
  constructor(code: StateErrorCode, message: string, then: 'retry' | 'restore' | 'stop', cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'StateError'
    this.code = code
    this.then = then
  }
}
