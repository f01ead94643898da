/** S1–S7 by generated histories: TaskState beside plain Maps, over both databases, with caches from none to ample. */

import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { memoryDatabases } from '../../../state-stores/index.ts'
import type { StateDatabaseSupplier } from '../../../state-stores/index.ts'
import { scratch } from '../rocksdb/scratch.ts'
import { Model, Real, checkAll, commands } from './task-model.ts'

async function play(
  supplier: StateDatabaseSupplier,
  cleanBytes: number,
  history: Iterable<fc.AsyncCommand<Model, Real>>,
) {
  const model = new Model()
  const real = new Real(supplier, cleanBytes)
  await real.open()
  try {
    await fc.asyncModelRun(() => ({ model, real }), history)
    await checkAll(model, real)
  } finally {
    await supplier.close()
  }
}

const cleanBytes = fc.constantFrom(0, 500, 1_000_000)

describe('TaskState equals plain Maps', () => {
  test('over memory, where a kill loses everything and the changelog gives it back', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(cleanBytes, commands, (bytes, history) => play(memoryDatabases(), bytes, history)),
      { numRuns: 800 },
    )
  })

  test('over RocksDB, where a kill loses what was not flushed', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(cleanBytes, commands, async (bytes, history) => {
        const disk = await scratch()
        try {
          await play(disk.supplier(), bytes, history)
          expect(disk.notices).toEqual([])
        } finally {
          await disk.remove()
        }
      }),
      { numRuns: 60 },
    )
  })
})
