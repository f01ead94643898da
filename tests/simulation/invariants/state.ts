/** I5: the rows on a machine's disk are the fold of the committed changelog up to the position beside them. */

import { CLOCK_KEY, changelogKey, decodeClock, startOf } from '../../../state-stores/window/window-keys.ts'
import type { StateFiles } from '../databases.ts'
import type { SeenPartition } from '../observer.ts'
import type { SeenRecord, Violation } from '../program.ts'

export interface Changelog {
  /** `application/part_partition`, as the database is called. */
  readonly path: string
  readonly store: string
  readonly partition: SeenPartition
  /** Of a window store, null for any other: rows that are older need not be on disk, and the log forgets them by itself. */
  readonly retentionMs: number | null
}

export function checkState(machine: string, files: StateFiles, changelogs: readonly Changelog[]): Violation[] {
  if (files.corrupt) return []
  return changelogs.flatMap(({ path, store, partition, retentionMs }) => {
    const where = `${path}/${store} on ${machine}`
    const position = files.positions.get(store)
    const found = files.stores.get(store) ?? new Map<string, Buffer>()
    const rows = retentionMs === null ? found : windowRows(found)
    if (position === undefined)
      return rows.size === 0 ? [] : [{ invariant: 'I5' as const, what: `${where} has rows and no position` }]
    if (position > partition.next)
      return [
        { invariant: 'I5' as const, what: `${where} stands at ${position}, the changelog ends at ${partition.next}` },
      ]
    const gone = retentionMs === null ? -1 : observedTime(found) - retentionMs
    return compare(where, rows, partition, position, (key) => retentionMs !== null && windowOf(key) <= gone)
  })
}

type Fold = ReadonlyMap<string, Buffer>

function fold(records: readonly SeenRecord[], below: bigint): Fold {
  const rows = new Map<string, Buffer>()
  for (const { offset, key, value, committed } of records) {
    if (offset >= below || committed !== true || key === null) continue
    if (value === null) rows.delete(key.toString('latin1'))
    else rows.set(key.toString('latin1'), value)
  }
  return rows
}

/** Rows of a window store under the keys they have in its changelog, without the row that holds its clock. */
function windowRows(found: Fold): Fold {
  const rows = [...found].map(([key, value]) => [Buffer.from(key, 'latin1'), value] as const)
  const windows = rows.filter(([key]) => !key.equals(CLOCK_KEY))
  return new Map(windows.map(([key, value]) => [changelogKey(key).toString('latin1'), value]))
}

const windowOf = (key: string): number => startOf(Buffer.from(key, 'latin1'))

/** What the store took for the time when this was written. */
function observedTime(found: Fold): number {
  const clock = found.get(CLOCK_KEY.toString('latin1'))
  return clock === undefined ? -1 : decodeClock(clock).observed
}

/** @param mayBeGone rows that are too old to be kept */
function compare(
  where: string,
  found: Fold,
  partition: SeenPartition,
  position: bigint,
  mayBeGone: (key: string) => boolean,
): Violation[] {
  const wanted = fold(partition.records, position)
  const keys = new Set([...wanted.keys(), ...found.keys()])
  const wrong = [...keys].find(
    (key) =>
      !isSame(found.get(key), wanted.get(key)) &&
      !(mayBeGone(key) && !found.has(key)) &&
      !isRestoredHalfway(key, found.get(key), partition, position),
  )
  if (wrong === undefined) return []
  return [
    { invariant: 'I5', what: `${where}: at ${position} the row of ${JSON.stringify(wrong)} is not the changelog's` },
  ]
}

const isSame = (a: Buffer | undefined, b: Buffer | undefined): boolean =>
  a === undefined || b === undefined ? a === b : a.equals(b)

/**
 * A changelog that was compacted may hold no value of a key but a later one: who restores it, and has not come that far,
 * has an earlier value of that key or none. Nobody is served from there. Who wrote the earlier value may hold it as well,
 * and it may have been compacted away before it was seen.
 */
function isRestoredHalfway(
  key: string,
  row: Buffer | undefined,
  { records, gaps }: SeenPartition,
  position: bigint,
): boolean {
  const ofKey = records.filter((record) => record.key?.toString('latin1') === key && record.committed === true)
  const comesAgain = ofKey.some(({ offset }) => offset >= position)
  const isEarlier = row === undefined || ofKey.some(({ value, offset }) => offset < position && value?.equals(row))
  const seenAt = ofKey.findLast(({ offset }) => offset < position)?.offset ?? -1n
  const mayBeUnseen = gaps.some(({ from, to }) => from < position && to > seenAt)
  return comesAgain && (isEarlier || mayBeUnseen)
}
