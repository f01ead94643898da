/**
 * The disk of a simulated broker. It knows what is written and what is synced, per file and per directory, so that a
 * power failure keeps what it must and loses or tears the rest. Operations take their time by the scheduler, can fail
 * while the disk is full, and end for ever with the life that asked (M1).
 */

import type { LogFile, LogFiles } from '../../connectors/kafka/index.ts'
import type { Life } from './process.ts'
import type { Chance } from './random.ts'

export interface DiskTimes {
  /** Mean of an operation and of an fsync, in us. */
  readonly operationUs: number
  readonly fsyncUs: number
  /** Now and then an fsync takes this much, in us. */
  readonly slowFsyncUs: number
  readonly slowChance: number
}

interface Inode {
  /** Grows by doubling; `size` bytes of it count. */
  bytes: Buffer
  size: number
  /** What a power failure keeps: the first `syncedSize` bytes, unless something below them was written anew. */
  syncedSize: number
  rewritten: Buffer | null
}

const empty = Buffer.alloc(0)

export class Disk {
  #names = new Map<string, Inode>()
  #durableNames = new Map<string, Inode>()
  readonly #times: DiskTimes
  readonly #chance: Chance
  /** Appends fail with ENOSPC, halfway. */
  full = false
  /** Appends that failed because of it. */
  refused = 0

  constructor(times: DiskTimes, chance: Chance) {
    this.#times = times
    this.#chance = chance
  }

  /** Bytes of all files. */
  get sizeBytes(): number {
    let size = 0
    for (const inode of this.#names.values()) size += inode.size
    return size
  }

  /** Power comes back: names and bytes that were not synced are lost, kept or torn. */
  afterPowerLoss(): void {
    this.#names = new Map(this.#durableNames)
    for (const inode of new Set(this.#names.values())) this.#tear(inode)
  }

  mount(life: Life): LogFiles {
    return {
      makeDirectory: () => this.#do(life, 'mkdir', () => undefined),
      list: (path) => this.#do(life, 'list', () => this.#list(path)),
      open: (path) =>
        this.#do(life, 'open', () => {
          let inode = this.#names.get(path)
          if (inode === undefined)
            this.#names.set(path, (inode = { bytes: empty, size: 0, syncedSize: 0, rewritten: null }))
          return this.#file(life, path, inode)
        }),
      rename: (from, to) =>
        this.#do(life, 'rename', () => {
          const inode = this.#names.get(from)
          if (inode === undefined) throw Object.assign(new Error(`ENOENT: ${from}`), { code: 'ENOENT' })
          this.#names.set(to, inode)
          this.#names.delete(from)
        }),
      remove: (path) => this.#do(life, 'remove', () => void this.#names.delete(path)),
      fsyncDirectory: (path) => this.#do(life, 'fsyncDirectory', () => this.#syncNames(path), true),
    }
  }

  #file(life: Life, path: string, inode: Inode): LogFile {
    const what = (verb: string): string => `${verb} ${path.slice(path.indexOf('/') + 1)}`
    return {
      size: () => this.#do(life, 'size', () => inode.size),
      append: (parts, position) => this.#do(life, what('append'), () => this.#append(inode, parts, position)),
      pread: (position, length) =>
        this.#do(life, what('pread'), () =>
          Buffer.from(inode.bytes.subarray(position, Math.min(inode.size, position + length))),
        ),
      truncate: (size) => this.#do(life, what('truncate'), () => truncate(inode, size)),
      fsync: () =>
        this.#do(
          life,
          what('fsync'),
          () => {
            inode.syncedSize = inode.size
            inode.rewritten = null
          },
          true,
        ),
      close: () => Promise.resolve(),
    }
  }

  #append(inode: Inode, parts: readonly Buffer[], position: number): void {
    if (!this.full) return put(inode, parts, position)
    this.refused++
    const bytes = Buffer.concat(parts)
    put(inode, [bytes.subarray(0, this.#chance.below(bytes.length))], position)
    throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
  }

  #do<T>(life: Life, what: string, work: () => T, sync = false): Promise<T> {
    if (life.isDead) return new Promise(() => undefined)
    return new Promise((resolve, reject) => {
      life.later(this.#waitUs(sync), what, () => {
        try {
          resolve(work())
        } catch (error) {
          reject(error as Error)
        }
      })
    })
  }

  #waitUs(sync: boolean): number {
    const { operationUs, fsyncUs, slowFsyncUs, slowChance } = this.#times
    const slow = sync && this.#chance.chance(slowChance) ? slowFsyncUs : 0
    return slow + this.#chance.exponential(sync ? fsyncUs : operationUs)
  }

  #list(path: string): string[] {
    const names = new Set<string>()
    for (const name of this.#names.keys())
      if (name.startsWith(`${path}/`)) names.add(name.slice(path.length + 1).split('/')[0] as string)
    return [...names].sort()
  }

  #syncNames(path: string): void {
    const inside = (name: string): boolean => name.slice(0, name.lastIndexOf('/')) === path
    for (const name of [...this.#durableNames.keys()]) if (inside(name)) this.#durableNames.delete(name)
    for (const [name, inode] of this.#names) if (inside(name)) this.#durableNames.set(name, inode)
  }

  /** What was synced, and any part of what came after, whole or torn. */
  #tear(inode: Inode): void {
    if (inode.rewritten !== null && this.#chance.chance(0.5)) {
      inode.bytes = inode.rewritten
      inode.size = inode.rewritten.length
    } else {
      const kept = inode.syncedSize + this.#chance.below(inode.size - inode.syncedSize + 1)
      const torn = this.#chance.chance(0.5) ? inode.syncedSize + this.#chance.below(kept - inode.syncedSize + 1) : kept
      inode.bytes = Buffer.from(inode.bytes.subarray(0, kept))
      inode.bytes.fill(0, torn)
      inode.size = kept
    }
    inode.syncedSize = inode.size
    inode.rewritten = null
  }
}

function put(inode: Inode, parts: readonly Buffer[], position: number): void {
  const end = parts.reduce((sum, part) => sum + part.length, position)
  keepSynced(inode, position)
  if (end > inode.bytes.length) {
    const grown = Buffer.alloc(Math.max(end, inode.bytes.length * 2, 512))
    inode.bytes.copy(grown, 0, 0, inode.size)
    inode.bytes = grown
  }
  if (position > inode.size) inode.bytes.fill(0, inode.size, position)
  let at = position
  for (const part of parts) at += part.copy(inode.bytes, at)
  inode.size = Math.max(inode.size, end)
}

function truncate(inode: Inode, size: number): void {
  keepSynced(inode, size)
  if (size > inode.size) put(inode, [Buffer.alloc(size - inode.size)], inode.size)
  inode.size = size
}

/** Bytes that were synced are about to change: a power failure may bring either back. */
function keepSynced(inode: Inode, from: number): void {
  if (from >= inode.syncedSize) return
  inode.rewritten ??= Buffer.from(inode.bytes.subarray(0, inode.syncedSize))
  inode.syncedSize = from
}
