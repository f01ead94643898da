/** A database whose batches and read-aheads finish when a test says so: the rows are read or written then or before. */

import type { Row, StateDatabase, StoreName } from '../../../state-stores/index.ts'

interface Pending {
  finish(): Promise<void>
  fail(error: Error): void
}

export interface GatedDatabase extends StateDatabase {
  readonly writes: Pending[]
  readonly reads: Pending[]
}

export function gated(database: StateDatabase): GatedDatabase {
  const writes: Pending[] = []
  const reads: Pending[] = []
  return {
    persistent: database.persistent,
    writes,
    reads,
    get: (store, key) => database.get(store, key),
    range: (store, options) => database.range(store, options),
    position: (store) => database.position(store),
    drop: (store, below) => database.drop(store, below),
    close: () => database.close(),
    getMany(store, keys) {
      const read = database.getMany(store, keys)
      return new Promise((resolve, reject) => {
        reads.push({ finish: async () => resolve(await read), fail: reject })
      })
    },
    write(rows: readonly Row[], positions: ReadonlyMap<StoreName, bigint>) {
      return new Promise((resolve, reject) => {
        writes.push({ finish: async () => resolve(await database.write(rows, positions)), fail: reject })
      })
    },
  }
}

/** Lets the callbacks of settled promises run. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
