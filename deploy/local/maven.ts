/**
 * Files that Maven fetches, once, into a cache directory. They are fetched beside and renamed, so that a directory that
 * stands there is whole; its name holds the hash of the pom, so that another version is another directory.
 */

import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { copyFile, mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Waiting } from './server-program.ts'

const run = promisify(execFile)
const fetchWithinMs = 300_000

export interface MavenFiles {
  /** For a person. */
  readonly what: string
  readonly pom: string
  /** The property of the pom that holds the version. */
  readonly property: string
  /** Another one than the pom's. */
  readonly version?: string | undefined
  /** Goal and options; the files are to go to `{output}`. */
  readonly goal: readonly string[]
  /** A directory that is kept. */
  readonly cache: string
  /** What the directory's name begins with. */
  readonly name: string
}

/** The version that a pom names in a property. */
export async function versionIn(pom: string, property: string): Promise<string> {
  const version = new RegExp(`<${property.replaceAll('.', '\\.')}>(.+?)<`).exec(await readFile(pom, 'utf8'))?.[1]
  if (version === undefined) throw new Error(`${pom} names no ${property}`)
  return version
}

const versionOf = async ({ pom, property, version }: MavenFiles): Promise<string> =>
  version ?? (await versionIn(pom, property))

/** Where the files are, or will be. */
export async function placeOf(files: MavenFiles): Promise<string> {
  const { pom, cache, name } = files
  const hash = createHash('sha256')
    .update(await readFile(pom))
    .digest('hex')
    .slice(0, 12)
  return join(cache, `${name}-${await versionOf(files)}-${hash}`)
}

export const isFetched = async (files: MavenFiles): Promise<boolean> => exists(await placeOf(files))

/** The directory with the files, fetched when it is not there yet. @throws Error with one line */
export async function mavenFiles(files: MavenFiles, { notice, signal }: Waiting = {}): Promise<string> {
  const place = await placeOf(files)
  if (await exists(place)) return place
  notice?.(`fetching ${files.what} through Maven, the first time only`)
  const scratch = join(files.cache, `new-${randomBytes(6).toString('hex')}`)
  await mkdir(scratch, { recursive: true })
  try {
    await copyFile(files.pom, join(scratch, 'pom.xml'))
    await fetchInto(scratch, files, signal)
    // Another process may have been faster: its directory is as good.
    await rename(join(scratch, 'files'), place).catch(async (error: unknown) => {
      if (!(await exists(place))) throw error
    })
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
  return place
}

async function fetchInto(scratch: string, files: MavenFiles, signal: AbortSignal | undefined): Promise<void> {
  const { goal, what, property } = files
  const asked = goal.map((word) => word.replace('{output}', join(scratch, 'files')))
  const words = [...asked, `-D${property}=${await versionOf(files)}`]
  const how = { cwd: scratch, timeout: fetchWithinMs, ...(signal === undefined ? {} : { signal }) }
  await run('mvn', ['-q', '-B', ...words], how).catch((error: unknown) => {
    signal?.throwIfAborted()
    const said = String((error as { stdout?: string }).stdout ?? error)
    throw new Error(`Maven could not fetch ${what}: ${said.split('\n').find((line) => line !== '') ?? said}`)
  })
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
