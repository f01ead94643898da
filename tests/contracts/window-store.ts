/** What a window store must do over every StateDatabase; WS numbers are state-stores/DESIGN.md's. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { StateDatabaseSupplier, WindowEntry, WindowOptions } from '../../state-stores/index.ts'
import { WindowTask } from '../state-stores/window/window-task.ts'
import type { StoreFixture } from './store.ts'

const b = (text: string): Buffer => Buffer.from(text, 'latin1')
const MINUTE = 60_000
const T0 = 1_700_000_040_000 - (1_700_000_040_000 % MINUTE)

/** Kept for three minutes, in segments of a minute and a half. */
const KEPT: WindowOptions = { retentionMs: 3 * MINUTE, windowSizeMs: MINUTE, retainDuplicates: false }

const shown = (entries: Iterable<WindowEntry>): string[] =>
  [...entries].map(
    ({ key, windowStart, value }) => `${key.toString('latin1')}@${(windowStart - T0) / MINUTE}=${value.toString()}`,
  )

export function windowStoreContract(name: string, make: () => Promise<StoreFixture>): void {
  describe(`window store contract: ${name}`, () => {
    let fixture: StoreFixture
    let supplier: StateDatabaseSupplier
    let task: WindowTask

    beforeEach(async () => {
      fixture = await make()
      supplier = fixture.supplier()
      task = await WindowTask.open(supplier, KEPT)
    })
    afterEach(async () => {
      await supplier.close()
      await fixture.cleanup()
    })

    const put = (key: string, minute: number, value: string | null): boolean =>
      task.store.put(b(key), T0 + minute * MINUTE, value === null ? null : b(value))
    const get = (key: string, minute: number): string | undefined =>
      task.store.get(b(key), T0 + minute * MINUTE)?.toString()
    const all = (): string[] => shown(task.store.all())
    /** Rows that the database holds, whatever is visible of them; the clock row is one. */
    const onDisk = (): number => [...task.database.range('w')].length

    describe('reads', () => {
      test('one window, windows of a key by start in both directions, and no neighbour of it', () => {
        for (const minute of [0, 1, 2]) {
          put('tenant-a:k', minute, `${minute}`)
          put('tenant-a:k\0', minute, 'a longer key')
          put('tenant-b:k', minute, 'of another tenant')
        }
        const [from, to] = [T0, T0 + MINUTE]
        expect([get('tenant-a:k', 1), get('tenant-a:k', 3)]).toEqual(['1', undefined])
        expect(shown(task.store.fetch(b('tenant-a:k'), from, to))).toEqual(['tenant-a:k@0=0', 'tenant-a:k@1=1'])
        expect(shown(task.store.fetch(b('tenant-a:k'), from, to, { reverse: true }))).toEqual([
          'tenant-a:k@1=1',
          'tenant-a:k@0=0',
        ])
        expect(shown(task.store.fetch(b('tenant-a:k'), to, from))).toEqual([])
      })

      test('several keys, all keys, bounds inclusive and open', () => {
        for (const key of ['a', 'ab', 'b', 'c']) put(key, 1, 'v')
        const [from, to] = [T0, T0 + 5 * MINUTE]
        expect(shown(task.store.fetchKeys(b('ab'), b('b'), from, to))).toEqual(['ab@1=v', 'b@1=v'])
        expect(shown(task.store.fetchKeys(null, b('ab'), from, to, { reverse: true }))).toEqual(['ab@1=v', 'a@1=v'])
        expect(shown(task.store.fetchKeys(b('b'), null, from, to))).toEqual(['b@1=v', 'c@1=v'])
        expect(shown(task.store.fetchAll(from, from))).toEqual([])
        expect(all()).toHaveLength(4)
      })

      test('S1: a range is as of its call, and sees uncommitted over committed over disk', async () => {
        put('k', 0, 'disk')
        await task.flush()
        put('k', 1, 'committed')
        task.commit()
        put('k', 2, 'uncommitted')
        const range = task.store.all()
        put('k', 0, null)
        put('k', 1, 'later')
        expect(shown(range)).toEqual(['k@0=disk', 'k@1=committed', 'k@2=uncommitted'])
        expect(all()).toEqual(['k@1=later', 'k@2=uncommitted'])
      })

      test('closed early, a range is at its end', () => {
        for (const minute of [0, 1, 2]) put('k', minute, 'v')
        const range = task.store.all()
        range.next()
        range.return?.()
        expect(range.next().done).toBe(true)
      })
    })

    describe('expiry', () => {
      test('WS1, WS2: what is as old as the retention is invisible and refused, to the millisecond', () => {
        put('k', 0, 'old')
        put('other', 2, 'v')
        expect(get('k', 0)).toBe('old')
        task.store.put(b('other'), T0 + 3 * MINUTE - 1, b('v'))
        expect(get('k', 0)).toBe('old')
        put('other', 3, 'v')
        expect([get('k', 0), all().length]).toEqual([undefined, 3])
        expect([put('k', 0, 'late'), put('k', 0, null), put('k', 1, 'kept')]).toEqual([false, false, true])
        expect(task.expired).toBe(2)
        expect(get('k', 1)).toBe('kept')
      })

      test('WS1: a delete moves observed time, too', () => {
        put('k', 0, 'old')
        put('other', 3, null)
        expect(task.store.observedTime).toBe(T0 + 3 * MINUTE)
        expect(all()).toEqual([])
      })

      test('WS1: observed time follows the transaction: rollback and abort bring back what it had hidden', () => {
        put('k', 0, 'old')
        task.commit()
        task.state.savepoint()
        put('k', 10, 'new')
        expect(all()).toEqual(['k@10=new'])
        task.state.rollback()
        expect([all(), task.store.observedTime]).toEqual([['k@0=old'], T0])
        put('k', 10, 'new')
        task.state.abort()
        expect([all(), task.store.observedTime]).toEqual([['k@0=old'], T0])
      })

      test('WS3: a flush drops whole segments from disk, and only by committed time', async () => {
        for (let n = 0; n < 100; n++) put(`k${n}`, 0, 'v')
        await task.flush()
        expect(onDisk()).toBe(101)
        put('last', 0, 'v')
        task.commit()
        put('k', 10, 'uncommitted')
        await task.state.flush()
        expect(onDisk()).toBe(102)
        task.state.abort()
        expect(all()).toHaveLength(101)
        put('k', 10, 'committed')
        await task.flush()
        expect(onDisk()).toBe(2)
        expect(all()).toEqual(['k@10=committed'])
      })

      test('WS3: rows that expire before any flush never reach the disk, and leave the memory', async () => {
        for (let minute = 0; minute < 50; minute++) {
          put('k', minute, 'v')
          task.commit()
        }
        const { database } = task
        const write = database.write.bind(database)
        let written = 0
        database.write = (rows, positions) => {
          written += rows.length
          return write(rows, positions)
        }
        await task.flush()
        expect(written).toBeLessThanOrEqual(6)
        expect(onDisk()).toBeLessThanOrEqual(6)
        expect(all()).toEqual(['k@47=v', 'k@48=v', 'k@49=v'])
        expect([task.state.unflushedBytes, task.changelog.length]).toEqual([0, 50])
      })

      test('WS3: what a kill kept from being dropped is dropped by the next flush', async () => {
        put('k', 0, 'old')
        await task.flush()
        put('k', 10, 'new')
        task.commit()
        await task.kill()
        expect(all()).toEqual(['k@10=new'])
        await task.state.flush()
        expect(onDisk()).toBe(2)
      })

      test('WS3: a drop that failed fails its flush, loses nothing, and is done again', async () => {
        put('k', 0, 'old')
        await task.flush()
        put('k', 10, 'new')
        const { database } = task
        const drop = database.drop.bind(database)
        database.drop = () => Promise.reject(new Error('no space'))
        await expect(task.flush()).rejects.toThrow('no space')
        expect(all()).toEqual(['k@10=new'])
        database.drop = drop
        await task.flush()
        expect([all(), onDisk()]).toEqual([['k@10=new'], 2])
      })
    })

    describe('restore', () => {
      test('WS4: expired rows of the changelog stay invisible; observed time is what it was', async () => {
        for (const minute of [0, 1, 2, 10, 11]) put('k', minute, 'v')
        put('k', 12, null)
        put('k', 13, 'not committed')
        task.state.abort()
        task.commit()
        for (const minute of [0, 1, 2]) put('j', minute + 10, 'v')
        task.commit()
        const [before, observed] = [all(), task.store.observedTime]
        await task.wipe()
        expect([all(), task.store.observedTime]).toEqual([before, observed])
        expect(put('k', 2, 'late')).toBe(false)
        await task.kill()
        expect([all(), task.store.observedTime]).toEqual([before, observed])
      })

      test('WS4: what was dropped from disk is not taken back from an older position', async () => {
        put('k', 0, 'v')
        await task.flush()
        put('k', 20, 'v')
        await task.flush()
        await task.kill()
        expect([all(), get('k', 0)]).toEqual([['k@20=v'], undefined])
      })

      test('the changelog has Kafka Streams’ keys: key, start, sequence; and nothing of the clock', () => {
        put('tenant-a:k', 1, 'v')
        put('tenant-a:k', 0, null)
        task.commit()
        const start = (minute: number): string => (T0 + minute * MINUTE).toString(16).padStart(16, '0')
        expect(task.changelog.map(({ key, value }) => [key.toString('hex'), value?.toString() ?? null])).toEqual([
          [`${b('tenant-a:k').toString('hex')}${start(1)}00000000`, 'v'],
          [`${b('tenant-a:k').toString('hex')}${start(0)}00000000`, null],
        ])
      })

      test('a changelog of another kind of store is refused', () => {
        expect(() => task.state.restore('w', b('short'), b('v'))).toThrow("no window's")
      })
    })

    describe('duplicates', () => {
      beforeEach(async () => {
        await task.database.close()
        await supplier.wipe('app/0_0')
        task = await WindowTask.open(supplier, { ...KEPT, retainDuplicates: true })
      })

      test('stand side by side in the order of their puts; a null does nothing', () => {
        for (const value of ['1', '2', '2']) put('k', 0, value)
        put('k', 5, null)
        expect(all()).toEqual(['k@0=1', 'k@0=2', 'k@0=2'])
        expect(shown(task.store.fetch(b('k'), T0, T0, { reverse: true }))).toEqual(['k@0=2', 'k@0=2', 'k@0=1'])
        expect(() => get('k', 0)).toThrow('retains duplicates')
      })

      test('WS5: none is replaced after an abort, a kill, or a restore of everything', async () => {
        put('k', 0, '1')
        task.commit()
        put('k', 0, 'aborted')
        task.state.abort()
        put('k', 0, '2')
        await task.flush()
        put('k', 0, '3')
        task.commit()
        await task.kill()
        put('k', 0, '4')
        task.commit()
        await task.wipe()
        put('k', 0, '5')
        task.commit()
        expect(all()).toEqual(['k@0=1', 'k@0=2', 'k@0=3', 'k@0=4', 'k@0=5'])
        expect(new Set(task.changelog.map(({ key }) => key.toString('hex'))).size).toBe(5)
      })
    })

    test('a store that keeps less than a window, and a time that is none, are bugs', async () => {
      expect(() => put('k', Number.NaN, 'v')).toThrow('no window start')
      expect(() => put('k', -T0, 'v')).toThrow('no window start')
      await task.database.close()
      await expect(WindowTask.open(supplier, { ...KEPT, retentionMs: 1 })).rejects.toThrow('less than a window')
    })
  })
}
