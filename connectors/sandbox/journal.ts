/**
 * An append-only file of JSON lines: what the sandbox must still know after a kill. A record is with the operating system
 * before `append` returns. The file is bounded: when it is full it becomes `<name>.1` (the one before is dropped) and a
 * new one begins. In memory there are only places in the files.
 */

import { closeSync, existsSync, ftruncateSync, fstatSync, openSync, readSync, renameSync, writeSync } from 'node:fs'

export interface Place {
  readonly generation: number
  readonly offset: number
  readonly length: number
}

export interface JournalOptions<T> {
  readonly path: string
  readonly maxBytes: number
  /** Called for each record that is kept, oldest first, at opening and at each append. */
  readonly known: (record: T, place: Place) => void
}

const newline = 0x0a

export class Journal<T> {
  readonly #options: JournalOptions<T>
  #generation = 1
  #files: { readonly current: number; readonly previous: number | null }
  #size = 0

  constructor(options: JournalOptions<T>) {
    this.#options = options
    const older = `${options.path}.1`
    const previous = existsSync(older) ? openSync(older, 'r') : null
    this.#files = { current: openSync(options.path, 'a+'), previous }
    if (previous !== null) this.#replay(previous, 0)
    this.#size = this.#replay(this.#files.current, 1)
    ftruncateSync(this.#files.current, this.#size) // a line that a kill cut short was never acknowledged
  }

  append(record: T): void {
    const line = Buffer.from(`${JSON.stringify(record)}\n`)
    if (this.#size > 0 && this.#size + line.length > this.#options.maxBytes) this.#turn()
    writeSync(this.#files.current, line)
    this.#options.known(record, { generation: this.#generation, offset: this.#size, length: line.length })
    this.#size += line.length
  }

  /** The record at a place, or null when its file was dropped. */
  read(place: Place): T | null {
    const file = place.generation === this.#generation ? this.#files.current : this.#files.previous
    if (file === null || place.generation < this.#generation - 1) return null
    const bytes = Buffer.alloc(place.length)
    readSync(file, bytes, 0, place.length, place.offset)
    return JSON.parse(bytes.toString('utf8')) as T
  }

  close(): void {
    closeSync(this.#files.current)
    if (this.#files.previous !== null) closeSync(this.#files.previous)
  }

  #turn(): void {
    const { path } = this.#options
    if (this.#files.previous !== null) closeSync(this.#files.previous)
    renameSync(path, `${path}.1`)
    this.#files = { previous: this.#files.current, current: openSync(path, 'a+') }
    this.#generation += 1
    this.#size = 0
  }

  /** Tells every whole line of a file; returns where the last one ends. */
  #replay(file: number, generation: number): number {
    const bytes = Buffer.alloc(fstatSync(file).size)
    readSync(file, bytes, 0, bytes.length, 0)
    let offset = 0
    for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, offset)) {
      const length = end + 1 - offset
      const record = lineAt(bytes, offset, end)
      if (record !== undefined) this.#options.known(record as T, { generation, offset, length })
      offset = end + 1
    }
    return offset
  }
}

/** A line that is no JSON (a disk that lost a block) is passed over: practice data is not worth a refusal to start. */
function lineAt(bytes: Buffer, offset: number, end: number): unknown {
  try {
    return JSON.parse(bytes.toString('utf8', offset, end))
  } catch {
    return undefined
  }
}
