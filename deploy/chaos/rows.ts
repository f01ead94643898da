/** The rows of all projections, made comparable: what stands there must be what a rebuild from the topics gives. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Queryable } from '../../connectors/postgres/index.ts'

/** By table: every row as text, sorted. */
export type Rows = ReadonlyMap<string, readonly string[]>

/** @param tables names with their schema, from the list of projections */
export async function readRows(database: Queryable, tables: readonly string[]): Promise<Rows> {
  const rows = new Map<string, readonly string[]>()
  for (const table of tables) {
    const result = await database.query<{ row: string }>(`select to_jsonb(t)::text as row from ${table} t order by 1`)
    rows.set(
      table,
      result.rows.map(({ row }) => row),
    )
  }
  return rows
}

/** One line per table that differs, with the first row of each side that the other has not. */
export function differentRows(before: Rows, after: Rows): string[] {
  const tables = [...new Set([...before.keys(), ...after.keys()])].sort()
  return tables.flatMap((table) => {
    const [a, b] = [before.get(table) ?? [], after.get(table) ?? []]
    const lost = missing(a, b)
    const gained = missing(b, a)
    if (lost.length === 0 && gained.length === 0) return []
    const example = [
      ...lost.slice(0, 1).map((row) => `only before: ${row}`),
      ...gained.slice(0, 1).map((row) => `only after: ${row}`),
    ]
    return [`${table}: ${lost.length} rows only before, ${gained.length} only after the rebuild; ${example.join('; ')}`]
  })
}

function missing(from: readonly string[], inOther: readonly string[]): string[] {
  const other = new Set(inOther)
  return from.filter((row) => !other.has(row))
}

/** The embedded server's address as its superuser, whom row-level security does not stop. */
export function embeddedDatabaseUrl(dataDir: string): string {
  const directory = join(dataDir, 'postgres')
  const password = readFileSync(join(directory, 'password'), 'utf8').trim()
  const port = readFileSync(join(directory, 'data', 'postmaster.pid'), 'utf8').split('\n')[3] ?? ''
  return `postgres://postgres:${password}@127.0.0.1:${port}/lifecycle`
}
