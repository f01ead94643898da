import { beforeEach, describe, expect, test } from 'vitest'
import { TaskState, memoryDatabases } from '../../../state-stores/index.ts'
import type { KeyValueStore } from '../../../state-stores/index.ts'
import { gated, settled } from './gated-database.ts'
import type { GatedDatabase } from './gated-database.ts'

const b = (text: string): Buffer => Buffer.from(text)

describe('TaskState', () => {
  let database: GatedDatabase
  let task: TaskState
  let store: KeyValueStore
  let offset = 0n

  const open = (cleanBytes: number): void => {
    task = TaskState.open({
      database,
      stores: [
        { name: 's', logged: true },
        { name: 'local', logged: false },
      ],
      cleanBytes,
    })
    store = task.store('s')
  }
  const get = (key: string): string | undefined => store.get(b(key))?.toString()
  const rows = (): string[] => [...store.range()].map(([key, value]) => `${key.toString()}=${value.toString()}`)
  const onDisk = (): string[] => [...database.range('s')].map(([key, value]) => `${key.toString()}=${value.toString()}`)
  const commit = (): void => task.commit(new Map([['s', ++offset]]))
  const flush = async (): Promise<void> => {
    const done = task.flush()
    await database.writes.shift()?.finish()
    await done
  }

  beforeEach(async () => {
    database = gated(await memoryDatabases().open('app/0_0'))
    offset = 0n
    open(1_000_000)
  })

  test('S1: a get sees uncommitted over committed over disk', async () => {
    store.put(b('tenant-a:k'), b('disk'))
    store.put(b('tenant-b:k'), b('other tenant'))
    commit()
    await flush()
    store.put(b('tenant-a:k'), b('committed'))
    commit()
    store.put(b('tenant-a:k'), b('uncommitted'))
    expect([get('tenant-a:k'), get('tenant-b:k')]).toEqual(['uncommitted', 'other tenant'])
    task.abort()
    expect(get('tenant-a:k')).toBe('committed')
    expect(onDisk()).toEqual(['tenant-a:k=disk', 'tenant-b:k=other tenant'])
  })

  test('S9: which changelog a position counts in is on disk with it, as of before the commit that moved it', async () => {
    let now = 1000
    task = TaskState.open({ database, stores: [{ name: 's', logged: true }], now: () => now })
    store = task.store('s')
    expect(task.origin('s')).toBeNull()
    task.belongsTo('s', { changelog: 'cluster/topic', asOf: 500 })
    store.put(b('tenant-a:k'), b('1'))
    task.dirty(() => undefined)
    now = 90_000
    commit()
    expect(task.origin('s')).toEqual({ changelog: 'cluster/topic', asOf: 1000 })
    const reopened = (): TaskState => TaskState.open({ database, stores: [{ name: 's', logged: true }] })
    expect(reopened().origin('s')).toBeNull()
    await flush()
    expect(reopened().origin('s')).toEqual({ changelog: 'cluster/topic', asOf: 1000 })
    expect(reopened().positions().get('s')).toBe(1n)
  })

  test('S1: a limited range looks past deleted rows of the disk, in both directions', async () => {
    for (const key of ['a', 'b', 'c', 'd']) store.put(b(key), b('1'))
    commit()
    await flush()
    store.delete(b('a'))
    store.delete(b('d'))
    const keys = (reverse: boolean): string[] => [...store.range({ limit: 2, reverse })].map(([key]) => key.toString())
    expect([keys(false), keys(true)]).toEqual([
      ['b', 'c'],
      ['c', 'b'],
    ])
  })

  test('S1: a range over many written rows is in order, before and after later writes', () => {
    const key = (i: number): string => String((i * 7919) % 10_000).padStart(5, '0')
    for (let i = 0; i < 3000; i++) store.put(b(key(i)), b('1'))
    const first = rows()
    for (let i = 3000; i < 3100; i++) store.put(b(key(i)), b('1'))
    const second = rows()
    expect([first.length, second.length]).toEqual([3000, 3100])
    expect(second).toEqual([...second].sort())
    for (let i = 3100; i < 9000; i++) store.put(b(key(i)), b('1'))
    expect(rows()).toEqual(Array.from({ length: 9000 }, (_, i) => `${key(i)}=1`).sort())
  })

  test('S3: a step that threw leaves nothing, and what the record before it wrote stays', () => {
    store.put(b('k'), b('first record'))
    task.savepoint()
    store.put(b('k'), b('half done'))
    store.put(b('new'), b('half done'))
    const before = task.uncommittedBytes
    task.rollback()
    expect([get('k'), get('new')]).toEqual(['first record', undefined])
    expect(task.uncommittedBytes).toBeLessThan(before)
    const emitted: string[] = []
    task.dirty((name, key, value) => emitted.push(`${name} ${key.toString()} ${value?.toString()}`))
    expect(emitted).toEqual(['s k first record'])
  })

  test('the changelog gets each key of a logged store once, with its last value', () => {
    store.put(b('k'), b('1'))
    store.put(b('k'), b('2'))
    store.put(b('gone'), b('1'))
    store.delete(b('gone'))
    task.store('local').put(b('k'), b('not logged'))
    const emitted: unknown[] = []
    task.dirty((name, key, value) => emitted.push([name, key.toString(), value?.toString() ?? null]))
    expect(emitted).toEqual([
      ['s', 'k', '2'],
      ['s', 'gone', null],
    ])
  })

  test('S4: a flush in the middle of a transaction writes the committed value, with its position', async () => {
    store.put(b('k'), b('committed'))
    commit()
    store.put(b('k'), b('uncommitted'))
    await flush()
    expect(onDisk()).toEqual(['k=committed'])
    expect(database.position('s')).toBe(1n)
    expect(get('k')).toBe('uncommitted')
  })

  test('S4: a position that moved alone is written, too', async () => {
    commit()
    expect(task.hasUnflushed).toBe(true)
    await flush()
    expect(database.position('s')).toBe(1n)
    expect(task.hasUnflushed).toBe(false)
  })

  test('S4: restored rows wait for their position; an abort drops those without one', async () => {
    task.restore('s', b('a'), b('1'))
    task.restored(new Map([['s', 10n]]))
    task.restore('s', b('b'), b('2'))
    await flush()
    expect(onDisk()).toEqual(['a=1'])
    expect(database.position('s')).toBe(10n)
    task.abort()
    expect(rows()).toEqual(['a=1'])
  })

  test('S5: what is committed while a flush runs is read at once and waits for the next flush', async () => {
    store.put(b('k'), b('1'))
    commit()
    const running = task.flush()
    expect(task.flushing).toBe(true)
    store.put(b('k'), b('2'))
    store.put(b('l'), b('2'))
    commit()
    expect(task.flush()).toBe(running)
    expect(rows()).toEqual(['k=2', 'l=2'])
    await database.writes.shift()?.finish()
    await running
    expect(onDisk()).toEqual(['k=1'])
    expect(database.position('s')).toBe(1n)
    expect(rows()).toEqual(['k=2', 'l=2'])
    await flush()
    expect(onDisk()).toEqual(['k=2', 'l=2'])
    expect([database.position('s'), task.unflushedBytes]).toEqual([2n, 0])
  })

  test('S5: a failed flush loses nothing, neither rows nor positions nor the count of bytes', async () => {
    store.put(b('k'), b('1'))
    commit()
    const [buffered, logged] = [task.unflushedBytes, task.changelogBytes]
    const failing = task.flush()
    database.writes.shift()?.fail(new Error('no space'))
    await expect(failing).rejects.toThrow('no space')
    expect([task.unflushedBytes, task.changelogBytes]).toEqual([buffered, logged])
    await flush()
    expect(onDisk()).toEqual(['k=1'])
    commit()
    const failingAgain = task.flush()
    database.writes.shift()?.fail(new Error('no space'))
    await expect(failingAgain).rejects.toThrow('no space')
    await flush()
    expect(database.position('s')).toBe(2n)
  })

  test('S6: a read-ahead that a flush overtook does not bring back what it read', async () => {
    store.put(b('k'), b('old'))
    commit()
    await flush()
    open(300)
    const reading = task.prefetch('s', [b('k')])
    store.put(b('k'), b('new'))
    commit()
    await flush()
    // The written row has left the small cache when the old answer comes.
    for (let i = 0; i < 20; i++) store.get(b(`filler ${i}`))
    await database.reads.shift()?.finish()
    await reading
    expect(get('k')).toBe('new')
  })

  test('S6: a read-ahead spares the disk, and clean rows stay within their bound', async () => {
    for (let i = 0; i < 100; i++) store.put(b(`k${i}`), b('v'))
    commit()
    await flush()
    open(2_000)
    const reading = task.prefetch('s', [b('k1'), b('k2'), b('k1'), b('absent')])
    await settled()
    for (const read of database.reads.splice(0)) await read.finish()
    await reading
    let reads = 0
    const disk = database.get
    database.get = (name, key) => (reads++, disk(name, key))
    expect([get('k1'), get('k2'), get('absent')]).toEqual(['v', 'v', undefined])
    expect(reads).toBe(0)
    for (let i = 0; i < 100; i++) get(`k${i}`)
    expect(reads).toBeGreaterThan(90)
    expect(task.cleanBytes).toBeLessThanOrEqual(2_000)
  })

  test('a hot key outlives a scan of cold ones in the clean cache', async () => {
    for (let i = 0; i < 200; i++) store.put(b(`k${i}`), b('v'))
    commit()
    await flush()
    open(4_000)
    const read: string[] = []
    const disk = database.get
    database.get = (name, key) => (read.push(key.toString()), disk(name, key))
    for (let i = 1; i < 200; i++) [get('k0'), get(`k${i}`)]
    expect(read.filter((key) => key === 'k0').length).toBeLessThan(3)
  })

  test('bytes are counted: uncommitted until the commit, unflushed until the flush, changelog until the flush begins', async () => {
    store.put(b('k'), b('x'.repeat(1000)))
    expect(task.uncommittedBytes).toBeGreaterThan(1000)
    task.store('local').put(b('k'), b('x'.repeat(1000)))
    commit()
    expect(task.uncommittedBytes).toBe(0)
    expect(task.unflushedBytes).toBeGreaterThan(2000)
    expect(task.changelogBytes).toBeGreaterThan(1000)
    expect(task.changelogBytes).toBeLessThan(2000)
    task.commit(new Map([['s', 9n]]), 5_000)
    expect(task.changelogBytes).toBeGreaterThan(6000)
    const running = task.flush()
    expect(task.changelogBytes).toBe(0)
    expect(task.unflushedBytes).toBeGreaterThan(2000)
    await database.writes.shift()?.finish()
    await running
    expect(task.unflushedBytes).toBe(0)
  })

  test('a position that goes back is a bug', () => {
    task.commit(new Map([['s', 5n]]))
    expect(() => task.commit(new Map([['s', 4n]]))).toThrow('position of s went back from 5 to 4')
    expect(() => task.commit(new Map([['local', 1n]]))).toThrow('no logged store local')
    expect(() => task.store('unknown')).toThrow('no store unknown')
  })

  test('close({ flush: true }) brings committed rows to disk, and what is uncommitted nowhere', async () => {
    store.put(b('k'), b('1'))
    commit()
    const running = task.flush()
    store.put(b('l'), b('2'))
    commit()
    store.put(b('m'), b('3'))
    const written: string[][] = []
    const write = database.write
    database.write = (batch, positions) => (
      written.push(batch.map(({ key }) => key.toString())),
      write(batch, positions)
    )
    const closed = task.close({ flush: true })
    expect(() => store.put(b('late'), b('4'))).toThrow(expect.objectContaining({ code: 'CLOSED' }))
    await database.writes.shift()?.finish()
    await running
    await settled()
    await database.writes.shift()?.finish()
    await closed
    expect(written).toEqual([['l']])
    await expect(task.flush()).rejects.toMatchObject({ code: 'CLOSED' })
    expect(() => store.range()).toThrow(expect.objectContaining({ code: 'CLOSED' }))
    expect(() => store.get(b('k'))).toThrow(expect.objectContaining({ code: 'CLOSED' }))
  })
})
