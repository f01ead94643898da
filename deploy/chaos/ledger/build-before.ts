/** The build before this one, beside it: its programs write what this build has to read. */

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../../..')
const child = 'deploy/chaos/ledger/child.ts'

/**
 * @param which a directory that holds it, or a revision of this repository: that is laid out in `directory`, with the packages
 *   that this build has
 * @returns the script of its process
 * @throws Error one line: there is no such build
 */
export function childOfBefore(which: string, directory: string): string {
  const given = resolve(which, child)
  if (existsSync(given)) return given
  const laidOut = join(directory, 'before')
  if (!existsSync(laidOut)) layOut(which, laidOut)
  return join(laidOut, child)
}

function layOut(revision: string, into: string): void {
  const tar = archived(revision)
  mkdirSync(into, { recursive: true })
  execFileSync('tar', ['-x', '-C', into], { input: tar })
  symlinkSync(join(root, 'node_modules'), join(into, 'node_modules'))
}

function archived(revision: string): Buffer {
  try {
    return execFileSync('git', ['archive', '--end-of-options', revision], {
      cwd: root,
      maxBuffer: 1 << 30,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  } catch {
    throw new Error(`--before: ${revision} is neither a directory with this program nor a revision of it`)
  }
}
