/**
 * One file of a partition: whole batches from `baseOffset` on, and a sparse index from offsets to positions that is kept
 * in memory only. `size` is what readers may see; between it and `#written` lies what is being written.
 */

import { lastOffsetOf, baseOffsetOf, maxTimestampOf, sizeOf, BATCH_HEADER_BYTES } from '../batch-format.ts'
import { LogError } from '../port.ts'
import type { LogFile, LogFiles } from './log-files.ts'

/** At most so many bytes are walked to find an offset. */
const INDEX_INTERVAL_BYTES = 16 * 1024

export const segmentName = (baseOffset: bigint): string => `${baseOffset.toString().padStart(20, '0')}.log`
export const segmentNamePattern = /^(\d{20})\.log$/

export class Segment {
  readonly baseOffset: bigint
  readonly path: string
  readonly #files: LogFiles
  #file: Promise<LogFile> | null = null
  #closed = false
  #maxTimestamp = -1
  #size = 0
  #written = 0
  /** Offsets relative to the base, and the positions of their batches. */
  readonly #indexOffsets: number[] = []
  readonly #indexPositions: number[] = []

  constructor(files: LogFiles, directory: string, baseOffset: bigint) {
    this.#files = files
    this.baseOffset = baseOffset
    this.path = `${directory}/${segmentName(baseOffset)}`
  }

  /** Bytes that readers may see. */
  get size(): number {
    return this.#size
  }

  get sizeWritten(): number {
    return this.#written
  }

  /** Of all records, in ms; -1 when there are none. */
  get maxTimestamp(): number {
    return this.#maxTimestamp
  }

  /** Opened at the first use. */
  async file(): Promise<LogFile> {
    if (this.#closed) throw new LogError('STORAGE_ERROR', `${this.path} is closed`, 'stop')
    this.#file ??= this.#files.open(this.path)
    try {
      return await this.#file
    } catch (error) {
      this.#file = null
      throw error
    }
  }

  /** A new segment begins empty, whatever a crash left under its name. */
  async create(directory: string): Promise<void> {
    await (await this.file()).truncate(0)
    await this.#files.fsyncDirectory(directory)
  }

  async write(batches: readonly Buffer[]): Promise<void> {
    await (await this.file()).append(batches, this.#written)
    for (const batch of batches) this.#written += batch.length
  }

  /** Takes back what was written and not revealed. */
  async rollBack(): Promise<void> {
    await (await this.file()).truncate(this.#size)
    this.#written = this.#size
  }

  /** The written batch at `bytes[at]` becomes visible; in order. */
  reveal(bytes: Buffer, at: number): void {
    const [baseOffset, sizeBytes] = [baseOffsetOf(bytes, at), sizeOf(bytes, at)]
    this.#maxTimestamp = Math.max(this.#maxTimestamp, maxTimestampOf(bytes, at))
    const indexed = this.#indexPositions.at(-1)
    if (indexed === undefined || this.#size - indexed >= INDEX_INTERVAL_BYTES) {
      this.#indexOffsets.push(Number(baseOffset - this.baseOffset))
      this.#indexPositions.push(this.#size)
    }
    this.#size += sizeBytes
    if (this.#written < this.#size) this.#written = this.#size
  }

  async sync(): Promise<void> {
    await (await this.file()).fsync()
  }

  /** Whole batches that end at or after `from` and begin before `limit`: at least one if there is one, else empty. */
  async read(from: bigint, limit: bigint, maxBytes: number): Promise<Buffer> {
    const size = this.#size
    let position = this.#floor(from)
    let wanted = maxBytes + INDEX_INTERVAL_BYTES
    while (position < size) {
      const chunk = await (await this.file()).pread(position, Math.min(wanted, size - position))
      const start = this.#skip(chunk, from)
      const end = this.#take(chunk, start, limit, maxBytes)
      if (end > start) return chunk.subarray(start, end)
      const left = chunk.length - start
      if (left >= BATCH_HEADER_BYTES && baseOffsetOf(chunk, start) >= limit) break
      if (start === 0 && chunk.length < Math.min(wanted, size - position)) throw this.#bad(position)
      position += start
      wanted = left >= BATCH_HEADER_BYTES ? Math.max(wanted, sizeOf(chunk, start)) : wanted
    }
    return Buffer.alloc(0)
  }

  /** For good: a file of the same name may hold other bytes by then. */
  async close(): Promise<void> {
    this.#closed = true
    const file = this.#file
    this.#file = null
    if (file !== null) await (await file).close()
  }

  async remove(): Promise<void> {
    await this.close()
    await this.#files.remove(this.path)
  }

  /** Position of the last indexed batch that begins at or before `offset`. */
  #floor(offset: bigint): number {
    const wanted = Number(offset - this.baseOffset)
    let low = 0
    let high = this.#indexOffsets.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#indexOffsets[middle]! <= wanted) low = middle + 1
      else high = middle
    }
    return low === 0 ? 0 : this.#indexPositions[low - 1]!
  }

  /** Where the first batch that reaches `from` begins, or where the chunk's knowledge ends. */
  #skip(chunk: Buffer, from: bigint): number {
    let at = 0
    while (at + BATCH_HEADER_BYTES <= chunk.length && lastOffsetOf(chunk, at) < from) {
      const size = this.#sizeAt(chunk, at)
      if (at + size > chunk.length) break
      at += size
    }
    return at
  }

  #take(chunk: Buffer, start: number, limit: bigint, maxBytes: number): number {
    let end = start
    while (end + BATCH_HEADER_BYTES <= chunk.length && baseOffsetOf(chunk, end) < limit) {
      const next = end + this.#sizeAt(chunk, end)
      if (next > chunk.length || (end > start && next - start > maxBytes)) break
      end = next
    }
    return end
  }

  #sizeAt(chunk: Buffer, at: number): number {
    const size = sizeOf(chunk, at)
    if (size < BATCH_HEADER_BYTES) throw this.#bad(at)
    return size
  }

  #bad(at: number): LogError {
    return new LogError('STORAGE_ERROR', `${this.path}: no batch where one was written, near byte ${at}`, 'stop')
  }
}
