import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { storeContract } from '../../contracts/store.ts'
import { scratch } from './scratch.ts'
import type { Scratch } from './scratch.ts'

storeContract('rocksdb', async () => {
  const { supplier, remove } = await scratch()
  return { supplier, cleanup: remove }
})

describe('rocksdb', () => {
  let disk: Scratch
  beforeEach(async () => {
    disk = await scratch()
  })
  afterEach(() => disk.remove())

  const rows = (value: string) => [{ store: 's', key: Buffer.from('tenant-a:k'), value: Buffer.from(value) }]

  test('a range that is still open when the database closes answers CLOSED, and the process lives', async () => {
    const supplier = disk.supplier()
    const database = await supplier.open('app/0_0')
    await database.write(
      Array.from({ length: 100 }, (_, i) => ({ store: 's', key: Buffer.from(`k${i}`), value: Buffer.from('v') })),
      new Map(),
    )
    const range = database.range('s')
    range.next()
    await supplier.close()
    expect(() => range.next()).toThrow(expect.objectContaining({ code: 'CLOSED' }))
    expect(range.return?.().done).toBe(true)
  })

  test('another supplier of the same process cannot open what is open: the lock is the system’s', async () => {
    const first = disk.supplier()
    await first.open('app/0_0')
    const second = disk.supplier()
    await expect(second.open('app/0_0')).rejects.toMatchObject({ code: 'STATE_LOCKED', then: 'stop' })
    await first.close()
    await (await second.open('app/0_0')).close()
  })

  test('says which databases a path has, finished ones alone', async () => {
    const supplier = disk.supplier()
    for (const path of ['app/main_1', 'app/main_0', 'other/main_0']) await (await supplier.open(path)).close()
    await mkdir(join(disk.directory, 'app/main_2'))
    expect(await supplier.list?.('app')).toEqual(['main_0', 'main_1'])
    await supplier.wipe('app/main_0')
    expect(await supplier.list?.('app')).toEqual(['main_1'])
    expect(await supplier.list?.('nobody')).toEqual([])
  })

  test('S8: a directory whose creation was never finished is begun anew and said so', async () => {
    await mkdir(join(disk.directory, 'app/0_0'), { recursive: true })
    await writeFile(join(disk.directory, 'app/0_0/MANIFEST-000001'), 'half')
    const database = await disk.supplier().open('app/0_0')
    expect(database.position('s')).toBeNull()
    expect(disk.notices).toEqual(['state app/0_0: its creation was never finished; begun anew'])
    await database.close()
  })

  test('S8: a directory copied to another task’s place is refused', async () => {
    const supplier = disk.supplier()
    const database = await supplier.open('app/0_0')
    await database.write(rows('of task 0_0'), new Map([['s', 1n]]))
    await database.close()
    await cp(join(disk.directory, 'app/0_0'), join(disk.directory, 'app/0_1'), { recursive: true })
    await expect(supplier.open('app/0_1')).rejects.toMatchObject({ code: 'STATE_CORRUPT', then: 'restore' })
    await supplier.wipe('app/0_1')
    expect((await supplier.open('app/0_1')).position('s')).toBeNull()
    await supplier.close()
  })

  test('S8: a database that lost its format row is refused', async () => {
    const supplier = disk.supplier()
    const empty = await supplier.open('app/0_0')
    await empty.close()
    const directory = join(disk.directory, 'app/0_0')
    const log = (await readdir(directory)).find((file) => file.endsWith('.log')) as string
    await rm(join(directory, log))
    await expect(supplier.open('app/0_0')).rejects.toMatchObject({ code: 'STATE_CORRUPT', then: 'restore' })
    await supplier.close()
  })

  test('paths leave the directory in no spelling', async () => {
    const supplier = disk.supplier()
    for (const path of ['../x', '/x', 'a/../../x', '', 'a//b']) {
      await expect(supplier.open(path)).rejects.toThrow('is no path below the state directory')
    }
    await supplier.close()
  })
})
