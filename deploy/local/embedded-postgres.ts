/**
 * A PostgreSQL of our own in a directory, for machines that have none. It outlives us: after a kill -9 of our process
 * the server goes on, and the next start adopts it. Invariants:
 * E1 At most one server runs on a directory. A server found there is adopted when it takes our password, else ended.
 * E2 A directory is initialised beside and renamed, so that a kill at any moment leaves it whole or absent.
 * E3 It listens on loopback only, with a random password kept in a file that only its account can read.
 *
 * The directory holds: data/ (the cluster), password, port, server.log.
 */

import { randomBytes } from 'node:crypto'
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { chown, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { freePort, portIsFree, portTaken } from './free-port.ts'
import type { Account, Programs } from './server-account.ts'
import { ownDirectory, programs, serverAccount } from './server-account.ts'
import { endProcess, seeProcess } from './server-process.ts'

export interface EmbeddedPostgresOptions {
  readonly directory: string
  /** One line about each thing a person may want to know. */
  readonly notice: (line: string) => void
  /** False for scratch data: no fsync. */
  readonly durable?: boolean
  /** Wanted, or nothing is started; else the one of the last time where it is free. */
  readonly port?: number
}

export interface EmbeddedPostgres {
  /** As the owner of the database `lifecycle`: may make roles and databases, is no superuser. */
  readonly url: string
  /** As the superuser, for tests that must break things. */
  readonly superuserUrl: string
  readonly pid: number
  /** Ends the server: fast first, then at once. */
  stop(): Promise<void>
}

const superuser = 'postgres'
const owner = 'lifecycle_owner'
const database = 'lifecycle'
const readyWithinMs = 60_000
const stopSteps = [
  { signal: 'SIGINT', waitMs: 10_000 },
  { signal: 'SIGQUIT', waitMs: 5_000 },
  { signal: 'SIGKILL', waitMs: 5_000 },
] as const

/** Everything one start works with. */
interface Site {
  readonly directory: string
  readonly data: string
  readonly account: Account | null
  readonly password: string
  readonly durable: boolean
  readonly wantedPort: number | null
  readonly notice: (line: string) => void
}

/** Starts or adopts the server of a directory. @throws Error with one line that says what to do. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const account = await serverAccount(options.notice)
  const directory = resolve(options.directory)
  await ownDirectory(directory, account)
  const data = join(directory, 'data')
  const password = await passwordOf(directory, data, account)
  const { durable = true, port: wantedPort = null, notice } = options
  const site: Site = { directory, data, account, password, durable, wantedPort, notice }
  const running = (await adopt(site)) ?? (await start(site))
  const urlOf = (user: string, name: string): string =>
    `postgres://${user}:${password}@127.0.0.1:${running.port}/${name}`
  await prepare(urlOf(superuser, 'postgres'), password)
  return {
    url: urlOf(owner, database),
    superuserUrl: urlOf(superuser, database),
    pid: running.pid,
    stop: () => endProcess(running.pid, stopSteps),
  }
}

async function passwordOf(directory: string, data: string, account: Account | null): Promise<string> {
  const path = join(directory, 'password')
  const kept = (await readFile(path, 'utf8').catch(() => '')).trim()
  if (kept !== '') return kept
  if (await exists(data)) throw new Error(`${path} is missing: without it the database in ${data} cannot be opened`)
  const made = randomBytes(24).toString('hex')
  await writeFile(`${path}.new`, `${made}\n`, { mode: 0o600, flush: true })
  if (account) await chown(`${path}.new`, account.uid, account.gid)
  await rename(`${path}.new`, path)
  return made
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

interface Running {
  readonly pid: number
  readonly port: number
}

/** What the server wrote about itself: its id, when it started (s), its port, and whether it is ready. */
interface PidFile extends Running {
  readonly startedAt: number
  readonly ready: boolean
}

async function readPidFile(data: string): Promise<PidFile | null> {
  const lines = (await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
  const pid = Number(lines[0])
  if (!Number.isInteger(pid) || pid <= 1) return null
  return { pid, startedAt: Number(lines[2]), port: Number(lines[3]), ready: lines[7]?.trim() === 'ready' }
}

/** E1: the server left behind in this directory, when there is one. */
async function adopt(site: Site): Promise<Running | null> {
  const file = await readPidFile(site.data)
  if (file === null) {
    await rm(join(site.data, 'postmaster.pid'), { force: true })
    return null
  }
  const seen = await seeProcess(file.pid)
  const ours = seen?.command === 'postgres' && (seen.directory === null || seen.directory === site.data)
  if (!ours) {
    site.notice(`postgres: removed the pid file of a server that is gone (process ${file.pid})`)
    await rm(join(site.data, 'postmaster.pid'), { force: true })
    return null
  }
  const ready = await waitReady(site, file.pid).catch(() => null)
  const fits = ready !== null && (site.wantedPort ?? ready.port) === ready.port
  if (fits && (await answers(site, ready))) {
    site.notice(`postgres: adopted the server left running (process ${ready.pid}, port ${ready.port})`)
    return ready
  }
  const why = ready === null || fits ? 'does not answer' : `listens on port ${ready.port}`
  site.notice(`postgres: the server left running (process ${file.pid}) ${why}, ending it`)
  await endProcess(file.pid, stopSteps)
  return null
}

/** Takes our password and is the one its pid file speaks of. */
async function answers(site: Site, { port, startedAt }: PidFile): Promise<boolean> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: superuser,
    password: site.password,
    database: 'postgres',
    connectionTimeoutMillis: 5_000,
    query_timeout: 5_000,
  })
  client.on('error', () => undefined)
  try {
    await client.connect()
    const { rows } = await client.query<{ at: number }>(
      'select extract(epoch from pg_postmaster_start_time())::float8 as at',
    )
    return Math.abs((rows[0]?.at ?? 0) - startedAt) <= 2
  } catch {
    return false
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function start(site: Site): Promise<Running> {
  const installed = await programs(site.account, site.notice)
  if (!(await exists(site.data))) await initialise(site, installed)
  const startedAt = performance.now()
  for (let attempt = 1; ; attempt++) {
    const port = await choosePort(site)
    const pid = await launch(site, installed, port)
    try {
      const running = await waitReady(site, pid)
      site.notice(`postgres: ready on port ${port} in ${Math.round(performance.now() - startedAt)} ms`)
      return running
    } catch (error) {
      // Somebody may have taken the port between the look and the start.
      if (attempt === 3 || (await portIsFree(port))) throw error
    }
  }
}

/** E2. */
async function initialise(site: Site, { initdb }: Programs): Promise<void> {
  site.notice(`postgres: initialising ${site.data}`)
  await rm(join(site.directory, 'data.new'), { recursive: true, force: true })
  const code = await runAsServer(site, initdb, (place) => [
    `--pgdata=${place}/data.new`,
    `--username=${superuser}`,
    `--pwfile=${place}/password`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    ...(site.durable ? [] : ['--no-sync']),
  ]).ended
  if (code !== 0)
    throw new Error(`PostgreSQL could not initialise ${site.data}: see ${join(site.directory, 'server.log')}`)
  await rename(join(site.directory, 'data.new'), site.data)
}

async function launch(site: Site, { postgres }: Programs, port: number): Promise<number> {
  await rotateLog(site)
  const settings = { ...settingsOf(port), ...(site.durable ? {} : { fsync: 'off', full_page_writes: 'off' }) }
  const server = runAsServer(site, postgres, (place) => [
    '-D',
    `${place}/data`,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ])
  server.letGo()
  return server.pid
}

/** For a laptop: little memory, no parallel workers, every commit on disk before it is answered. */
const settingsOf = (port: number): Record<string, string> => ({
  port: String(port),
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '128MB',
  synchronous_commit: 'on',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_wal_size: '512MB',
  max_parallel_workers_per_gather: '0',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_min_messages: 'warning',
  log_min_error_statement: 'panic',
})

interface Spawned {
  readonly pid: number
  readonly ended: Promise<number | null>
  /** Our process may end while this one runs. */
  letGo(): void
}

/**
 * Runs a program as the server's account, in a session of its own (a ctrl-C at our terminal is not meant for it).
 * Root hands the directory over as descriptor 3, because the account may be unable to walk there.
 */
function runAsServer(site: Site, program: string, argumentsAt: (place: string) => string[]): Spawned {
  const log = openSync(join(site.directory, 'server.log'), 'a', 0o600)
  const directory = site.account !== null && process.platform === 'linux' ? openSync(site.directory, 'r') : null
  try {
    const child = spawn(program, argumentsAt(directory === null ? site.directory : '/proc/self/fd/3'), {
      cwd: '/',
      detached: true,
      stdio: ['ignore', log, log, ...(directory === null ? [] : [directory])],
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
      ...(site.account === null ? {} : { uid: site.account.uid, gid: site.account.gid }),
    })
    const ended = new Promise<number | null>((done) => {
      child.on('error', () => done(null))
      child.on('exit', done)
    })
    return { pid: child.pid ?? 0, ended, letGo: () => child.unref() }
  } finally {
    closeSync(log)
    if (directory !== null) closeSync(directory)
  }
}

async function waitReady(site: Site, pid: number): Promise<PidFile> {
  const endAt = performance.now() + readyWithinMs
  while (performance.now() < endAt) {
    const file = await readPidFile(site.data)
    if (file?.pid === pid && file.ready) return file
    if ((await seeProcess(pid)) === null) break
    await sleep(15)
  }
  throw new Error(`PostgreSQL did not become ready: see ${join(site.directory, 'server.log')}`)
}

/** The one that is wanted, else that of the last time when it is free, else another. */
async function choosePort(site: Site): Promise<number> {
  const { wantedPort } = site
  if (wantedPort !== null) {
    if (await portIsFree(wantedPort)) return wantedPort
    throw new Error(`PostgreSQL: ${portTaken(wantedPort)}`)
  }
  const path = join(site.directory, 'port')
  const kept = Number((await readFile(path, 'utf8').catch(() => '')).trim())
  if (Number.isInteger(kept) && kept > 0 && kept < 65_536) {
    if (await portIsFree(kept)) return kept
    site.notice(`postgres: port ${kept} is taken, choosing another`)
  }
  const port = await freePort()
  await writeFile(path, `${port}\n`)
  return port
}

async function rotateLog(site: Site): Promise<void> {
  const path = join(site.directory, 'server.log')
  const size = await stat(path).then(
    ({ size }) => size,
    () => 0,
  )
  if (size > 8 * 1024 * 1024) await rename(path, `${path}.1`)
}

/** The owner and its database; made once, looked for at each start because a kill may come between. */
async function prepare(url: string, password: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  client.on('error', () => undefined)
  await client.connect()
  try {
    const { rows } = await client.query<{ role: boolean; base: boolean }>(
      'select exists(select from pg_roles where rolname = $1) as role, exists(select from pg_database where datname = $2) as base',
      [owner, database],
    )
    // Names and password are our own words (hex), so there is nothing to quote.
    if (!rows[0]?.role) await client.query(`create role ${owner} login createrole createdb password '${password}'`)
    if (!rows[0]?.base) await client.query(`create database ${database} owner ${owner}`)
  } finally {
    await client.end()
  }
}
