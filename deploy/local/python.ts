/**
 * The Python of this machine, and packages for it: installed once, into an environment of their own in a cache directory.
 * It is made beside and renamed, so that one that stands there is whole; its name holds the hash of the requirements.
 */

import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Waiting } from './server-program.ts'

const run = promisify(execFile)
const installWithinMs = 300_000

export interface PythonPackages {
  /** For a person. */
  readonly what: string
  /** A requirements file, every version pinned. */
  readonly requirements: string
  /** A directory that is kept. */
  readonly cache: string
  /** What the environment's name begins with. */
  readonly name: string
}

/** One line that says what is missing to run `what`, or null. @param what as it begins a sentence */
export async function pythonLacks(what: string): Promise<string | null> {
  const program = 'import sys, venv, ensurepip; print(int(sys.version_info >= (3, 10)))'
  const found = await run('python3', ['-c', program], { timeout: 30_000 }).then(
    ({ stdout }) => stdout.trim(),
    () => '',
  )
  return found === '1' ? null : `${what} needs Python 3.10 or newer with venv (python3 in PATH)`
}

/** The environment's own interpreter, installed when it is not there yet. @throws Error with one line */
export async function pythonWith(packages: PythonPackages, { notice, signal }: Waiting = {}): Promise<string> {
  const place = await placeOf(packages)
  if (await exists(place)) return interpreterIn(place)
  notice?.(`installing ${packages.what} through pip, the first time only`)
  await mkdir(packages.cache, { recursive: true })
  const scratch = join(packages.cache, `new-${randomBytes(6).toString('hex')}`)
  const how = { timeout: installWithinMs, ...(signal === undefined ? {} : { signal }) }
  try {
    await run('python3', ['-m', 'venv', scratch], how)
    const quiet = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input']
    await run(interpreterIn(scratch), [...quiet, '-r', packages.requirements], how)
    // Another process may have been faster: its environment is as good.
    await rename(scratch, place).catch(async (error: unknown) => {
      if (!(await exists(place))) throw error
    })
  } catch (error) {
    signal?.throwIfAborted()
    const said = String((error as { stderr?: string }).stderr ?? error)
    throw new Error(`pip could not install ${packages.what}: ${said.trim().split('\n').at(-1) ?? said}`, {
      cause: error,
    })
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
  return interpreterIn(place)
}

const interpreterIn = (place: string): string => join(place, 'bin', 'python')

async function placeOf({ requirements, cache, name }: PythonPackages): Promise<string> {
  const text = await readFile(requirements)
  return join(cache, `${name}-${createHash('sha256').update(text).digest('hex').slice(0, 12)}`)
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
