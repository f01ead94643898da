/**
 * One process per state directory. The lock is the one SQLite takes on a file (fcntl on POSIX, LockFileEx on Windows): the
 * system drops it with the process, kill -9 included, and it holds between threads of one process too. The file stays; to
 * remove it would let two processes lock two files of one name.
 *
 * Nothing else may open the file in this process: POSIX drops a process's locks on a file at any close of it.
 */

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StateError } from './contract.ts'

export interface DirectoryLock {
  release(): Promise<void>
}

const FILE = 'LOCK'

/** A lock must not be collected as garbage while its owner lives. */
const held = new Set<DatabaseSync>()

/**
 * Takes a directory for this process, and makes it when it is not there.
 * @throws StateError STATE_LOCKED with the holder's process id; STATE_IO when the directory cannot be used
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const file = await openFile(directory)
  try {
    acquire(file)
  } catch (error) {
    const holder = isBusy(error) ? holderOf(file) : null
    file.close()
    if (holder === null) throw ioError(directory, error)
    throw new StateError(
      'STATE_LOCKED',
      `${directory} is in use by process ${holder}: stop it, or choose another directory`,
      'stop',
      error,
    )
  }
  held.add(file)
  return {
    async release() {
      if (held.delete(file)) file.close()
    },
  }
}

async function openFile(directory: string): Promise<DatabaseSync> {
  try {
    await mkdir(directory, { recursive: true })
    return new DatabaseSync(join(directory, FILE))
  } catch (error) {
    throw ioError(directory, error)
  }
}

/** Writes this process's id, then keeps a write transaction open: others may read the id and cannot begin one. */
function acquire(file: DatabaseSync): void {
  file.exec(`BEGIN IMMEDIATE; PRAGMA user_version = ${process.pid}; COMMIT; BEGIN IMMEDIATE`)
}

function holderOf(file: DatabaseSync): string {
  try {
    return String(file.prepare('PRAGMA user_version').get()?.['user_version'])
  } catch {
    return '(starting)'
  }
}

const SQLITE_BUSY = 5
const isBusy = (error: unknown): boolean => (error as { readonly errcode?: unknown }).errcode === SQLITE_BUSY

const ioError = (directory: string, error: unknown): StateError =>
  new StateError('STATE_IO', `${directory} cannot be locked: ${(error as Error).message}`, 'stop', error)
