/** Log files in memory: for tests and simulation. What was written stays for as long as the object does. */

import type { LogFile, LogFiles } from './log-files.ts'

const FIRST_CAPACITY_BYTES = 256

export function memoryFiles(): LogFiles {
  const files = new Map<string, MemoryFile>()
  return {
    makeDirectory: async () => {},
    list: async (path) => {
      const names = new Set<string>()
      for (const file of files.keys())
        if (file.startsWith(`${path}/`)) names.add(file.slice(path.length + 1).split('/')[0]!)
      return [...names].sort()
    },
    open: async (path) => {
      let file = files.get(path)
      if (file === undefined) files.set(path, (file = new MemoryFile()))
      return file
    },
    rename: async (from, to) => {
      const file = files.get(from)
      if (file === undefined) throw Object.assign(new Error(`ENOENT: ${from}`), { code: 'ENOENT' })
      files.delete(from)
      files.set(to, file)
    },
    remove: async (path) => {
      files.delete(path)
    },
    fsyncDirectory: async () => {},
  }
}

class MemoryFile implements LogFile {
  #bytes = Buffer.allocUnsafeSlow(FIRST_CAPACITY_BYTES)
  #size = 0

  async size(): Promise<number> {
    return this.#size
  }

  async append(bytes: readonly Buffer[], position: number): Promise<void> {
    this.#reserve(bytes.reduce((end, part) => end + part.length, position))
    for (const part of bytes) {
      part.copy(this.#bytes, position)
      position += part.length
    }
    this.#size = position
  }

  /** A copy, as a disk would give. */
  async pread(position: number, length: number): Promise<Buffer> {
    return Buffer.from(this.#bytes.subarray(position, Math.min(position + length, this.#size)))
  }

  async truncate(size: number): Promise<void> {
    this.#reserve(size)
    if (size > this.#size) this.#bytes.fill(0, this.#size, size)
    this.#size = size
  }

  async fsync(): Promise<void> {}

  async close(): Promise<void> {}

  #reserve(size: number): void {
    if (size <= this.#bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(size, this.#bytes.length * 2))
    this.#bytes.copy(grown, 0, 0, this.#size)
    this.#bytes = grown
  }
}
