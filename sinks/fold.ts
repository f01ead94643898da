/**
 * Changes of a batch, folded so that each statement meets a row once (INSERT … ON CONFLICT refuses to meet it twice).
 * The result is a list of waves that run in order; in a wave first the clears, then the rows, each row once.
 * Folding changes nothing: waves give the rows that the changes one by one would give.
 */

import type { Row, RowChange, Table } from './table.ts'
import type { PlacedChange } from './table-port.ts'

export type RowWrite = Exclude<PlacedChange, { op: 'remove-all' }>
export type TableClear = Extract<PlacedChange, { op: 'remove-all' }>

export interface Wave {
  readonly clears: TableClear[]
  readonly rows: Map<string, RowWrite>
}

export const rowId = (table: Table, key: Row): string =>
  `${table.name} ${JSON.stringify(Object.keys(table.key).map((name) => key[name] ?? null))}`

export function fold(changes: readonly PlacedChange[]): readonly Wave[] {
  const waves: Wave[] = []
  let wave = newWave(waves)
  for (const change of changes) {
    if (change.op === 'remove-all') {
      if (touches(wave, change.table)) wave = newWave(waves)
      wave.clears.push(change)
      continue
    }
    const id = rowId(change.table, change.key)
    const earlier = wave.rows.get(id)
    const both = earlier === undefined ? change : compose(earlier, change)
    if (both === null) wave = newWave(waves)
    wave.rows.set(id, both ?? change)
  }
  return waves.filter(({ clears, rows }) => clears.length > 0 || rows.size > 0)
}

function newWave(waves: Wave[]): Wave {
  const wave: Wave = { clears: [], rows: new Map() }
  waves.push(wave)
  return wave
}

function touches(wave: Wave, table: Table): boolean {
  for (const row of wave.rows.values()) if (row.table === table) return true
  return false
}

/** One change that does what both do in turn, or null when only the row itself can tell. */
function compose(earlier: RowWrite, later: RowWrite): RowWrite | null {
  const { best, appendOnly } = later.table
  if (appendOnly) return earlier
  switch (later.op) {
    case 'remove':
      return later
    case 'put':
      return best === null ? later : null
    case 'patch':
      if (earlier.op === 'remove') return earlier
      if (best !== null || later.whileEmpty !== undefined) return null
      // What hangs on the row as it stands is done before anything that may change that.
      if (earlier.op === 'patch' && earlier.whileEmpty !== undefined) return null
      return { ...earlier, values: { ...earlier.values, ...later.values }, offset: later.offset, at: later.at }
  }
}

/** Rows that one event changes must differ. @throws Error naming the row: a fault of the projection. */
export function assertRowsDiffer(changes: readonly RowChange[]): void {
  if (changes.length < 2) return
  const seen = new Set<string>()
  for (const change of changes) {
    const id = rowId(change.table, change.key)
    if (seen.has(id)) throw new Error(`one event changes the row ${id} twice`)
    seen.add(id)
  }
}
