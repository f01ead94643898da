/** I5: the rows on a machine's disk are the fold of the committed changelog up to the position beside them. */

import type { StateFiles } from '../databases.ts'
import type { SeenPartition } from '../observer.ts'
import type { SeenRecord, Violation } from '../program.ts'

export interface Changelog {
  /** `application/part_partition`, as the database is called. */
  readonly path: string
  readonly store: string
  readonly partition: SeenPartition
}

export function checkState(machine: string, files: StateFiles, changelogs: readonly Changelog[]): Violation[] {
  if (files.corrupt) return []
  return changelogs.flatMap(({ path, store, partition }) => {
    const where = `${path}/${store} on ${machine}`
    const position = files.positions.get(store)
    const rows = files.stores.get(store) ?? new Map<string, Buffer>()
    if (position === undefined)
      return rows.size === 0 ? [] : [{ invariant: 'I5' as const, what: `${where} has rows and no position` }]
    if (position > partition.next)
      return [
        { invariant: 'I5' as const, what: `${where} stands at ${position}, the changelog ends at ${partition.next}` },
      ]
    return compare(where, rows, fold(partition.records, position), position)
  })
}

function fold(records: readonly SeenRecord[], below: bigint): Map<string, Buffer> {
  const rows = new Map<string, Buffer>()
  for (const { offset, key, value, committed } of records) {
    if (offset >= below || committed !== true || key === null) continue
    if (value === null) rows.delete(key.toString('latin1'))
    else rows.set(key.toString('latin1'), value)
  }
  return rows
}

function compare(
  where: string,
  found: ReadonlyMap<string, Buffer>,
  wanted: ReadonlyMap<string, Buffer>,
  position: bigint,
): Violation[] {
  for (const [key, value] of wanted) {
    const row = found.get(key)
    if (row === undefined || !row.equals(value))
      return [
        { invariant: 'I5', what: `${where}: at ${position} the row of ${JSON.stringify(key)} is not the changelog's` },
      ]
  }
  for (const key of found.keys())
    if (!wanted.has(key))
      return [
        {
          invariant: 'I5',
          what: `${where}: at ${position} a row of ${JSON.stringify(key)} that the changelog has not`,
        },
      ]
  return []
}
