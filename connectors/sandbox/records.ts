/**
 * What a stand-in keeps: JSON values by key, in memory and in an append-only file of lines that outlives a kill. A write is
 * with the operating system before it returns. When most of the file is outdated it is written anew, atomically.
 */

import { closeSync, existsSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs'

type Line<T> = readonly [key: string, value: T | null]

/** A file is not written anew before it has this many lines that no longer count. */
const outdatedAtLeast = 1_000

export class Records<T> {
  readonly #path: string
  readonly #values = new Map<string, T>()
  #file: number
  #lines = 0

  /** Opens the file, or makes it. A line that a kill cut short was never acknowledged and is left out. */
  constructor(path: string) {
    this.#path = path
    if (existsSync(path)) for (const line of readFileSync(path, 'utf8').split('\n')) this.#take(line)
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
    writeSync(this.#file, `${JSON.stringify(line)}\n`)
    this.#lines += 1
    if (this.#lines - this.#values.size < Math.max(outdatedAtLeast, this.#values.size)) return
    closeSync(this.#file)
    this.#file = this.#rewrite()
  }

  #take(line: string): void {
    if (line === '') return
    try {
      const [key, value] = JSON.parse(line) as Line<T>
      if (value === null) this.#values.delete(key)
      else this.#values.set(key, value)
    } catch {
      // practice data is not worth a refusal to start
    }
  }

  #rewrite(): number {
    const lines = Array.from(this.#values, (line) => `${JSON.stringify(line)}\n`)
    writeFileSync(`${this.#path}.new`, lines.join(''))
    renameSync(`${this.#path}.new`, this.#path)
    this.#lines = lines.length
    return openSync(this.#path, 'a')
  }
}
