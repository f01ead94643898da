/**
 * Which input offsets of an async operator are open, and which were when the run before ended (A2, A7).
 *
 *   done store      topic 0x00 partition 4 -> next offset 8, then the open offsets below it, 8 each
 */

import type { KeyValueStore } from '../../state-stores/index.ts'
import type { RecordOrigin } from '../graph/record.ts'

export class OpenOffsets {
  readonly #done: KeyValueStore
  /** Open offsets per input partition, ascending. */
  readonly #open = new Map<string, Set<bigint>>()
  /** The stretch that is read again after a restart, per input partition. */
  readonly #resume = new Map<string, { readonly next: bigint; readonly open: ReadonlySet<bigint> }>()

  /** @param ends where each input partition ended when the task opened, by `topic-partition` */
  constructor(done: KeyValueStore, ends: ReadonlyMap<string, bigint>) {
    this.#done = done
    for (const [row, value] of done.range()) {
      const [reached, ...open] = readOffsets(value)
      const split = row.length - 5
      const place = `${row.toString('utf8', 0, split)}-${row.readInt32BE(split + 1)}`
      if (reached === undefined) continue
      const end = ends.get(place) ?? reached
      const next = end < reached ? end : reached
      this.#resume.set(place, { next, open: new Set(open.filter((offset) => offset < next)) })
    }
  }

  /** True while offsets from before a restart are read again (A7). */
  get isResuming(): boolean {
    return this.#resume.size > 0
  }

  /** True when a re-read record was done before the restart (A2). */
  wasDone(topic: string, partition: number, offset: bigint): boolean {
    const resume = this.#resume.get(`${topic}-${partition}`)
    return resume !== undefined && offset < resume.next && !resume.open.has(offset)
  }

  wasOpen({ topic, partition, offset }: RecordOrigin): boolean {
    return this.#resume.get(`${topic}-${partition}`)?.open.has(offset) ?? false
  }

  /** The task has read a partition up to `position`: what was open before a restart is held again (A7). */
  reached(topic: string, partition: number, position: bigint): void {
    const place = `${topic}-${partition}`
    const resume = this.#resume.get(place)
    if (resume !== undefined && position >= resume.next) this.#resume.delete(place)
  }

  add({ topic, partition, offset }: RecordOrigin): void {
    const place = `${topic}-${partition}`
    const open = this.#open.get(place)
    if (open === undefined) this.#open.set(place, new Set([offset]))
    else open.add(offset)
  }

  remove({ topic, partition, offset }: RecordOrigin): void {
    this.#open.get(`${topic}-${partition}`)?.delete(offset)
  }

  /** The lowest offset of a partition that may not be committed past; null when none is open. */
  lowest(topic: string, partition: number): bigint | null {
    const open = this.#open.get(`${topic}-${partition}`)
    if (open === undefined) return null
    for (const offset of open) return offset
    return null
  }

  /** Writes which offsets below `next` are still open, if any is; part of the commit. */
  write(topic: string, partition: number, next: bigint): void {
    const row = doneRow(topic, partition)
    const open = [...(this.#open.get(`${topic}-${partition}`) ?? [])]
    const resume = this.#resume.get(`${topic}-${partition}`)
    if (resume !== undefined && next < resume.next) {
      // Still inside the stretch read again: what was open there and was not reached yet stays open.
      for (const offset of resume.open) if (offset >= next) open.push(offset)
      this.#done.put(row, offsetList(resume.next, open))
    } else if (open.length > 0) {
      this.#done.put(row, offsetList(next, open))
    } else if (this.#done.get(row) !== undefined) {
      this.#done.delete(row)
    }
  }
}

function doneRow(topic: string, partition: number): Buffer {
  const row = Buffer.alloc(Buffer.byteLength(topic) + 5)
  row.write(topic, 0)
  row.writeInt32BE(partition, row.length - 4)
  return row
}

/** Numbers of 8 bytes, one after the other. */
export function offsetList(first: bigint, rest: readonly bigint[]): Buffer {
  const list = Buffer.allocUnsafe(8 * (rest.length + 1))
  list.writeBigInt64BE(first, 0)
  rest.forEach((offset, index) => list.writeBigInt64BE(offset, 8 * (index + 1)))
  return list
}

export function readOffsets(list: Buffer): bigint[] {
  const offsets: bigint[] = []
  for (let at = 0; at < list.length; at += 8) offsets.push(list.readBigInt64BE(at))
  return offsets
}
