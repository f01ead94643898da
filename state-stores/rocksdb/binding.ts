/**
 * The calls of @nxtedition/rocksdb's native binding that are used here, typed. The package's own classes are not used:
 * they are abstract-level's promise and event layer, keep every iterator in a set until an asynchronous close, and have no
 * synchronous get. The version is pinned exactly, because the binding is not a documented interface.
 *
 * Traps, each one run or read in binding.cc 12.2.12:
 * - A call on a closed or never opened context, on a closed iterator, or with an empty key aborts the process.
 * - db_get_many (the asynchronous one) never calls back when a block is damaged, so only the synchronous one is used.
 * - db_get_many_sync answers undefined for an absent key, null when its byte bound was passed.
 * - batch_write runs on the calling thread, for all rows of the batch at once: 2 to 3 us a row.
 * - There is no way to switch the WAL off, to share a block cache or to bound open files; memtableMemoryBudget counts only
 *   with `compaction`, and one memtable is a quarter of it; walTotalSizeLimit and decouplePartitionedFilters are stored
 *   into the wrong setting.
 * - Views that are not Buffers are read with a wrong offset: Buffers only. They are copied at once, so they may be reused.
 * - With createIfMissing a database whose CURRENT is gone is begun anew without a word.
 * - A second open in the same process is refused as in another one (LEVEL_LOCKED).
 */

import { createRequire } from 'node:module'
import { StateError } from '../contract.ts'

declare const context: unique symbol
export interface DatabaseContext {
  readonly [context]: 'database'
}
export interface BatchContext {
  readonly [context]: 'batch'
}
export interface IteratorContext {
  readonly [context]: 'iterator'
}

export type Callback = (error: Error | null) => void

export interface OpenOptions {
  readonly createIfMissing: boolean
  readonly errorIfExists: boolean
  readonly walCompression: boolean
  readonly compression: boolean
  readonly compaction: 'universal' | 'level'
  readonly memtableMemoryBudget: number
  readonly cacheSize: number
  readonly cacheIndexAndFilterBlocks: boolean
  readonly optimize: 'point-lookup'
}

export interface IteratorOptions {
  readonly gte: Buffer
  readonly lt: Buffer
  readonly reverse: boolean
  readonly limit: number
  readonly highWaterMarkBytes: number
  readonly keyEncoding: 'buffer'
  readonly valueEncoding: 'buffer'
}

export interface RocksBinding {
  db_init(location: string): DatabaseContext
  db_open(database: DatabaseContext, options: OpenOptions, done: Callback): void
  db_close(database: DatabaseContext, done: Callback): void
  /** Without a limit one range tombstone, whatever it covers; on the calling thread. */
  db_clear(database: DatabaseContext, range: { readonly gte: Buffer; readonly lt: Buffer }): void
  db_get_many_sync(database: DatabaseContext, keys: readonly Buffer[], options: object): (Buffer | undefined | null)[]
  /** Keys and values alternate in `rows`. */
  iterator_nextv_sync(iterator: IteratorContext, count: number): { readonly rows: Buffer[]; readonly finished: boolean }
  iterator_init(database: DatabaseContext, options: IteratorOptions): IteratorContext
  iterator_close(iterator: IteratorContext): void
  batch_init(): BatchContext
  batch_put(batch: BatchContext, key: Buffer, value: Buffer, options: object): void
  batch_del(batch: BatchContext, key: Buffer, options: object): void
  batch_clear(batch: BatchContext): void
  batch_write(database: DatabaseContext, batch: BatchContext, options: object): void
}

let loaded: RocksBinding | null = null

/**
 * Loads the native library at the first use, so that programs on memory stores need none.
 * @throws StateError STATE_IO when there is no build for this platform
 */
export function rocksBinding(): RocksBinding {
  try {
    loaded ??= createRequire(import.meta.url)('@nxtedition/rocksdb/binding.js') as RocksBinding
    return loaded
  } catch (error) {
    const platform = `${process.platform}-${process.arch}`
    throw new StateError('STATE_IO', `the RocksDB library does not load on ${platform}`, 'stop', error)
  }
}
