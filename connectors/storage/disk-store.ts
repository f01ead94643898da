/**
 * Objects as files, every version of them.
 *
 * DS1  A version is a file that appears whole or not at all: written and synced beside, then linked to its name, then the
 *      folder is synced. What `put` has answered survives a kill -9 and a power cut.
 * DS2  The name of a version is its number in the key's folder, and a name is taken once (link fails on the second). So a
 *      condition that held for number n still holds when n + 1 was taken, between any number of processes.
 * DS3  No key leads out of the root or to another key's files: names are checked, and a version's name begins with `@`,
 *      which no key has. A capital is written `%` and its letter, so that disks that do not tell case apart keep them apart.
 *
 *   <root>/<key>/@00000001   a line of JSON, then the bytes
 *   <root>/@new/…            what is being written; leftovers are removed after a day
 */

import { createHash, randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { checkKey } from './keys.ts'
import type { ObjectStore, ObjectVersion, PutOptions, ReadObject, StoredObject } from './port.ts'
import { sha256Of } from './put-once.ts'
import { StorageError } from './storage-error.ts'

export interface DiskStoreOptions {
  /** Made when missing. */
  readonly root: string
  readonly bucket: string
  /** Wall clock in ms. */
  readonly clock: { now(): number }
}

/** The first line of a version's file. */
interface Head {
  readonly version_id: string
  readonly deleted: boolean
  readonly sha256: string
  readonly bytes: number
  readonly etag: string
  readonly content_type: string
  /** ISO 8601. */
  readonly stored_at: string
}

const newline = 0x0a
const longestHead = 4_096
const leftoverMs = 24 * 60 * 60 * 1000
const deletedHead = { deleted: true, sha256: '', bytes: 0, etag: '', content_type: '' } as const

export function diskStore(told: DiskStoreOptions): ObjectStore {
  const { bucket } = told
  const options = { ...told, root: resolve(told.root) }
  const folderOf = (key: string): string => folderIn(options.root, key)
  let swept: Promise<void> | null = null
  const ready = (): Promise<void> =>
    (swept ??= sweep(options).catch((error: unknown) => {
      swept = null // a disk that was full may have room again
      throw error
    }))

  const storedOf = (key: string, head: Head): StoredObject => {
    const { version_id, sha256, bytes, etag, content_type } = head
    return { bucket, key, version_id, sha256, bytes, etag, content_type }
  }

  /** DS2: looks, decides, takes the next number; looks again when another was faster. */
  async function append(
    key: string,
    content: Uint8Array,
    head: Omit<Head, 'version_id' | 'stored_at'>,
    allows: (latest: Head | null) => boolean,
  ): Promise<Head | null> {
    await ready()
    const folder = folderOf(key)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const stored_at = new Date(options.clock.now()).toISOString()
    for (;;) {
      const number = (await numbersIn(folder)).at(-1) ?? 0
      if (!allows(number === 0 ? null : await headIn(folder, number))) return null
      const next: Head = { version_id: versionId(number + 1, head.sha256), ...head, stored_at }
      if (await writeVersion(options.root, folder, number + 1, next, content)) return next
    }
  }

  async function found(
    key: string,
    wanted: string | undefined,
  ): Promise<{ folder: string; number: number; head: Head } | null> {
    checkKey(key)
    const folder = folderOf(key)
    const number = wanted === undefined ? (await numbersIn(folder)).at(-1) : numberOf(wanted)
    if (number === undefined) return null
    const head = await headIn(folder, number).catch(missing)
    if (head === null || head.deleted || (wanted !== undefined && head.version_id !== wanted)) return null
    return { folder, number, head }
  }

  return {
    bucket,
    kind: 'disk',
    ready: () => troubled(ready()),
    put: (key, content, put) => troubled(putIn(key, content, put)),
    get: (key, version) => troubled(getFrom(key, version)),
    head: (key, version) => troubled(found(key, version)).then((at) => (at === null ? null : storedOf(key, at.head))),
    versions: (key) => troubled(listed(key)),
    remove: (key) => troubled(removed(key)),
    close: () => undefined,
  }

  async function putIn(
    key: string,
    content: Uint8Array,
    { contentType, ifNoneMatch, ifMatch, signal }: PutOptions,
  ): Promise<StoredObject> {
    checkKey(key)
    signal?.throwIfAborted()
    const etag = `"${createHash('md5').update(content).digest('hex')}"`
    const head = {
      deleted: false,
      sha256: sha256Of(content),
      bytes: content.byteLength,
      etag,
      content_type: contentType,
    }
    const stored = await append(key, content, head, (latest) => {
      const standing = latest === null || latest.deleted ? null : latest.etag
      return (ifNoneMatch === undefined || standing === null) && (ifMatch === undefined || standing === ifMatch)
    })
    if (stored === null)
      throw new StorageError('precondition', `${key}: a condition of the put does not hold`, { status: 412 })
    return storedOf(key, stored)
  }

  async function getFrom(key: string, version: string | undefined): Promise<ReadObject | null> {
    const at = await found(key, version)
    if (at === null) return null
    const file = await readFile(join(at.folder, nameOf(at.number)))
    const content = file.subarray(file.indexOf(newline) + 1)
    if (sha256Of(content) !== at.head.sha256)
      throw new StorageError('damaged', `${key} ${at.head.version_id}: the bytes on disk do not have their sha256`)
    return { ...storedOf(key, at.head), content }
  }

  async function listed(key: string): Promise<readonly ObjectVersion[]> {
    checkKey(key)
    const folder = folderOf(key)
    const numbers = (await numbersIn(folder)).toReversed()
    const heads = await Promise.all(numbers.map((number) => headIn(folder, number)))
    return heads.map(({ version_id, deleted }, index) => ({ version_id, deleted, is_latest: index === 0 }))
  }

  async function removed(key: string): Promise<{ readonly version_id: string } | null> {
    checkKey(key)
    if ((await numbersIn(folderOf(key))).length === 0) return null
    const marker = await append(key, new Uint8Array(0), deletedHead, (latest) => latest !== null && !latest.deleted)
    return marker === null ? null : { version_id: marker.version_id }
  }
}

const versionId = (number: number, sha256: string): string =>
  `${number}-${sha256 === '' ? 'deleted' : sha256.slice(0, 12)}`

const numberOf = (version: string): number | undefined => {
  const digits = /^([1-9]\d{0,7})-[a-z0-9]+$/.exec(version)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

const nameOf = (number: number): string => `@${String(number).padStart(8, '0')}`

const folderIn = (root: string, key: string): string =>
  join(root, ...key.split('/').map((part) => part.replace(/[A-Z]/g, (letter) => `%${letter.toLowerCase()}`)))

/** The versions in a key's folder, oldest first. */
async function numbersIn(folder: string): Promise<readonly number[]> {
  const names = (await readdir(folder).catch(missing)) ?? []
  return names
    .filter((name) => /^@\d{8}$/.test(name))
    .map((name) => Number(name.slice(1)))
    .sort((a, b) => a - b)
}

async function headIn(folder: string, number: number): Promise<Head> {
  const file = await open(join(folder, nameOf(number)))
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(longestHead), 0, longestHead, 0)
    const end = buffer.subarray(0, bytesRead).indexOf(newline)
    if (end === -1) throw new StorageError('damaged', `${folder}: version ${number} has no first line`)
    return JSON.parse(buffer.toString('utf8', 0, end)) as Head
  } finally {
    await file.close()
  }
}

