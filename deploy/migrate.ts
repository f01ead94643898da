/**
 * Brings a database to the present: the login roles, then each new file of `deploy/sql`, in order of its number.
 * Run by the owner of the database; processes then connect as the role they need. Invariants:
 * M1 One migration at a time (advisory lock); each file is one transaction with the row that records it.
 * M2 An applied file never changes: its checksum is recorded, and a difference stops the start. What is applied is a set: a
 *    file whose number is below one that is applied is applied too, so each part of the product keeps its own range of
 *    numbers. It may rest on files of lower numbers alone.
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

/** Of the advisory lock that one migration at a time holds (M1). */
export const migrationLock = 7_235_098_112_774
export const migrationDirectory = new URL('./sql/', import.meta.url)

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
    await checkVersion(client, options.notice)
    await client.query('select pg_advisory_lock($1)', [migrationLock])
    const urls = roleUrls(options.ownerUrl, options.secret)
    await createRoles(client, urls)
    const applied = await applyNew(client, files, options.notice)
    return { roleUrls: urls, applied }
  } finally {
    await client.end()
  }
}

/** Of each major version the first release in which row-level security has no known leak (CVE-2025-8713). */
const firstSafe: Readonly<Record<number, number>> = { 15: 14, 16: 10, 17: 6 }

async function checkVersion(client: pg.Client, notice: (line: string) => void): Promise<void> {
  const { rows } = await client.query<{ n: number }>(`select current_setting('server_version_num')::int as n`)
  const [major, minor] = [Math.floor((rows[0]?.n ?? 0) / 10_000), (rows[0]?.n ?? 0) % 10_000]
  if (major < 15) throw new Error(`the database is PostgreSQL ${major}: 15 or later is needed`)
  const safe = firstSafe[major] ?? 0
  if (minor < safe)
    notice(
      `database: PostgreSQL ${major}.${minor} can leak rows past row-level security (CVE-2025-8713): update it to ${major}.${safe}`,
    )
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

const down = '.down.sql'

interface MigrationFile {
  readonly name: string
  readonly text: string
  readonly checksum: string
}

/**
 * The numbered files, in order; numbers may leave gaps. `NNNN_words.down.sql` takes the file of its name back.
 * @throws Error when two share a number or a name has none, or there is nothing that a file would take back.
 */
export async function migrationFiles(directory: URL = migrationDirectory): Promise<readonly MigrationFile[]> {
  const all = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort()
  const names = all.filter((name) => !name.endsWith(down))
  const alone = all.find((name) => name.endsWith(down) && !names.includes(name.replace(down, '.sql')))
  if (alone !== undefined)
    throw new Error(`migration ${alone}: there is no ${alone.replace(down, '.sql')} to take back`)
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
async function createRoles(client: pg.Client, urls: RoleUrls): Promise<void> {
  for (const role of databaseRoles) {
    const name = roleName(role)
    const password = client.escapeLiteral(new URL(urls[role]).password)
    const { rows } = await client.query('select from pg_roles where rolname = $1', [name])
    if (rows.length === 0) {
      const attributes = 'login noinherit nosuperuser nocreatedb nocreaterole nobypassrls'
      await client
        .query(`create role ${name} ${attributes} password ${password}`)
        .catch(refused(name, 'create', '42710', '23505'))
    }
    if (await canLogIn(urls[role])) continue
    await client.query(`alter role ${name} login password ${password}`).catch(refused(name, 'change'))
  }
}

/** @param harmless states that another process gave us by being first */
const refused =
  (name: string, what: 'create' | 'change', ...harmless: string[]) =>
  (error: unknown): void => {
    const state = error instanceof pg.DatabaseError ? (error.code ?? '') : ''
    if (harmless.includes(state)) return
    if (state !== '42501') throw error
    throw new Error(`the owner of the database may not ${what} the role ${name}: give it CREATEROLE`, { cause: error })
  }

/** A role keeps its password when it is right: changing it on each start would cost a write and race with others. */
async function canLogIn(url: string): Promise<boolean> {
  const probe = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
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
  const done = new Set(await recorded(client, files))
  const applied: string[] = []
  for (const file of files) {
    if (done.has(file.name)) continue
    await applyOne(client, file)
    applied.push(file.name)
  }
  if (applied.length > 0) notice(`database: applied ${applied.join(', ')}`)
  return applied
}

/** Names of what is applied, in the order in which it was. @throws Error with one line when this version does not know it so */
export async function appliedMigrations(client: pg.Client, directory?: URL): Promise<readonly string[]> {
  const files = await migrationFiles(directory)
  const { rows } = await client.query<{ there: boolean }>(
    `select to_regclass('public.schema_migrations') is not null as there`,
  )
  return rows[0]?.there === true ? recorded(client, files) : []
}

async function recorded(client: pg.Client, files: readonly MigrationFile[]): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string; checksum: string }>(
    'select name, checksum from public.schema_migrations order by applied_at, name',
  )
  refuseChanged(rows, files)
  return rows.map(({ name }) => name)
}

/** M2. */
function refuseChanged(applied: readonly { name: string; checksum: string }[], files: readonly MigrationFile[]): void {
  const known = new Map(files.map((file) => [file.name, file]))
  for (const { name, checksum } of applied) {
    const file = known.get(name)
    if (!file)
      throw new Error(
        `migration ${name} was applied to this database but is not in this version: is the program older than the database?`,
      )
    if (file.checksum !== checksum)
      throw new Error(`migration ${name} was changed after it was applied: restore it and add a new file`)
  }
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
