/**
 * Takes the newest migrations back (those applied last, whatever their numbers), for a return to an earlier version of the
 * program. `NNNN_name.down.sql` beside a migration undoes it. Run by the owner of the database, while nothing else uses it. Invariants:
 *
 * MD1 All or nothing: one transaction holds every file and the rows of schema_migrations they belong to.
 * MD2 Projections come again from the topics; what is decided in SQL (schema `auth`) does not. Where a file would lose rows
 *     of it, or values of a column, everything is rolled back and the loss is named, unless the operator said it is wanted.
 * MD3 No process of ours is connected meanwhile.
 */

import { readFile } from 'node:fs/promises'
import pg from 'pg'
import type { MigrateOptions } from './migrate.ts'
import { appliedMigrations, databaseRoles, migrationDirectory, migrationLock, roleName } from './migrate.ts'

export interface MigrateDownOptions extends Pick<MigrateOptions, 'ownerUrl' | 'directory' | 'notice'> {
  /** How many of the newest to take back. */
  readonly count: number
  /** MD2: the operator wants the loss. */
  readonly loseData: boolean
}

/** @returns names, the newest first @throws Error with one line */
export async function migrateDown(options: MigrateDownOptions): Promise<readonly string[]> {
  const client = new pg.Client({
    connectionString: options.ownerUrl,
    application_name: 'lifecycle-migrate',
    connectionTimeoutMillis: 10_000,
  })
  client.on('error', () => undefined)
  await client.connect()
  try {
    await client.query('select pg_advisory_lock($1)', [migrationLock])
    await refuseConnected(client)
    const names = await newest(client, options)
    const files = await Promise.all(names.map((name) => undoing(name, options.directory ?? migrationDirectory)))
    await undo(client, files, options.loseData)
    options.notice(`database: took back ${names.join(', ')}`)
    return names
  } finally {
    await client.end()
  }
}

interface Undoing {
  readonly name: string
  readonly text: string
}

async function newest(client: pg.Client, { count, directory }: MigrateDownOptions): Promise<string[]> {
  const applied = (await appliedMigrations(client, directory)).toReversed()
  if (!Number.isSafeInteger(count) || count < 1) throw new Error('say how many migrations to take back: 1 or more')
  if (count > applied.length) throw new Error(`only ${applied.length} migrations are applied`)
  return applied.slice(0, count)
}

async function undoing(name: string, directory: URL): Promise<Undoing> {
  const file = name.replace(/\.sql$/, '.down.sql')
  const text = await readFile(new URL(file, directory), 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new Error(`migration ${name} cannot be taken back: it has no ${file}`)
  })
  return { name, text }
}

/** MD3. */
async function refuseConnected(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ n: number }>(
    `select count(*)::int as n from pg_stat_activity where datname = current_database() and usename = any ($1)`,
    [databaseRoles.map(roleName)],
  )
  const open = rows[0]?.n ?? 0
  if (open > 0) throw new Error(`processes are connected to the database (${open} connections): end them first`)
}

/** MD1. */
async function undo(client: pg.Client, files: readonly Undoing[], loseData: boolean): Promise<void> {
  await client.query('begin')
  try {
    let before = await decided(client)
    for (const { name, text } of files) {
      await client.query(text).catch((error: unknown) => {
        const why = error instanceof Error ? error.message : String(error)
        throw new Error(`taking back migration ${name} failed: ${why}`, { cause: error })
      })
      await client.query('delete from public.schema_migrations where name = $1', [name])
      const after = await decided(client)
      const lost = lossOf(before, after)
      if (lost.length > 0 && !loseData)
        throw new Error(
          `taking back ${name} would lose what no topic gives again: ${lost.join(', ')}; with --yes-lose-data it is lost`,
        )
      before = after
    }
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  }
}

/** What stands in schema `auth`: by table how many rows, and by column in how many of them it says something. */
type Decided = ReadonlyMap<string, { readonly rows: number; readonly said: Readonly<Record<string, number>> }>

async function decided(client: pg.Client): Promise<Decided> {
  const { rows } = await client.query<{ table: string; columns: { name: string; fallback: string }[] }>(
    `select format('%I.%I', n.nspname, c.relname) as table,
       json_agg(json_build_object('name', a.attname, 'fallback', coalesce(pg_get_expr(d.adbin, d.adrelid), 'null'))) as columns
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
       join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
       left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
         and pg_get_expr(d.adbin, d.adrelid) !~* 'nextval'
     where n.nspname = 'auth' and c.relkind in ('r', 'p') group by 1 order by 1`,
  )
  const found = new Map<string, { rows: number; said: Record<string, number> }>()
  for (const { table, columns } of rows) {
    const counts = columns.map(
      ({ name, fallback }) =>
        `count(*) filter (where ${client.escapeIdentifier(name)} is distinct from (${fallback}))::int`,
    )
    const { rows: values } = await client.query<number[]>({
      text: `select count(*)::int, ${counts.join(', ')} from ${table}`,
      rowMode: 'array',
    })
    const [all = 0, ...said] = values[0] ?? []
    found.set(table, { rows: all, said: Object.fromEntries(columns.map(({ name }, n) => [name, said[n] ?? 0])) })
  }
  return found
}

function lossOf(before: Decided, after: Decided): string[] {
  return [...before].flatMap(([table, was]) => {
    const is = after.get(table)
    const gone = was.rows - (is?.rows ?? 0)
    if (gone > 0) return [`${gone} rows of ${table}`]
    return Object.entries(was.said)
      .filter(([column, said]) => said > 0 && is !== undefined && !(column in is.said))
      .map(([column, said]) => `${table}.${column} of ${said} rows`)
  })
}
