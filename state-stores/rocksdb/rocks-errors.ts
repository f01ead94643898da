/** RocksDB's errors as ours: which one means disk full, locked, damaged, or trouble of the machine. */

import { StateError } from '../contract.ts'

const FULL = /No space left on device|Disk quota exceeded|NoSpace|SpaceLimit/
const LOCKED = /IO error: (lock|LockFile|While lock file)/
/** The machine's refusals: the files may be good, so they are never given up for these. */
const REFUSED = /Permission denied|Too many open files|Read-only file system|Operation not permitted|Cannot allocate/
const GONE = /No such file or directory/

/** @param what the path and the verb, for the message, e.g. `research/0_2: write` */
export function stateError(error: unknown, what: string): StateError {
  if (error instanceof StateError) return error
  const message = `state ${what}: ${error instanceof Error ? error.message : String(error)}`
  if (FULL.test(message)) return new StateError('STATE_FULL', message, 'stop', error)
  if (LOCKED.test(message)) return new StateError('STATE_LOCKED', message, 'stop', error)
  const damaged = (error as { readonly code?: unknown }).code === 'LEVEL_CORRUPTION' || GONE.test(message)
  if (damaged) return new StateError('STATE_CORRUPT', message, 'restore', error)
  return new StateError('STATE_IO', message, 'stop', error)
}

/** At open the files are judged whole: whatever the machine did not refuse is damage, and damage is restored. */
export function openError(error: unknown, path: string): StateError {
  const found = stateError(error, `${path}: open`)
  if (found.code !== 'STATE_IO' || REFUSED.test(found.message)) return found
  return new StateError('STATE_CORRUPT', found.message, 'restore', error)
}
