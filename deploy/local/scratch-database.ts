/**
 * A migrated database of its own for a test: `await using database = await scratchDatabase()`.
 *
 * All test processes of one checkout share one server in a temporary directory: the first starts it, the others adopt
 * it. Databases are copies of a template that was migrated once per state of `deploy/sql`. A keeper process ends the
 * server and removes the directory some seconds after the last test process that used it is gone, however it went.
 */

import { createHash, randomBytes } from 'node:crypto'
import { spawn } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { migrate, migrationFiles, roleUrls } from '../migrate.ts'
import type { RoleUrls } from '../migrate.ts'
import { startEmbeddedPostgres } from './embedded-postgres.ts'
import { withFileLock } from './file-lock.ts'
import { seeProcess } from './server-process.ts'

export interface ScratchDatabase extends AsyncDisposable {
  readonly ownerUrl: string
  readonly superuserUrl: string
  readonly urls: RoleUrls
  /** The secret the roles' passwords follow from. */
  readonly secret: string
  drop(): Promise<void>
}

/** The same for all scratch databases: roles belong to the server. */
const secret = 'scratch databases only'

const site = join(
  tmpdir(),
  `lifecycle-scratch-${createHash('sha256')
    .update(`${import.meta.url}\0${userInfo().uid}`)
    .digest('hex')
    .slice(0, 12)}`,
)

/** A fresh database with every migration applied. `from: 'empty'` gives one with none. */
export async function scratchDatabase(
  options: { readonly from?: 'migrated' | 'empty' } = {},
): Promise<ScratchDatabase> {
  const server = await withFileLock(site, async () => {
    await register()
    const running = await startEmbeddedPostgres({
      directory: join(site, 'server'),
      durable: false,
      notice: () => undefined,
    })
    await ensureKeeper()
    return running
  })
  const template = options.from === 'empty' ? 'template0' : await migratedTemplate(server.url)
  const name = `scratch_${randomBytes(6).toString('hex')}`
  await query(server.url, `create database ${name} template ${template}`)
  const ownerUrl = inDatabase(server.url, name)
  const drop = (): Promise<void> => query(server.superuserUrl, `drop database if exists ${name} with (force)`)
  return {
    ownerUrl,
    superuserUrl: inDatabase(server.superuserUrl, name),
    urls: roleUrls(ownerUrl, secret),
    secret,
    drop,
    [Symbol.asyncDispose]: drop,
  }
}

/** The keeper counts us among the living. */
async function register(): Promise<void> {
  await mkdir(join(site, 'clients'), { recursive: true })
  await writeFile(join(site, 'clients', String(process.pid)), '')
}

async function ensureKeeper(): Promise<void> {
  const file = join(site, 'keeper')
  const present = Number(await readFile(file, 'utf8').catch(() => '0'))
  if (present > 0 && (await seeProcess(present)) !== null) return
  const keeper = spawn(process.execPath, [new URL('./scratch-keeper.ts', import.meta.url).pathname, site], {
    detached: true,
    stdio: 'ignore',
    cwd: '/',
  })
  keeper.unref()
  await writeFile(file, String(keeper.pid))
}

async function migratedTemplate(url: string): Promise<string> {
  const files = await migrationFiles()
  const name = `template_${createHash('sha256')
    .update(files.map((file) => file.checksum).join())
    .digest('hex')
    .slice(0, 16)}`
  await withFileLock(site, async () => {
    if (await databaseExists(url, name)) return
    const unfinished = `${name}_new`
    await query(url, `drop database if exists ${unfinished}`)
    await query(url, `create database ${unfinished} template template0`)
    await migrate({ ownerUrl: inDatabase(url, unfinished), secret, notice: () => undefined })
    await query(url, `alter database ${unfinished} rename to ${name}`)
  })
  return name
}

function inDatabase(url: string, name: string): string {
  const changed = new URL(url)
  changed.pathname = `/${name}`
  return changed.toString()
}

const query = (url: string, statement: string): Promise<void> =>
  withClient(url, async (client) => void (await client.query(statement)))

const databaseExists = (url: string, name: string): Promise<boolean> =>
  withClient(
    url,
    async (client) => (await client.query('select from pg_database where datname = $1', [name])).rows.length > 0,
  )

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
