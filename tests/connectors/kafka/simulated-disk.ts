/**
 * A disk that can fail and crash at any operation. It knows what is written and what is synced, per file and per directory,
 * so that a power failure keeps what it must and tears the rest.
 */

import type { LogFile, LogFiles } from '../../../connectors/kafka/index.ts'

export type OperationKind = 'open' | 'append' | 'truncate' | 'fsync' | 'rename' | 'remove' | 'fsyncDirectory'

interface Inode {
  bytes: Buffer
  synced: Buffer
}

export class SimulatedDisk {
  #names = new Map<string, Inode>()
  #durableNames = new Map<string, Inode>()
  #crashed = false
  /** Who mounted the disk before a restart reaches it no more. */
  #life = 0
  /** Operations that change something, so far. */
  operations = 0
  readonly counts: Record<OperationKind, number> = {
    open: 0,
    append: 0,
    truncate: 0,
    fsync: 0,
    rename: 0,
    remove: 0,
    fsyncDirectory: 0,
  }
  /** The disk dies in the middle of this operation. */
  crashAt = Infinity
  /** An error that an operation ends with; a failed append leaves half of its bytes. */
  failWith: (kind: OperationKind, path: string) => Error | null = () => null
  /** What an append waits for: a slow disk. */
  slow: (path: string) => Promise<void> | null = () => null
  /** What a read waits for, when its bytes are there already. */
  slowRead: (path: string) => Promise<void> | null = () => null

  get crashed(): boolean {
    return this.#crashed
  }

  /** The machine stops here; whoever was at work gets no further. */
  stop(): never {
    this.#crashed = true
    throw new Error('the machine stopped')
  }

  /** The process (`kill`) or the machine (`power`) comes up again. @param pick a number below its argument */
  restart(how: 'kill' | 'power', pick: (below: number) => number): void {
    if (how === 'power') {
      this.#loseNames(pick)
      for (const inode of new Set(this.#names.values())) inode.synced = inode.bytes = afterPowerFailure(inode, pick)
    }
    this.#crashed = false
    this.#life++
    this.crashAt = Infinity
    this.operations = 0
  }

  bytesOf(path: string): Buffer {
    return this.#names.get(path)!.bytes
  }

  remove(path: string): void {
    this.#names.delete(path)
    this.#durableNames.delete(path)
  }

  replace(path: string, bytes: Buffer): void {
    const inode = { bytes, synced: bytes }
    this.#names.set(path, inode)
    this.#durableNames.set(path, inode)
  }

  paths(): readonly string[] {
    return [...this.#names.keys()].sort()
  }

  copy(): SimulatedDisk {
    const copy = new SimulatedDisk()
    for (const [path, { bytes }] of this.#names) copy.replace(path, bytes)
    return copy
  }

  mount(): LogFiles {
    const life = this.#life
    const alive = (): void => this.#alive(life)
    return {
      makeDirectory: async () => alive(),
      list: async (path) => {
        alive()
        const names = this.paths().filter((name) => name.startsWith(`${path}/`))
        return [...new Set(names.map((name) => name.slice(path.length + 1).split('/')[0]!))].sort()
      },
      open: async (path) => {
        alive()
        if (!this.#names.has(path)) {
          const empty = Buffer.alloc(0)
          this.#change(life, 'open', path, () => void this.#names.set(path, { bytes: empty, synced: empty }))
        }
        return this.#file(life, path, this.#names.get(path)!)
      },
      rename: async (from, to) =>
        this.#change(life, 'rename', to, () => {
          this.#names.set(to, this.#names.get(from)!)
          this.#names.delete(from)
        }),
      remove: async (path) => this.#change(life, 'remove', path, () => void this.#names.delete(path)),
      fsyncDirectory: async (path) => this.#change(life, 'fsyncDirectory', path, () => this.#syncNames(path)),
    }
  }

  /** Of the names that changed since their directory was synced, any may have reached the disk and any may not. */
  #loseNames(pick: (below: number) => number): void {
    for (const name of new Set([...this.#names.keys(), ...this.#durableNames.keys()])) {
      const [now, durable] = [this.#names.get(name), this.#durableNames.get(name)]
      const kept = now === durable || pick(2) === 0 ? now : durable
      if (kept === undefined) this.#names.delete(name)
      else this.#names.set(name, kept)
    }
    this.#durableNames = new Map(this.#names)
  }

  #syncNames(path: string): void {
    const inside = (name: string): boolean => name.slice(0, name.lastIndexOf('/')) === path
    for (const name of [...this.#durableNames.keys()].filter(inside)) this.#durableNames.delete(name)
    for (const [name, inode] of this.#names) if (inside(name)) this.#durableNames.set(name, inode)
  }

  #file(life: number, path: string, inode: Inode): LogFile {
    const put = (bytes: Buffer, position: number): void => {
      const gap = Buffer.alloc(Math.max(0, position - inode.bytes.length))
      const before = Buffer.concat([inode.bytes, gap]).subarray(0, position)
      inode.bytes = Buffer.concat([before, bytes, inode.bytes.subarray(position + bytes.length)])
    }
    return {
      size: async () => {
        this.#alive(life)
        return inode.bytes.length
      },
      append: async (parts, position) => {
        await this.slow(path)
        const bytes = Buffer.concat(parts)
        const half = bytes.subarray(0, bytes.length >> 1)
        this.#change(
          life,
          'append',
          path,
          () => put(bytes, position),
          () => put(half, position),
        )
      },
      pread: async (position, length) => {
        this.#alive(life)
        const bytes = Buffer.from(inode.bytes.subarray(position, position + length))
        await this.slowRead(path)
        return bytes
      },
      truncate: async (size) =>
        this.#change(life, 'truncate', path, () => {
          put(Buffer.alloc(0), size)
          inode.bytes = inode.bytes.subarray(0, size)
        }),
      fsync: async () => this.#change(life, 'fsync', path, () => void (inode.synced = inode.bytes)),
      close: async () => {},
    }
  }

  #change(life: number, kind: OperationKind, path: string, whole: () => void, half: () => void = () => {}): void {
    this.#alive(life)
    const failure = this.failWith(kind, path)
    if (this.operations++ === this.crashAt) this.#crashed = true
    this.counts[kind]++
    if (failure === null && !this.#crashed) return whole()
    half()
    throw failure ?? new Error('the machine stopped')
  }

  #alive(life: number): void {
    if (this.#crashed || life !== this.#life) throw new Error('the machine stopped')
  }
}

/** What was synced, and any part of what came after, whole or torn. */
function afterPowerFailure({ bytes, synced }: Inode, pick: (below: number) => number): Buffer {
  if (!bytes.subarray(0, synced.length).equals(synced)) return pick(2) === 0 ? synced : bytes
  const kept = Buffer.from(bytes.subarray(0, synced.length + pick(bytes.length - synced.length + 1)))
  if (pick(2) === 0) kept.fill(0, synced.length + pick(kept.length - synced.length + 1))
  return kept
}

export const full = (): Error => Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
export const broken = (): Error => Object.assign(new Error('EIO: i/o error'), { code: 'EIO' })
