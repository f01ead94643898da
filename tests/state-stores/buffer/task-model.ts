/**
 * What TaskState must look like from outside, as plain Maps: the model, the real thing beside it, and the commands that
 * are run on both. Keys and values are latin1 strings.
 */

import { expect } from 'vitest'
import fc from 'fast-check'
import { TaskState } from '../../../state-stores/index.ts'
import type { Entry, RangeOptions, StateDatabase, StateDatabaseSupplier } from '../../../state-stores/index.ts'
import { gated, settled } from './gated-database.ts'
import type { GatedDatabase } from './gated-database.ts'

export const STORES = ['counts', 'count']
const PATH = 'app/0_0'
/** Two tenants, and keys that meet at their edges. */
export const KEYS = ['a:', 'a:1', 'a:1\0', 'a:2', 'a:\xff', 'b:', 'b:1', 'b:2', '\xff', '\xff\xff', '', '\0']

type Rows = Map<string, string>
type Stores = Map<string, Rows>
interface Change {
  readonly key: string
  readonly value: string | null
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')
const text = (buffer: Buffer): string => buffer.toString('latin1')
const copyOf = (stores: Stores): Stores => new Map([...stores].map(([name, rows]) => [name, new Map(rows)]))
const emptyStores = (): Stores => new Map(STORES.map((name) => [name, new Map()]))

export function fold(changes: readonly Change[]): Rows {
  const rows: Rows = new Map()
  for (const { key, value } of changes)
    if (value === null) rows.delete(key)
    else rows.set(key, value)
  return rows
}

export function sorted(rows: Rows): [string, string][] {
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1))
}

export class Model {
  committed = emptyStores()
  visible = emptyStores()
  saved = emptyStores()
  readonly changelogs = new Map<string, Change[]>(STORES.map((name) => [name, []]))
}

export class Real {
  readonly supplier: StateDatabaseSupplier
  readonly cleanBytes: number
  database!: GatedDatabase
  disk!: StateDatabase
  task!: TaskState
  flush: Promise<unknown> = Promise.resolve()

  constructor(supplier: StateDatabaseSupplier, cleanBytes: number) {
    this.supplier = supplier
    this.cleanBytes = cleanBytes
  }

  async open(): Promise<void> {
    this.flush = Promise.resolve()
    this.disk = await this.supplier.open(PATH)
    this.database = gated(this.disk)
    this.task = TaskState.open({
      database: this.database,
      stores: STORES.map((name) => ({ name, logged: true })),
      cleanBytes: this.cleanBytes,
    })
  }
}

type Command = fc.AsyncCommand<Model, Real>

const command = (name: string, run: (model: Model, real: Real) => void | Promise<void>): Command => ({
  check: () => true,
  run: async (model, real) => run(model, real),
  toString: () => name,
})

const visibleRows = (model: Model, store: string): Rows => model.visible.get(store) as Rows
const shown = (entries: Iterable<Entry>): [string, string][] =>
  [...entries].map(([key, value]) => [text(key), text(value)])

const get = (store: string, key: string): Command =>
  command(`get ${store} ${JSON.stringify(key)}`, (model, { task }) => {
    const found = task.store(store).get(bytes(key))
    expect(found && text(found)).toBe(visibleRows(model, store).get(key))
    found?.fill(0x2a)
  })

const put = (store: string, key: string, value: string): Command =>
  command(`put ${store} ${JSON.stringify(key)} ${JSON.stringify(value)}`, (model, { task }) => {
    const [ownKey, ownValue] = [bytes(key), bytes(value)]
    task.store(store).put(ownKey, ownValue)
    ownKey.fill(0x2a)
    ownValue.fill(0x2a)
    visibleRows(model, store).set(key, value)
  })

const remove = (store: string, key: string): Command =>
  command(`delete ${store} ${JSON.stringify(key)}`, (model, { task }) => {
    task.store(store).delete(bytes(key))
    visibleRows(model, store).delete(key)
  })

