/**
 * What a stand-in keeps: JSON values by key, in memory and in an append-only file of lines that outlives a kill. A write is
 * with the operating system before it returns. When most of the file is outdated it is written anew, atomically.
 */

import { closeSync, existsSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'

type Line<T> = readonly [key: string, value: T | null]

/** A file is not written anew before it has this many lines that no longer count, or this many bytes of them. */
const outdatedAtLeast = 1_000
const outdatedBytesAtLeast = 16 * 1024 * 1024

const newline = 0x0a

export class Records<T> {
  readonly #path: string
  readonly #values = new Map<string, T>()
  #file: number
  #lines = 0
  #bytes = 0
  /** Of the file when it was written anew. */
  #freshBytes = 0

  /** Opens the file, or makes it. A line that a kill cut short was never acknowledged and is left out. */
  constructor(path: string) {
    this.#path = path
    if (existsSync(path)) this.#read(readFileSync(path))
    this.#file = this.#rewrite()
  }

  get size(): number {
    return this.#values.size
  }

  get(key: string): T | undefined {
    return this.#values.get(key)
  }

  entries(): IterableIterator<[string, T]> {
    return this.#values.entries()
  }

  /** In the order in which the keys first came. */
  values(): IterableIterator<T> {
    return this.#values.values()
  }

  put(key: string, value: T): void {
    this.#values.set(key, value)
    this.#append([key, value])
  }

  delete(key: string): void {
    if (this.#values.delete(key)) this.#append([key, null])
  }

  close(): void {
    closeSync(this.#file)
  }

  #append(line: Line<T>): void {
    this.#bytes += writeSync(this.#file, `${JSON.stringify(line)}\n`)
    this.#lines += 1
    const manyLines = this.#lines - this.#values.size >= Math.max(outdatedAtLeast, this.#values.size)
    const manyBytes = this.#bytes - this.#freshBytes >= Math.max(outdatedBytesAtLeast, this.#freshBytes)
    if (!manyLines && !manyBytes) return
    closeSync(this.#file)
    this.#file = this.#rewrite()
  }

  /** Line by line: a file may be longer than a string can be. */
  #read(bytes: Buffer): void {
    for (let from = 0; from < bytes.length;) {
      const end = bytes.indexOf(newline, from)
      const to = end === -1 ? bytes.length : end
      if (to > from) this.#take(bytes.toString('utf8', from, to))
      from = to + 1
    }
  }

  #take(line: string): void {
    try {
      const [key, value] = JSON.parse(line) as Line<T>
      if (value === null) this.#values.delete(key)
      else this.#values.set(key, value)
    } catch {
      // practice data is not worth a refusal to start
    }
  }

  #rewrite(): number {
    const file = openSync(`${this.#path}.new`, 'w')
    this.#bytes = 0
    for (const line of this.#values) this.#bytes += writeSync(file, `${JSON.stringify(line)}\n`)
    closeSync(file)
    renameSync(`${this.#path}.new`, this.#path)
    this.#lines = this.#values.size
    this.#freshBytes = this.#bytes
    return openSync(this.#path, 'a')
  }
}
