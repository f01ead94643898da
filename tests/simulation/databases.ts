/**
 * Local state on a simulated machine: an ordered map with RocksDB's crash semantics (WAL on, no sync).
 *
 *   A batch is whole or absent. A kill keeps every batch that was written; a power failure keeps a prefix of them.
 *   A damaged directory is found at open (STATE_CORRUPT). A full disk refuses a batch whole (STATE_FULL).
 *   One life at a time holds the machine's directory, and each path is open once.
 */

import type {
  ChangelogPosition,
  Entry,
  RangeOptions,
  Row,
  StateDatabase,
  StateDatabaseSupplier,
} from '../../state-stores/index.ts'
import { StateError } from '../../state-stores/index.ts'
import type { Life } from './process.ts'
import type { Chance } from './random.ts'

export type Rows = ReadonlyMap<string, Buffer>

/** What a machine keeps of one path: rows by store, keys as latin1, and positions. */
export class StateFiles {
  readonly stores = new Map<string, Map<string, Buffer>>()
  readonly positions = new Map<string, ChangelogPosition>()
  corrupt = false
  /** Batches a power failure may still take, oldest first: how to undo each. */
  readonly #undo: (() => void)[] = []

  apply(rows: readonly Row[], positions: ReadonlyMap<string, ChangelogPosition>): void {
    const before: (() => void)[] = []
    for (const { store, key, value } of rows) {
      const table = this.table(store)
      const id = key.toString('latin1')
      const old = table.get(id)
      before.push(() => (old === undefined ? table.delete(id) : table.set(id, old)))
      if (value === null) table.delete(id)
      else table.set(id, Buffer.from(value))
    }
    for (const [store, position] of positions) {
      const old = this.positions.get(store)
      before.push(() => (old === undefined ? this.positions.delete(store) : this.positions.set(store, old)))
      this.positions.set(store, position)
    }
    this.#undo.push(() => {
      for (const back of before.toReversed()) back()
    })
    if (this.#undo.length > keptBatches) this.#undo.shift()
  }

  /** @param pick a number below its argument */
  afterPowerLoss(pick: (below: number) => number): void {
    for (let lost = pick(this.#undo.length + 1); lost > 0; lost--) this.#undo.pop()?.()
    this.#undo.length = 0
  }

  table(store: string): Map<string, Buffer> {
    let table = this.stores.get(store)
    if (table === undefined) this.stores.set(store, (table = new Map()))
    return table
  }
}

/** As many batches as a memtable holds. */
const keptBatches = 20

/** The state directory of one machine: outlives processes. */
export class StateDisk {
  readonly paths = new Map<string, StateFiles>()
  readonly #writeUs: number
  full = false
  #holder: Life | null = null
  /** What happened here, for the histogram. */
  readonly happened = { full: 0, corrupt: 0, locked: 0 }

  constructor(writeUs: number) {
    this.#writeUs = writeUs
  }

  get writeUs(): number {
    return this.#writeUs
  }

  afterPowerLoss(chance: Chance): void {
    for (const files of this.paths.values()) files.afterPowerLoss((below) => chance.below(below))
  }

  /** Opens the directory for a process. @throws StateError STATE_LOCKED while another process has it */
  open(life: Life): StateDatabaseSupplier {
    if (this.#holder !== null && !this.#holder.isDead && this.#holder !== life) {
      this.happened.locked++
      throw new StateError('STATE_LOCKED', `the state directory is held by process ${this.#holder.life}`, 'stop')
    }
    this.#holder = life
    return new Supplier(this, life, () => {
      if (this.#holder === life) this.#holder = null
    })
  }
}

class Supplier implements StateDatabaseSupplier {
  readonly #disk: StateDisk
  readonly #life: Life
  readonly #release: () => void
  readonly #open = new Map<string, SimulatedDatabase>()
  #closed = false

  constructor(disk: StateDisk, life: Life, release: () => void) {
    this.#disk = disk
    this.#life = life
    this.#release = release
  }

  async open(path: string): Promise<StateDatabase> {
    await wait(this.#life, this.#disk.writeUs, `open ${path}`)
    this.#ensureFree(path)
    let files = this.#disk.paths.get(path)
    if (files === undefined) this.#disk.paths.set(path, (files = new StateFiles()))
    if (files.corrupt) {
      this.#disk.happened.corrupt++
      throw new StateError('STATE_CORRUPT', `state ${path}: open: block checksum mismatch`, 'restore')
    }
    const database = new SimulatedDatabase(path, files, this.#disk, this.#life, () => this.#open.delete(path))
    this.#open.set(path, database)
    return database
  }

  async list(path: string): Promise<readonly string[]> {
    await wait(this.#life, this.#disk.writeUs, `list ${path}`)
    const below = [...this.#disk.paths.keys()].filter((name) => name.startsWith(`${path}/`))
    return below.map((name) => name.slice(path.length + 1)).sort()
  }

  async wipe(path: string): Promise<void> {
    await wait(this.#life, this.#disk.writeUs, `wipe ${path}`)
    this.#ensureFree(path)
    this.#disk.paths.delete(path)
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const database of this.#open.values()) await database.close()
    this.#release()
  }

  #ensureFree(path: string): void {
    if (this.#closed) throw closedError()
    if (!this.#open.has(path)) return
    throw new StateError('STATE_LOCKED', `the state database ${path} is open already`, 'stop')
  }
}

class SimulatedDatabase implements StateDatabase {
  readonly persistent = true
  readonly #path: string
  readonly #files: StateFiles
  readonly #disk: StateDisk
  readonly #life: Life
  readonly #onClose: () => void
  #closed = false
  /** The batch that is being written. */
  #writing: Promise<void> = Promise.resolve()

  constructor(path: string, files: StateFiles, disk: StateDisk, life: Life, onClose: () => void) {
    this.#path = path
    this.#files = files
    this.#disk = disk
    this.#life = life
    this.#onClose = onClose
  }

  get(store: string, key: Buffer): Buffer | undefined {
    this.#ensureOpen()
    const value = this.#files.stores.get(store)?.get(key.toString('latin1'))
    return value === undefined ? undefined : Buffer.from(value)
  }

  async getMany(store: string, keys: readonly Buffer[]): Promise<readonly (Buffer | undefined)[]> {
    this.#ensureOpen()
    await wait(this.#life, this.#disk.writeUs, 'state read')
    return keys.map((key) => this.get(store, key))
  }

  range(store: string, { gte, lt, reverse = false, limit = Infinity }: RangeOptions = {}): IterableIterator<Entry> {
    this.#ensureOpen()
    const table = this.#files.stores.get(store) ?? new Map<string, Buffer>()
    const from = gte?.toString('latin1')
    const to = lt?.toString('latin1')
    const entries = [...table]
      .filter(([id]) => (from === undefined || id >= from) && (to === undefined || id < to))
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    if (reverse) entries.reverse()
    return each(entries.slice(0, limit))
  }

  position(store: string): ChangelogPosition | null {
    this.#ensureOpen()
    return this.#files.positions.get(store) ?? null
  }

  async write(rows: readonly Row[], positions: ReadonlyMap<string, ChangelogPosition>): Promise<void> {
    this.#ensureOpen()
    const copies = rows.map(({ store, key, value }) => ({ store, key, value }))
    const waited = wait(this.#life, this.#disk.writeUs, `state write ${this.#path}`)
    this.#writing = waited
    await waited
    if (this.#disk.full) {
      this.#disk.happened.full++
      throw new StateError('STATE_FULL', `state ${this.#path}: write: No space left on device`, 'stop')
    }
    this.#files.apply(copies, positions)
  }

  async drop(store: string, below: Buffer): Promise<void> {
    this.#ensureOpen()
    const end = below.toString('latin1')
    await wait(this.#life, this.#disk.writeUs, `state drop ${this.#path}`)
    this.#ensureOpen()
    const ids = [...this.#files.table(store).keys()].filter((id) => id < end)
    const rows = ids.map((id) => ({ store, key: Buffer.from(id, 'latin1'), value: null }))
    this.#files.apply(rows, new Map())
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#writing
    this.#onClose()
  }

  #ensureOpen(): void {
    this.#life.ensureAlive()
    if (this.#closed) throw closedError()
  }
}

function* each(entries: readonly (readonly [string, Buffer])[]): Generator<Entry, undefined> {
  for (const [id, value] of entries) yield [Buffer.from(id, 'latin1'), Buffer.from(value)]
}

/** The map is changed when the wait is over and the process lives. */
const wait = (life: Life, meanUs: number, what: string): Promise<void> =>
  life.isDead
    ? new Promise(() => undefined)
    : new Promise((resolve) => void life.later(life.chance.exponential(meanUs), what, resolve))

const closedError = (): StateError => new StateError('CLOSED', 'the state database is closed', 'stop')