interface RangeAsked {
  readonly gte: string | undefined
  readonly lt: string | undefined
  readonly reverse: boolean
  readonly limit: number | undefined
}

const range = (store: string, asked: RangeAsked): Command =>
  command(`range ${store} ${JSON.stringify(asked)}`, (model, { task }) => {
    const { gte, lt, reverse, limit } = asked
    const options: RangeOptions = {
      ...(gte !== undefined && { gte: bytes(gte) }),
      ...(lt !== undefined && { lt: bytes(lt) }),
      ...(limit !== undefined && { limit }),
      reverse,
    }
    const inBounds = sorted(visibleRows(model, store)).filter(
      ([key]) => (gte === undefined || key >= gte) && (lt === undefined || key < lt),
    )
    if (reverse) inBounds.reverse()
    expect(shown(task.store(store).range(options))).toEqual(inBounds.slice(0, limit))
  })

/** The range is as of its call, whatever the step does while it walks. */
const rangeAndDelete = (store: string): Command =>
  command(`range ${store}, deleting each row`, (model, { task }) => {
    const expected = sorted(visibleRows(model, store))
    const seen: [string, string][] = []
    for (const [key, value] of task.store(store).range()) {
      seen.push([text(key), text(value)])
      task.store(store).delete(key)
    }
    expect(seen).toEqual(expected)
    visibleRows(model, store).clear()
  })

const savepoint = command('savepoint', (model, { task }) => {
  task.savepoint()
  model.saved = copyOf(model.visible)
})

const rollback = command('rollback', (model, { task }) => {
  task.rollback()
  model.visible = copyOf(model.saved)
})

const abort = command('abort', (model, { task }) => {
  task.abort()
  expect(task.uncommittedBytes).toBe(0)
  model.visible = copyOf(model.committed)
  model.saved = copyOf(model.committed)
})

const commit = command('commit', (model, { task }) => {
  const written = new Map<string, Set<string>>(STORES.map((name) => [name, new Set()]))
  task.dirty((store, key, value) => {
    expect(written.get(store)?.has(text(key))).toBe(false)
    written.get(store)?.add(text(key))
    model.changelogs.get(store)?.push({ key: text(key), value: value && text(value) })
  })
  // One control record a transaction: positions move for stores with nothing new, too.
  const positions = new Map<string, bigint>()
  for (const [store, changes] of model.changelogs) positions.set(store, BigInt(changes.length))
  task.commit(positions)
  model.committed = copyOf(model.visible)
  model.saved = copyOf(model.visible)
  for (const store of STORES) {
    expect(sorted(fold(model.changelogs.get(store) ?? []))).toEqual(sorted(model.committed.get(store) ?? new Map()))
  }
})

const startFlush = command('start a flush', (_model, real) => {
  if (!real.task.flushing) real.flush = real.task.flush().catch(() => undefined)
})

const finishFlush = command('finish the flush', async (model, real) => {
  await real.database.writes.shift()?.finish()
  await real.flush
  if (real.database.writes.length === 0) expect(real.task.flushing).toBe(false)
  checkDisk(model, real)
})

/** Most histories should have rows on disk. */
const commitAndFlush = command('commit and flush', async (model, real) => {
  await commit.run(model, real)
  await startFlush.run(model, real)
  await finishFlush.run(model, real)
})

const failFlush = command('fail the flush', async (_model, real) => {
  real.database.writes.shift()?.fail(new Error('disk full'))
  await real.flush
})

const startPrefetch = (store: string, keys: readonly string[]): Command =>
  command(`start a read-ahead of ${store} ${JSON.stringify(keys)}`, (_model, { task }) => {
    void task.prefetch(store, keys.map(bytes))
  })

const finishPrefetch = command('finish the read-aheads', async (_model, real) => {
  for (const read of real.database.reads.splice(0)) await read.finish()
  await settled()
})

