/**
 * RocksDB's messages to our codes. FULL, LOCKED, DAMAGED and MISSING are as it gave them on a full file system, at a second
 * open, for a damaged block and for a deleted CURRENT; the others are spelt as its source spells them.
 */

import { describe, expect, test } from 'vitest'
import { openError, stateError } from '../../../state-stores/rocksdb/rocks-errors.ts'

const rocks = (message: string, code?: string): Error => Object.assign(new Error(message), { code })

const FULL = 'IO error: No space left on device: While appending to file: /d/000004.log: No space left on device'
const LOCKED = 'IO error: lock hold by current process, acquire time 1 acquiring thread 2: /d/LOCK: No locks available'
const DAMAGED =
  'Corruption: block checksum mismatch: stored(context removed) = 1, computed = 2, type = 4  in /d/000013.sst'
const MISSING = 'Invalid argument: /d/CURRENT: does not exist (create_if_missing is false)'
const NO_FILE = 'IO error: No such file or directory: While open a file for random read: /d/000013.sst'
const REFUSED = 'IO error: While lock file: /d/LOCK: Permission denied'
const TOO_MANY = 'IO error: While opendir: /d: Too many open files'

describe('RocksDB’s errors', () => {
  test.each([
    [FULL, 'STATE_FULL', 'stop'],
    [LOCKED, 'STATE_LOCKED', 'stop'],
    [NO_FILE, 'STATE_CORRUPT', 'restore'],
    ['IO error: Input/output error: While pread', 'STATE_IO', 'stop'],
  ])('at a read or write: %s', (message, code, then) => {
    expect(stateError(rocks(message, 'LEVEL_IO_ERROR'), 'app/0_0: write')).toMatchObject({ code, then })
  })

  test('a damaged block', () => {
    expect(stateError(rocks(DAMAGED, 'LEVEL_CORRUPTION'), 'app/0_0: get')).toMatchObject({ code: 'STATE_CORRUPT' })
  })

  test.each([
    [FULL, 'STATE_FULL'],
    [LOCKED, 'STATE_LOCKED'],
    [MISSING, 'STATE_CORRUPT'],
    [DAMAGED, 'STATE_CORRUPT'],
    [TOO_MANY, 'STATE_IO'],
  ])('at open, what the machine did not refuse is damage: %s', (message, code) => {
    expect(openError(rocks(message), 'app/0_0')).toMatchObject({ code })
  })

  test('good files are never given up because the machine refused them', () => {
    expect(openError(rocks(REFUSED), 'app/0_0').then).toBe('stop')
  })

  test('the message names the task and keeps the cause', () => {
    const cause = rocks(FULL)
    expect(stateError(cause, 'app/0_0: write')).toMatchObject({ message: `state app/0_0: write: ${FULL}`, cause })
  })
})
