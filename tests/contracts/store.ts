/** What every StateDatabase and its supplier must do. Run on each implementation; S numbers are state-stores/DESIGN.md's. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import fc from 'fast-check'
import type { Entry, RangeOptions, Row, StateDatabase, StateDatabaseSupplier } from '../../state-stores/index.ts'

export interface StoreFixture {
  /** A supplier over the same storage each time. */
  supplier(): StateDatabaseSupplier
  cleanup(): Promise<void>
}

const b = (text: string): Buffer => Buffer.from(text, 'latin1')
const row = (store: string, key: string, value: string | null): Row => ({
  store,
  key: b(key),
  value: value === null ? null : b(value),
})
const put = (database: StateDatabase, ...rows: Row[]): Promise<void> => database.write(rows, new Map())
const shown = (entries: Iterable<Entry>): [string, string][] =>
  [...entries].map(([key, value]) => [key.toString('latin1'), value.toString('latin1')])

export function storeContract(name: string, make: () => Promise<StoreFixture>): void {
  describe(`store contract: ${name}`, () => {
    let fixture: StoreFixture
    let supplier: StateDatabaseSupplier
    let database: StateDatabase

    beforeEach(async () => {
      fixture = await make()
      supplier = fixture.supplier()
      database = await supplier.open('app/0_0')
    })
    afterEach(async () => {
      await supplier.close()
      await fixture.cleanup()
    })

    describe('rows', () => {
      test('an absent key is undefined, a row is its last value, null deletes', async () => {
        expect(database.get('s', b('k'))).toBeUndefined()
        await put(database, row('s', 'k', '1'), row('s', 'k', '2'))
        expect(database.get('s', b('k'))).toEqual(b('2'))
        await put(database, row('s', 'k', null), row('s', 'never', null))
        expect(database.get('s', b('k'))).toBeUndefined()
      })

      test('an empty value and an empty key are rows like others', async () => {
        await put(database, row('s', '', 'at the start'), row('s', 'k', ''))
        expect(database.get('s', b(''))).toEqual(b('at the start'))
        expect(database.get('s', b('k'))).toEqual(b(''))
        expect(shown(database.range('s'))).toEqual([
          ['', 'at the start'],
          ['k', ''],
        ])
      })

      test('nothing is shared with the caller: neither what was written nor what was read', async () => {
        const key = b('k')
        const value = b('value')
        await database.write([{ store: 's', key, value }], new Map())
        key.fill(0)
        value.fill(0)
        database.get('s', b('k'))?.fill(0)
        for (const [k, v] of database.range('s')) {
          k.fill(0)
          v.fill(0)
        }
        expect(shown(database.range('s'))).toEqual([['k', 'value']])
      })

      test('a large value comes back whole', async () => {
        const value = Buffer.alloc(300_000, 'abcdefg')
        await database.write([{ store: 's', key: b('large'), value }], new Map())
        expect(database.get('s', b('large'))?.equals(value)).toBe(true)
      })

      test('getMany answers in the order asked, with undefined for what is absent', async () => {
        const keys = Array.from({ length: 1000 }, (_, i) => b(`k${i}`))
        const even = keys.filter((_, i) => i % 2 === 0)
        await database.write(
          even.map((key) => ({ store: 's', key, value: key })),
          new Map(),
        )
        const values = await database.getMany('s', [...keys, b('k0')])
        expect(values).toEqual([...keys.map((key, i) => (i % 2 === 0 ? key : undefined)), b('k0')])
        expect(await database.getMany('s', [])).toEqual([])
      })

      test('batches asked for at once are written in that order', async () => {
        const many = Array.from({ length: 3000 }, (_, i) => row('s', `k${i}`, 'first'))
        await Promise.all([put(database, ...many), put(database, row('s', 'k2999', 'second'))])
        expect(database.get('s', b('k2999'))).toEqual(b('second'))
      })
    })

    describe('range', () => {
      const bytes = fc.uint8Array({ maxLength: 4 }).map((array) => Buffer.from(array).toString('latin1'))
      const edge = fc.option(bytes, { nil: undefined })
      const options = fc.record({
        gte: edge,
        lt: edge,
        reverse: fc.boolean(),
        limit: fc.option(fc.nat(6), { nil: undefined }),
      })

      test('equals filtering and sorting all rows by unsigned bytes, whatever the bounds', async () => {
        await fc.assert(
          fc.asyncProperty(
            fc.uniqueArray(bytes, { maxLength: 30 }),
            options,
            async (keys, { gte, lt, reverse, limit }) => {
              const present = shown(database.range('s')).map(([key]) => row('s', key, null))
              await put(database, ...present, ...keys.map((key) => row('s', key, `=${key}`)))
              const asked: RangeOptions = {
                ...(gte !== undefined && { gte: b(gte) }),
                ...(lt !== undefined && { lt: b(lt) }),
                ...(limit !== undefined && { limit }),
                reverse,
              }
              const expected = keys
                .filter((key) => (gte === undefined || key >= gte) && (lt === undefined || key < lt))
                .sort((x, y) => Buffer.compare(b(x), b(y)) * (reverse ? -1 : 1))
                .slice(0, limit)
              expect(shown(database.range('s', asked)).map(([key]) => key)).toEqual(expected)
            },
          ),
          { numRuns: 200 },
        )
      })

      test('is a snapshot of the call, over many pages', async () => {
        const key = (i: number): string => String(i).padStart(5, '0')
        await put(database, ...Array.from({ length: 2000 }, (_, i) => row('s', key(i), 'old')))
        const range = database.range('s')
        expect(shown([range.next().value as Entry])).toEqual([[key(0), 'old']])
        await put(database, ...Array.from({ length: 2000 }, (_, i) => row('s', key(i), i % 2 === 0 ? null : 'new')))
        const rest = shown(range)
        expect(rest.length).toBe(1999)
        expect(rest.every(([, value]) => value === 'old')).toBe(true)
      })

      test('closed early, it is at its end', async () => {
        await put(database, row('s', 'a', '1'), row('s', 'b', '2'))
        const range = database.range('s')
        range.next()
        range.return?.()
        expect(range.next().done).toBe(true)
      })
    })

    describe('separation', () => {
      test('S7: stores whose names begin alike and keys that would run together stay apart', async () => {
        await put(database, row('a', 'bx', '1'), row('ab', 'x', '2'), row('a', '\xff', '3'), row('b', '', '4'))
        expect(shown(database.range('a'))).toEqual([
          ['bx', '1'],
          ['\xff', '3'],
        ])
        expect(shown(database.range('ab'))).toEqual([['x', '2']])
        expect(shown(database.range('b', { reverse: true }))).toEqual([['', '4']])
        expect(database.get('a', b('x'))).toBeUndefined()
      })

      test('S7: two tenants in one store, and two tasks, never see each other', async () => {
        const other = await supplier.open('app/0_1')
        await put(database, row('s', 'tenant-a:1', 'A'), row('s', 'tenant-b:1', 'B'))
        await put(other, row('s', 'tenant-a:1', 'other task'))
        expect(shown(database.range('s', { gte: b('tenant-a:'), lt: b('tenant-a;') }))).toEqual([['tenant-a:1', 'A']])
        expect(shown(database.range('s', { gte: b('tenant-b:'), lt: b('tenant-b;') }))).toEqual([['tenant-b:1', 'B']])
        expect(shown(other.range('s'))).toEqual([['tenant-a:1', 'other task']])
      })
    })

    describe('positions', () => {
      test('null before the first write, then what the last batch said, for each store', async () => {
        expect(database.position('s')).toBeNull()
        await database.write([row('s', 'k', '1')], new Map([['s', 0n]]))
        await database.write(
          [],
          new Map([
            ['s', 9_007_199_254_740_993n],
            ['t', 7n],
          ]),
        )
        expect([database.position('s'), database.position('t'), database.position('u')]).toEqual([
          9_007_199_254_740_993n,
          7n,
          null,
        ])
      })

      test('are no rows: neither ranges nor gets see them', async () => {
        await database.write([], new Map([['s', 1n]]))
        expect(shown(database.range('s'))).toEqual([])
      })
    })

    describe('life', () => {
      test('a path is open once: the second open is refused, and after close it opens', async () => {
        await expect(supplier.open('app/0_0')).rejects.toMatchObject({ code: 'STATE_LOCKED', then: 'stop' })
        await expect(supplier.wipe('app/0_0')).rejects.toMatchObject({ code: 'STATE_LOCKED' })
        await database.close()
        await (await supplier.open('app/0_0')).close()
      })

      test('rows and positions outlive close() together, or neither does', async () => {
        await database.write([row('s', 'k', '1')], new Map([['s', 5n]]))
        await supplier.close()
        supplier = fixture.supplier()
        const again = await supplier.open('app/0_0')
        expect([again.position('s'), again.get('s', b('k'))?.toString()]).toEqual(
          database.persistent ? [5n, '1'] : [null, undefined],
        )
      })

      test('a wiped database begins anew', async () => {
        await database.write([row('s', 'k', '1')], new Map([['s', 5n]]))
        await database.close()
        await supplier.wipe('app/0_0')
        await supplier.wipe('app/0_0')
        const again = await supplier.open('app/0_0')
        expect([again.position('s'), again.get('s', b('k'))]).toEqual([null, undefined])
      })

      test('every call after close() is CLOSED; close() again is nothing', async () => {
        await database.close()
        await database.close()
        const closed = { code: 'CLOSED' }
        const thrown = (call: () => unknown): void => expect(call).toThrow(expect.objectContaining(closed))
        thrown(() => database.get('s', b('k')))
        thrown(() => database.range('s'))
        thrown(() => database.position('s'))
        await expect(database.getMany('s', [b('k')])).rejects.toMatchObject(closed)
        await expect(put(database, row('s', 'k', '1'))).rejects.toMatchObject(closed)
        await supplier.close()
        await expect(supplier.open('app/0_0')).rejects.toMatchObject(closed)
      })

      test('close() waits for the batch that is being written', async () => {
        const rows = Array.from({ length: 5000 }, (_, i) => row('s', `k${i}`, 'v'))
        const written = database.write(rows, new Map([['s', 5000n]]))
        await database.close()
        await written
        const again = await supplier.open('app/0_0')
        expect(again.position('s')).toBe(database.persistent ? 5000n : null)
      })
    })
  })
}