/** Drops everything that was not flushed, then replays the changelogs from the positions found on disk. */
const killAndRestore = (flushInTheMiddle: boolean): Command =>
  command(`kill and restore${flushInTheMiddle ? ', with a flush in the middle' : ''}`, async (model, real) => {
    await real.disk.close()
    await real.open()
    checkDisk(model, real)
    for (const [store, changes] of model.changelogs) {
      const from = Number(real.task.positions().get(store) ?? 0n)
      const middle = flushInTheMiddle ? Math.floor((from + changes.length) / 2) : from
      await restore(real, store, changes, from, middle)
      await restore(real, store, changes, middle, changes.length)
    }
    model.visible = copyOf(model.committed)
    model.saved = copyOf(model.committed)
  })

async function restore(real: Real, store: string, changes: readonly Change[], from: number, to: number): Promise<void> {
  for (const { key, value } of changes.slice(from, to)) {
    real.task.restore(store, bytes(key), value === null ? null : bytes(value))
  }
  if (to > from) real.task.restored(new Map([[store, BigInt(to)]]))
  const flush = real.task.flush()
  await real.database.writes.shift()?.finish()
  await flush
}

/** S4: what is on disk is the fold of the changelog up to the disk's own position. */
export function checkDisk(model: Model, { disk }: Real): void {
  for (const [store, changes] of model.changelogs) {
    const position = Number(disk.position(store) ?? 0n)
    expect(shown(disk.range(store))).toEqual(sorted(fold(changes.slice(0, position))))
  }
}

/** After any commands: every key read through get and through range is the model's, and a last flush brings all to disk. */
export async function checkAll(model: Model, real: Real): Promise<void> {
  const { task } = real
  for (const store of STORES) {
    expect(shown(task.store(store).range())).toEqual(sorted(visibleRows(model, store)))
    for (const key of KEYS) {
      const found = task.store(store).get(bytes(key))
      expect(found && text(found)).toBe(visibleRows(model, store).get(key))
    }
  }
  task.abort()
  while (task.flushing || task.hasUnflushed) {
    await startFlush.run(model, real)
    await finishFlush.run(model, real)
  }
  checkDisk(model, real)
  for (const [store, changes] of model.changelogs) {
    expect(real.disk.position(store) ?? 0n).toBe(BigInt(changes.length))
  }
  expect([task.uncommittedBytes, task.unflushedBytes]).toEqual([0, 0])
  expect(task.cleanBytes).toBeLessThanOrEqual(real.cleanBytes)
}

const store = fc.constantFrom(...STORES)
const key = fc.constantFrom(...KEYS)
const value = fc.uint8Array({ maxLength: 4 }).map((array) => text(Buffer.from(array)))
const edge = fc.option(key, { nil: undefined })
const asked = fc.record({ gte: edge, lt: edge, reverse: fc.boolean(), limit: fc.option(fc.nat(4), { nil: undefined }) })

export const commands = fc.commands(
  [
    fc.tuple(store, key).map(([s, k]) => get(s, k)),
    fc.tuple(store, key, value).map(([s, k, v]) => put(s, k, v)),
    fc.tuple(store, key, value).map(([s, k, v]) => put(s, k, v)),
    fc.tuple(store, key).map(([s, k]) => remove(s, k)),
    fc.tuple(store, asked).map(([s, options]) => range(s, options)),
    store.map(rangeAndDelete),
    fc.constant(savepoint),
    fc.constant(rollback),
    fc.constant(commit),
    fc.constant(commit),
    fc.constant(commitAndFlush),
    fc.constant(commitAndFlush),
    fc.constant(abort),
    fc.constant(startFlush),
    fc.constant(finishFlush),
    fc.constant(failFlush),
    fc.tuple(store, fc.array(key, { minLength: 1, maxLength: 6 })).map(([s, keys]) => startPrefetch(s, keys)),
    fc.constant(finishPrefetch),
    fc.boolean().map(killAndRestore),
  ],
  { maxCommands: 60, size: 'max' },
)
