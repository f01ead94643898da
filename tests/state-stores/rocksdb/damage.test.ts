/** S8: damaged files are found, at open or at the read that meets them, or leave a clean committed prefix. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { cp, open, readdir, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { StateError } from '../../../state-stores/index.ts'
import type { StateDatabase, StateDatabaseSupplier } from '../../../state-stores/index.ts'
import { scratch } from './scratch.ts'
import type { Scratch } from './scratch.ts'

const PATH = 'app/0_0'
const BATCHES = 40
const KEYS = ['tenant-a:1', 'tenant-a:2', 'tenant-b:1', 'tenant-b:2', 'tenant-b:3']

/** Batch n writes one key and deletes another; its position is n + 1. */
const written = (n: number): string => KEYS[n % KEYS.length] as string
const deleted = (n: number): string => KEYS[(n * 3 + 1) % KEYS.length] as string
const valueOf = (n: number): string => `value ${n} `.repeat(40)

function fold(position: number): [string, string][] {
  const rows = new Map<string, string>()
  for (let n = 0; n < position; n++) {
    rows.delete(deleted(n))
    rows.set(written(n), valueOf(n))
  }
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1))
}

async function fill(supplier: StateDatabaseSupplier, from: number, to: number): Promise<void> {
  const database = await supplier.open(PATH)
  for (let n = from; n < to; n++) {
    const rows = [
      { store: 's', key: Buffer.from(deleted(n)), value: null },
      { store: 's', key: Buffer.from(written(n)), value: Buffer.from(valueOf(n)) },
    ]
    await database.write(rows, new Map([['s', BigInt(n + 1)]]))
  }
  await database.close()
}

/** Everything the database says, or the damage it found. Anything else is a failure of the test. */
async function readAll(
  supplier: StateDatabaseSupplier,
): Promise<'found' | { position: number; rows: [string, string][] }> {
  let database: StateDatabase | undefined
  try {
    database = await supplier.open(PATH)
    const rows = [...database.range('s')].map(([k, v]): [string, string] => [k.toString(), v.toString()])
    for (const [key, value] of rows) expect(database.get('s', Buffer.from(key))?.toString()).toBe(value)
    const many = await database.getMany(
      's',
      KEYS.map((key) => Buffer.from(key)),
    )
    expect(many.filter((value) => value !== undefined).length).toBe(rows.length)
    return { position: Number(database.position('s') ?? 0n), rows }
  } catch (error) {
    expect(error).toBeInstanceOf(StateError)
    expect(error).toMatchObject({ code: 'STATE_CORRUPT', then: 'restore' })
    return 'found'
  } finally {
    await database?.close()
  }
}

describe('damage', () => {
  let disk: Scratch
  let supplier: StateDatabaseSupplier
  let directory: string

  beforeEach(async () => {
    disk = await scratch()
    supplier = disk.supplier()
    directory = join(disk.directory, PATH)
    // Reopening moves the WAL into an SST file; so there are two of them and a WAL.
    await fill(supplier, 0, 15)
    await fill(supplier, 15, 30)
    await fill(supplier, 30, BATCHES)
  })
  afterEach(async () => {
    await supplier.close()
    await disk.remove()
  })

  const files = async (pattern: RegExp): Promise<string[]> =>
    (await readdir(directory)).filter((file) => pattern.test(file)).map((file) => join(directory, file))

  const expectFoundOrPrefix = async (): Promise<void> => {
    const read = await readAll(supplier)
    if (read === 'found') return
    expect(read.position).toBeLessThanOrEqual(BATCHES)
    expect(read.rows).toEqual(fold(read.position))
  }

  test('the undamaged files are read whole', async () => {
    expect((await files(/\.sst$/)).length).toBeGreaterThan(0)
    expect(await readAll(supplier)).toEqual({ position: BATCHES, rows: fold(BATCHES) })
  })

  for (const pattern of [/^MANIFEST/, /^CURRENT$/, /\.sst$/]) {
    test(`a deleted file of ${pattern} is found, and after a wipe the database begins anew`, async () => {
      const [file] = await files(pattern)
      await rm(file as string)
      expect(await readAll(supplier)).toBe('found')
      await supplier.wipe(PATH)
      expect(await readAll(supplier)).toEqual({ position: 0, rows: [] })
    })
  }

  test('a deleted WAL leaves the prefix that was in SST files', async () => {
    for (const file of await files(/\.log$/)) await rm(file)
    expect(await readAll(supplier)).toEqual({ position: 30, rows: fold(30) })
  })

  test('a WAL cut at any byte leaves a prefix, never less than the SST files', { timeout: 60_000 }, async () => {
    await anywhere(
      /\.log$/,
      (file, at) => truncate(file, at),
      async () => {
        const read = await readAll(supplier)
        if (read !== 'found') expect(read.position).toBeGreaterThanOrEqual(30)
      },
    )
  })

  test('a flipped bit anywhere is found or leaves a prefix', { timeout: 60_000 }, async () => {
    await anywhere(/\.log$|\.sst$|^MANIFEST|^CURRENT$|^OPTIONS/, flip)
  })

  /** Damages a fresh copy of the files at a generated place, each time. */
  async function anywhere(
    pattern: RegExp,
    damage: (file: string, at: number) => Promise<void>,
    check: () => Promise<void> = async () => {},
  ): Promise<void> {
    const original = join(disk.directory, 'original')
    await cp(directory, original, { recursive: true })
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), async (which, where) => {
        await rm(directory, { recursive: true, force: true })
        await cp(original, directory, { recursive: true })
        const all = (await files(pattern)).sort()
        const file = all[which % all.length] as string
        const { size } = await stat(file)
        await damage(file, size === 0 ? 0 : where % size)
        await expectFoundOrPrefix()
        await check()
      }),
      { numRuns: 30 },
    )
  }
})

async function flip(file: string, at: number): Promise<void> {
  const handle = await open(file, 'r+')
  try {
    const byte = Buffer.alloc(1)
    if ((await handle.read(byte, 0, 1, at)).bytesRead === 0) return
    byte.writeUInt8(byte.readUInt8() ^ (1 << (at % 8)))
    await handle.write(byte, 0, 1, at)
  } finally {
    await handle.close()
  }
}
