/** Rows in memory over rows that were read: what a run has changed is told afterwards, once for each key. */

import type { CheckpointRow, CheckpointRows, RowRange } from './checkpoint-rows.ts'

/** A key as text in the order of its bytes. */
const idOf = (key: Buffer): string => key.toString('latin1')

export class RowOverlay implements CheckpointRows {
  readonly #read: ReadonlyMap<string, Buffer>
  readonly #now: Map<string, Buffer>

  /** @param read what the run starts from; it is not changed */
  constructor(read: Iterable<readonly [key: Buffer, value: Buffer]> = []) {
    this.#read = new Map(Array.from(read, ([key, value]) => [idOf(key), value]))
    this.#now = new Map(this.#read)
  }

  get(key: Buffer): Buffer | undefined {
    return this.#now.get(idOf(key))
  }

  range({ gte, lt, reverse = false, limit = Infinity }: RowRange): readonly (readonly [Buffer, Buffer])[] {
    const [first, end] = [idOf(gte), idOf(lt)]
    const ids = [...this.#now.keys()].filter((id) => id >= first && id < end).sort()
    const wanted = (reverse ? ids.reverse() : ids).slice(0, limit)
    return wanted.map((id) => [Buffer.from(id, 'latin1'), this.#now.get(id) as Buffer])
  }

  write(rows: readonly CheckpointRow[]): void {
    for (const { key, value } of rows) {
      if (value === null) this.#now.delete(idOf(key))
      else this.#now.set(idOf(key), value)
    }
  }

  /** Rows that are not as they were read, in the order of their keys. */
  changes(): CheckpointRow[] {
    const ids = new Set([...this.#read.keys(), ...this.#now.keys()])
    return [...ids].sort().flatMap((id) => {
      const [before, now] = [this.#read.get(id), this.#now.get(id)]
      if (before === now || (before !== undefined && now?.equals(before) === true)) return []
      return [{ key: Buffer.from(id, 'latin1'), value: now ?? null }]
    })
  }
}