/** DS1. @returns whether the number was still free */
async function writeVersion(
  root: string,
  folder: string,
  number: number,
  head: Head,
  content: Uint8Array,
): Promise<boolean> {
  const draft = join(root, '@new', randomBytes(12).toString('hex'))
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), content]))
      await file.sync()
    } finally {
      await file.close()
    }
    const isFree = await link(draft, join(folder, nameOf(number))).then(
      () => true,
      (error: unknown) => {
        if (codeOf(error) === 'EEXIST') return false
        throw error
      },
    )
    if (isFree) await syncFolders(folder, number === 1 ? root : folder)
    return isFree
  } finally {
    await rm(draft, { force: true })
  }
}

/** From a folder up to `last`: a new folder that a power cut forgets would take its versions with it. */
async function syncFolders(folder: string, last: string): Promise<void> {
  await syncFolder(folder)
  if (folder !== last) await syncFolders(dirname(folder), last)
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes the root, and removes what killed processes were writing. */
async function sweep({ root, clock }: DiskStoreOptions): Promise<void> {
  const drafts = join(root, '@new')
  await mkdir(drafts, { recursive: true, mode: 0o700 })
  await syncFolders(drafts, dirname(root))
  for (const name of await readdir(drafts)) {
    const draft = join(drafts, name)
    const changed = await stat(draft).catch(missing)
    if (changed !== null && clock.now() - changed.mtimeMs > leftoverMs) await rm(draft, { force: true })
  }
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

function missing(error: unknown): null {
  if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return null
  throw error
}

/** A disk that is full or that may not be written is trouble with a name, not a bug. */
async function troubled<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    const code = codeOf(error)
    if (error instanceof StorageError || code === undefined) throw error
    const reason =
      code === 'ENOSPC' || code === 'EDQUOT' ? 'quota' : code === 'EACCES' || code === 'EPERM' ? 'auth' : 'retry'
    throw new StorageError(reason, `the object store's disk says ${code}`, { cause: error })
  }
}
