/** The order's chunks only show with many keys, so it has its own property beside the histories of the model. */

import { expect, test } from 'vitest'
import fc from 'fast-check'
import { TaskState, memoryDatabases } from '../../../state-stores/index.ts'
import type { RangeOptions } from '../../../state-stores/index.ts'

const bytes = (n: number): Buffer => Buffer.from(`tenant-${n % 2 === 0 ? 'a' : 'b'}:${String(n).padStart(4, '0')}`)
const number = fc.nat(4999)
const write = fc.record({ from: number, count: fc.nat(1500), step: fc.constantFrom(1, 7, 4999) })
const range = fc.record({
  gte: fc.option(number),
  lt: fc.option(number),
  reverse: fc.boolean(),
  limit: fc.option(fc.nat(40)),
})

test(
  'S1: ranges over thousands of written rows are in order, with writes between them',
  { timeout: 60_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(write, range), { minLength: 1, maxLength: 6 }), async (rounds) => {
        const database = await memoryDatabases().open('app/0_0')
        const task = TaskState.open({ database, stores: [{ name: 's', logged: true }] })
        const store = task.store('s')
        const model = new Set<string>()
        for (const [{ from, count, step }, { gte, lt, reverse, limit }] of rounds) {
          for (let i = 0; i < count; i++) {
            const key = bytes((from + i * step) % 5000)
            store.put(key, Buffer.alloc(1))
            model.add(key.toString())
          }
          const asked: RangeOptions = {
            ...(gte !== null && { gte: bytes(gte) }),
            ...(lt !== null && { lt: bytes(lt) }),
            ...(limit !== null && { limit }),
            reverse,
          }
          const inBounds = [...model]
            .filter(
              (key) => (gte === null || key >= bytes(gte).toString()) && (lt === null || key < bytes(lt).toString()),
            )
            .sort()
          if (reverse) inBounds.reverse()
          const found = [...store.range(asked)].map(([key]) => key.toString())
          expect(found).toEqual(inBounds.slice(0, limit ?? undefined))
        }
      }),
      { numRuns: 40 },
    )
  },
)
