/**
 * The reference: rows in a Map, sorted when a range asks. Nothing outlives close(). Keys are latin1 strings, whose order is
 * that of unsigned bytes.
 */

import { StateError } from '../contract.ts'
import type {
  ChangelogPosition,
  Entry,
  RangeOptions,
  Row,
  StateDatabase,
  StateDatabaseSupplier,
  StoreName,
} from '../contract.ts'

/** Databases in memory, for tests, simulation and stores that are cheap to rebuild. */
export function memoryDatabases(): StateDatabaseSupplier {
  const open = new Map<string, MemoryDatabase>()
  let closed = false
  return {
    async open(path) {
      if (closed) throw closedError()
      if (open.has(path)) throw lockedError(path)
      const database = new MemoryDatabase(() => open.delete(path))
      open.set(path, database)
      return database
    },
    async wipe(path) {
      if (closed) throw closedError()
      if (open.has(path)) throw lockedError(path)
    },
    async close() {
      closed = true
      for (const database of open.values()) await database.close()
    },
  }
}

class MemoryDatabase implements StateDatabase {
  readonly persistent = false
  readonly #stores = new Map<StoreName, MemoryRows>()
  readonly #positions = new Map<StoreName, ChangelogPosition>()
  readonly #onClose: () => void
  #closed = false

  constructor(onClose: () => void) {
    this.#onClose = onClose
  }

  get(store: StoreName, key: Buffer): Buffer | undefined {
    return this.#rows(store).get(key)
  }

  async getMany(store: StoreName, keys: readonly Buffer[]): Promise<readonly (Buffer | undefined)[]> {
    return keys.map((key) => this.#rows(store).get(key))
  }

  range(store: StoreName, options: RangeOptions = {}): IterableIterator<Entry> {
    return each(this.#rows(store).range(options))
  }

  position(store: StoreName): ChangelogPosition | null {
    this.#ensureOpen()
    return this.#positions.get(store) ?? null
  }

  async write(rows: readonly Row[], positions: ReadonlyMap<StoreName, ChangelogPosition>): Promise<void> {
    this.#ensureOpen()
    for (const { store, key, value } of rows) this.#rows(store).set(key, value)
    for (const [store, position] of positions) this.#positions.set(store, position)
  }

  async drop(store: StoreName, below: Buffer): Promise<void> {
    this.#rows(store).drop(below)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#stores.clear()
    this.#onClose()
  }

  #rows(store: StoreName): MemoryRows {
    this.#ensureOpen()
    let rows = this.#stores.get(store)
    if (rows === undefined) this.#stores.set(store, (rows = new MemoryRows()))
    return rows
  }

  #ensureOpen(): void {
    if (this.#closed) throw closedError()
  }
}

class MemoryRows {
  readonly #values = new Map<string, Buffer>()
  #sorted: string[] | null = null

  get(key: Buffer): Buffer | undefined {
    const value = this.#values.get(key.toString('latin1'))
    return value === undefined ? undefined : Buffer.from(value)
  }

  set(key: Buffer, value: Buffer | null): void {
    const id = key.toString('latin1')
    if (value === null) {
      if (this.#values.delete(id)) this.#sorted = null
    } else {
      if (!this.#values.has(id)) this.#sorted = null
      this.#values.set(id, Buffer.from(value))
    }
  }

  drop(below: Buffer): void {
    for (const [key] of this.range({ lt: below })) this.set(key, null)
  }

  range({ gte, lt, reverse = false, limit = Infinity }: RangeOptions): Entry[] {
    this.#sorted ??= [...this.#values.keys()].sort()
    const from = gte === undefined ? 0 : firstNotBelow(this.#sorted, gte.toString('latin1'))
    const to = lt === undefined ? this.#sorted.length : firstNotBelow(this.#sorted, lt.toString('latin1'))
    const ids = this.#sorted.slice(from, Math.max(from, to))
    if (reverse) ids.reverse()
    return ids
      .slice(0, limit)
      .map((id) => [Buffer.from(id, 'latin1'), Buffer.from(this.#values.get(id) as Buffer)] as const)
  }
}

/** A snapshot's entries one by one; can be ended early, which an array's own iterator cannot. */
function* each(entries: readonly Entry[]): Generator<Entry, undefined> {
  yield* entries
}

/** Index of the first id that is not below `id`, in a sorted list. */
function firstNotBelow(ids: readonly string[], id: string): number {
  let low = 0
  let high = ids.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ids[middle] as string) < id) low = middle + 1
    else high = middle
  }
  return low
}

const closedError = (): StateError => new StateError('CLOSED', 'the state database is closed', 'stop')

const lockedError = (path: string): StateError =>
  new StateError('STATE_LOCKED', `the state database ${path} is open already`, 'stop')
