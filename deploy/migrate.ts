/**
 * Brings a database to the present: the login roles, then each new file of `deploy/sql`, in order of its number.
 * Run by the owner of the database; processes then connect as the role they need. Invariants:
 * M1 One migration at a time (advisory lock); each file is one transaction with the row that records it.
 * M2 An applied file never changes: its checksum is recorded, and a difference stops the start.
 * M3 The roles' passwords follow from one secret, so that every process computes them and none is stored.
 */

import { createHash, createHmac } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import pg from 'pg'

export const databaseRoles = ['auth', 'relay', 'sink', 'effects', 'api'] as const
export type DatabaseRole = (typeof databaseRoles)[number]
export type RoleUrls = Readonly<Record<DatabaseRole, string>>

export interface MigrateOptions {
  /** The owner of the database; used here only. May create roles. */
  readonly ownerUrl: string
  /** The secret the roles' passwords follow from. */
  readonly secret: string
  readonly notice: (line: string) => void
  /** Where the numbered files are; `deploy/sql` unless told. */
  readonly directory?: URL
}

const lockKey = 7_235_098_112_774
const firstDirectory = new URL('./sql/', import.meta.url)

/** @throws Error with one line: a changed or missing file, or the statement that failed. */
export async function migrate(options: MigrateOptions): Promise<{ roleUrls: RoleUrls; applied: readonly string[] }> {
  const files = await migrationFiles(options.directory)
  const client = new pg.Client({
    connectionString: options.ownerUrl,
    application_name: 'lifecycle-migrate',
    connectionTimeoutMillis: 10_000,
  })
  client.on('error', () => undefined)
  await client.connect()
  try {
    await client.query('select pg_advisory_lock($1)', [lockKey])
    await createRoles(client, options.secret)
    const applied = await applyNew(client, files, options.notice)
    return { roleUrls: roleUrls(options.ownerUrl, options.secret), applied }
  } finally {
    await client.end()
  }
}

/** M3: where each role connects. */
export function roleUrls(ownerUrl: string, secret: string): RoleUrls {
  const entries = databaseRoles.map((role) => {
    const url = new URL(ownerUrl)
    url.username = roleName(role)
    url.password = rolePassword(role, secret)
    return [role, url.toString()] as const
  })
  return Object.fromEntries(entries) as Record<DatabaseRole, string>
}

export const roleName = (role: DatabaseRole): string => `lifecycle_${role}`

const rolePassword = (role: DatabaseRole, secret: string): string =>
  createHmac('sha256', secret).update(`database role ${role}`).digest('hex')

interface MigrationFile {
  readonly name: string
  readonly text: string
  readonly checksum: string
}

/** The numbered files, in order. @throws Error when two share a number or a name has none. */
export async function migrationFiles(directory: URL = firstDirectory): Promise<readonly MigrationFile[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort()
  const numbers = new Set<string>()
  for (const name of names) {
    const number = /^(\d{4})_[a-z0-9_]+\.sql$/.exec(name)?.[1]
    if (number === undefined) throw new Error(`migration ${name}: name it NNNN_words.sql`)
    if (numbers.has(number)) throw new Error(`migration ${name}: the number ${number} is taken`)
    numbers.add(number)
  }
  return Promise.all(
    names.map(async (name) => {
      const text = await readFile(new URL(name, directory), 'utf8')
      return { name, text, checksum: createHash('sha256').update(text).digest('hex') }
    }),
  )
}

/** Roles belong to the whole server, so other databases may have made them, or be making them now. */
async function createRoles(client: pg.Client, secret: string): Promise<void> {
  for (const role of databaseRoles) {
    const name = roleName(role)
    const { rows } = await client.query('select from pg_roles where rolname = $1', [name])
    const password = client.escapeLiteral(rolePassword(role, secret))
    if (rows.length === 0) {
      await client
        .query(
          `create role ${name} login noinherit nosuperuser nocreatedb nocreaterole nobypassrls password ${password}`,
        )
        .catch(ignoring('42710', '23505'))
    }
    if (!(await canLogIn(client, role, secret))) await client.query(`alter role ${name} login password ${password}`)
  }
}

