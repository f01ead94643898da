/** Rows of a projected table as SQL has them, for comparing with those in memory. */

import type { Pool } from '../../connectors/postgres/index.ts'
import type { Columns, Row, Table } from '../../sinks/index.ts'
import type { ContractRow } from '../contracts/projection.ts'

export async function readRows(pool: Pool, table: Table): Promise<readonly ContractRow[]> {
  const { rows } = await pool.query<Record<string, unknown>>(`select * from lifecycle.${table.name}`)
  return rows.map((row) => ({
    key: inCode(table.key, row),
    values: row['deleted_at'] === null ? inCode(table.columns, row) : tombstone(table, row),
    partition: row['src_part'] as number,
    offset: BigInt(row['src_offset'] as string),
    changedAt: (row['changed_at'] as Date).getTime(),
  }))
}

/** A tombstone must hold nothing: what it still holds is shown. */
function tombstone(table: Table, row: Record<string, unknown>): Row | null {
  const left = Object.entries(inCode(table.columns, row)).filter(([, value]) => value !== null)
  return left.length === 0 ? null : Object.fromEntries(left)
}

function inCode(columns: Columns, row: Record<string, unknown>): Row {
  return Object.fromEntries(
    Object.entries(columns).map(([name, { type }]) => {
      const value = row[name] as null | string | Date
      if (value === null) return [name, null]
      if (type === 'instant') return [name, (value as Date).getTime()]
      return [name, type === 'bigint' ? Number(value) : value]
    }),
  ) as Row
}
