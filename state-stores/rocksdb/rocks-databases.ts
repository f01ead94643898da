/**
 * RocksDB databases below one directory, one for each task.
 *
 * Files of a database: RocksDB's own, and `STATE-FORMAT`, written last when it is created. A directory without that file
 * was never finished and never held a row, so it is begun anew; one with it must open as it stands (S8): a kill during
 * creation costs nothing, and a lost CURRENT or MANIFEST is damage instead of an empty store.
 */

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StateError } from '../contract.ts'
import type { StateDatabase, StateDatabaseSupplier } from '../contract.ts'
import { rocksBinding } from './binding.ts'
import type { DatabaseContext, OpenOptions, RocksBinding } from './binding.ts'
import { RocksDatabase } from './rocks-database.ts'
import { openError, stateError } from './rocks-errors.ts'
import { FORMAT_KEY } from './row-keys.ts'

export interface RocksDatabasesOptions {
  readonly directory: string
  /** Block caches of all databases together, in bytes. */
  readonly blockCacheBytes: number
  /** Memtables of all databases together, in bytes. */
  readonly writeBufferBytes: number
  /** How many databases the two budgets are shared by; the binding can neither share a cache nor resize one. */
  readonly databases?: number
  /** One line for the operator when something was repaired or removed. */
  readonly notice: (line: string) => void
}

const FORMAT = 1
const MARKER = 'STATE-FORMAT'
const DATABASES = 16
const MIB = 1024 * 1024
/** RocksDB stops writing at this number of memtables; small ones insert faster (anchored in DESIGN.md). */
const MEMTABLES = 6
const MEMTABLE_BYTES = { least: MIB, most: 16 * MIB }
const PATH = /^[\w.-]+(\/[\w.-]+)*$/

/** @throws StateError from open(): STATE_LOCKED, STATE_CORRUPT, STATE_FULL, STATE_IO */
export function rocksDatabases(options: RocksDatabasesOptions): StateDatabaseSupplier {
  return new RocksDatabases(options)
}

class RocksDatabases implements StateDatabaseSupplier {
  readonly #options: RocksDatabasesOptions
  /** Null while a database is being opened or wiped. */
  readonly #held = new Map<string, RocksDatabase | null>()
  #closed = false

  constructor(options: RocksDatabasesOptions) {
    this.#options = options
  }

  open(path: string): Promise<StateDatabase> {
    return this.#holding(path, async (directory) => {
      const binding = rocksBinding()
      const created = !existsSync(join(directory, MARKER))
      if (created) await this.#clear(path, directory)
      const context = await openContext(binding, directory, this.#openOptions(created), path)
      try {
        if (created) await writeFormat(binding, context, directory, path)
        else checkFormat(binding, context, path)
        if (this.#closed) throw closedError()
        const database = new RocksDatabase(binding, context, path, () => this.#held.delete(path))
        this.#held.set(path, database)
        return database
      } catch (error) {
        await new Promise<void>((resolve) => binding.db_close(context, () => resolve()))
        throw openError(error, path)
      }
    })
  }

  async list(path: string): Promise<readonly string[]> {
    assert(PATH.test(path) && !path.includes('..'), `${path} is no path below the state directory`)
    const directory = join(this.#options.directory, path)
    try {
      const names = await readdir(directory)
      return names.filter((name) => existsSync(join(directory, name, MARKER))).sort()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw stateError(error, `${path}: list`)
    }
  }

  wipe(path: string): Promise<void> {
    return this.#holding(path, async (directory) => {
      try {
        // The marker first: what is left by a kill in between counts as never finished.
        await rm(join(directory, MARKER), { force: true })
        await rm(directory, { recursive: true, force: true })
        this.#held.delete(path)
      } catch (error) {
        throw stateError(error, `${path}: wipe`)
      }
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const database of this.#held.values()) await database?.close()
  }

  /** Runs with the path taken; gives it back when the work fails. */
  async #holding<T>(path: string, work: (directory: string) => Promise<T>): Promise<T> {
    assert(PATH.test(path) && !path.includes('..'), `${path} is no path below the state directory`)
    if (this.#closed) throw closedError()
    if (this.#held.has(path)) throw new StateError('STATE_LOCKED', `state ${path} is open already`, 'stop')
    this.#held.set(path, null)
    try {
      return await work(join(this.#options.directory, path))
    } catch (error) {
      this.#held.delete(path)
      throw error
    }
  }

  /** An empty directory for a new database. */
  async #clear(path: string, directory: string): Promise<void> {
    try {
      await mkdir(directory, { recursive: true })
      if ((await readdir(directory)).length === 0) return
      await rm(directory, { recursive: true, force: true })
      await mkdir(directory, { recursive: true })
    } catch (error) {
      throw stateError(error, `${path}: create`)
    }
    this.#options.notice(`state ${path}: its creation was never finished; begun anew`)
  }

  #openOptions(created: boolean): OpenOptions {
    const { blockCacheBytes, writeBufferBytes, databases = DATABASES } = this.#options
    const memtable = Math.floor(writeBufferBytes / databases / MEMTABLES)
    return {
      createIfMissing: created,
      errorIfExists: created,
      walCompression: false,
      compression: false,
      compaction: 'universal',
      memtableMemoryBudget: 4 * Math.min(Math.max(memtable, MEMTABLE_BYTES.least), MEMTABLE_BYTES.most),
      cacheSize: Math.max(Math.floor(blockCacheBytes / databases), MIB),
      cacheIndexAndFilterBlocks: true,
      optimize: 'point-lookup',
    }
  }
}

function openContext(
  binding: RocksBinding,
  directory: string,
  options: OpenOptions,
  path: string,
): Promise<DatabaseContext> {
  const context = binding.db_init(directory)
  return new Promise((resolve, reject) => {
    binding.db_open(context, options, (error) => (error === null ? resolve(context) : reject(openError(error, path))))
  })
}

/** What the format row must say: a directory copied to another task's place is refused. */
const formatOf = (path: string): Buffer => Buffer.from(JSON.stringify({ format: FORMAT, path }))

async function writeFormat(
  binding: RocksBinding,
  context: DatabaseContext,
  directory: string,
  path: string,
): Promise<void> {
  const batch = binding.batch_init()
  binding.batch_put(batch, FORMAT_KEY, formatOf(path), {})
  binding.batch_write(context, batch, { sync: true })
  const marker = join(directory, MARKER)
  await writeFile(`${marker}.new`, formatOf(path))
  await rename(`${marker}.new`, marker)
}

function checkFormat(binding: RocksBinding, context: DatabaseContext, path: string): void {
  const found = binding.db_get_many_sync(context, [FORMAT_KEY], {})[0]
  const wanted = formatOf(path)
  if (found && found.equals(wanted)) return
  const says = found ? found.toString('utf8') : 'nothing'
  throw new StateError('STATE_CORRUPT', `state ${path}: its format row says ${says}, not ${wanted}`, 'restore')
}

const closedError = (): StateError => new StateError('CLOSED', 'the state databases are closed', 'stop')