const ignoring =
  (...states: string[]) =>
  (error: unknown): void => {
    if (!(error instanceof pg.DatabaseError) || !states.includes(error.code ?? '')) throw error
  }

/** A role keeps its password when it is right: changing it on each start would cost a write and race with others. */
async function canLogIn(owner: pg.Client, role: DatabaseRole, secret: string): Promise<boolean> {
  const probe = new pg.Client({
    host: owner.host,
    port: owner.port,
    database: owner.database ?? 'postgres',
    ssl: owner.ssl,
    user: roleName(role),
    password: rolePassword(role, secret),
    connectionTimeoutMillis: 5_000,
  })
  probe.on('error', () => undefined)
  try {
    await probe.connect()
    return true
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code?.startsWith('28') === true) return false
    throw error
  } finally {
    await probe.end().catch(() => undefined)
  }
}

async function applyNew(
  client: pg.Client,
  files: readonly MigrationFile[],
  notice: (line: string) => void,
): Promise<readonly string[]> {
  await client.query(`create table if not exists public.schema_migrations (
    name text primary key, checksum text not null, applied_at timestamptz not null default clock_timestamp())`)
  const { rows } = await client.query<{ name: string; checksum: string }>(
    'select name, checksum from public.schema_migrations order by name',
  )
  refuseChanged(rows, files)
  const done = new Set(rows.map(({ name }) => name))
  const applied: string[] = []
  for (const file of files) {
    if (done.has(file.name)) continue
    await applyOne(client, file)
    applied.push(file.name)
  }
  if (applied.length > 0) notice(`database: applied ${applied.join(', ')}`)
  return applied
}

/** M2, and a file cannot be slipped in below one that is applied. */
function refuseChanged(recorded: readonly { name: string; checksum: string }[], files: readonly MigrationFile[]): void {
  const known = new Map(files.map((file) => [file.name, file]))
  for (const { name, checksum } of recorded) {
    const file = known.get(name)
    if (!file)
      throw new Error(
        `migration ${name} was applied to this database but is not in this version: is the program older than the database?`,
      )
    if (file.checksum !== checksum)
      throw new Error(`migration ${name} was changed after it was applied: restore it and add a new file`)
  }
  const last = recorded.at(-1)?.name
  const names = new Set(recorded.map(({ name }) => name))
  const late = files.find((file) => last !== undefined && file.name < last && !names.has(file.name))
  if (late && last !== undefined)
    throw new Error(`migration ${late.name} comes before ${last}, which is applied: give it a later number`)
}

/** M1. */
async function applyOne(client: pg.Client, file: MigrationFile): Promise<void> {
  try {
    await client.query('begin')
    await client.query(file.text)
    await client.query('insert into public.schema_migrations (name, checksum) values ($1, $2)', [
      file.name,
      file.checksum,
    ])
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw new Error(`migration ${file.name} failed: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}

/**
 * Refuses a connection that row-level security would not hold: a superuser, the owner of our tables, BYPASSRLS, or a
 * role other than the one meant. @throws Error with one line.
 */
export async function checkRole(pool: Pick<pg.Pool, 'query'>, role: DatabaseRole): Promise<void> {
  const { rows } = await pool.query<{ name: string; super: boolean; bypass: boolean; owns: boolean; member: boolean }>(`
    select r.rolname as name, r.rolsuper as super, r.rolbypassrls as bypass,
      exists(select from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname in ('auth', 'lifecycle') and c.relowner = r.oid) as owns,
      exists(select from pg_auth_members m where m.member = r.oid) as member
    from pg_roles r where r.rolname = session_user`)
  const seen = rows[0]
  const refuse = (why: string): never => {
    throw new Error(`database role ${seen?.name ?? '?'} ${why}: the ${role} role must connect as ${roleName(role)}`)
  }
  if (!seen) return refuse('is unknown')
  if (seen.super) refuse('is a superuser')
  if (seen.bypass) refuse('has BYPASSRLS')
  if (seen.owns) refuse('owns tables')
  if (seen.member) refuse('is a member of another role')
  if (seen.name !== roleName(role)) refuse('is another role')
}
