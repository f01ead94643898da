/** Log files on disk. */

import { constants } from 'node:fs'
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'

import type { LogFile, LogFiles } from './log-files.ts'

export const nodeFiles: LogFiles = {
  async makeDirectory(path) {
    await mkdir(path, { recursive: true })
  },
  async list(path) {
    try {
      return (await readdir(path)).sort()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  },
  async open(path) {
    return new NodeFile(await open(path, constants.O_RDWR | constants.O_CREAT, 0o640))
  },
  rename,
  async remove(path) {
    await rm(path, { force: true })
  },
  async fsyncDirectory(path) {
    const directory = await open(path, constants.O_RDONLY)
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  },
}

class NodeFile implements LogFile {
  readonly #handle: FileHandle

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size
  }

  async append(bytes: readonly Buffer[], position: number): Promise<void> {
    let rest = bytes
    while (rest.length > 0) {
      const { bytesWritten } = await this.#handle.writev(rest, position)
      position += bytesWritten
      rest = dropBytes(rest, bytesWritten)
    }
  }

  async pread(position: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(length)
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await this.#handle.read(bytes, filled, length - filled, position + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return bytes.subarray(0, filled)
  }

  truncate(size: number): Promise<void> {
    return this.#handle.truncate(size)
  }

  fsync(): Promise<void> {
    return this.#handle.datasync()
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

/** What is left of `bytes` when the first `written` of them are done: a write may be short. */
function dropBytes(bytes: readonly Buffer[], written: number): readonly Buffer[] {
  let first = 0
  while (first < bytes.length && written >= bytes[first]!.length) written -= bytes[first++]!.length
  if (first === bytes.length) return []
  return written === 0 ? bytes.slice(first) : [bytes[first]!.subarray(written), ...bytes.slice(first + 1)]
}
