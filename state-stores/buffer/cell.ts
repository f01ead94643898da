/**
 * One key of one store with all its layers, found by one look-up.
 *
 * Bytes are held as latin1 strings (a character per byte): immutable, one compact heap object each, good Map keys, and in
 * the order of unsigned bytes. A Buffer per row would cost twice the time and pin 64 KiB pools or fetch buffers; figures
 * in DESIGN.md.
 */

import type { StoreBuffer } from './store-buffer.ts'
import type { KeyOrder } from './key-order.ts'

/** A row's bytes; null is a deleted row; undefined means not read yet, what counts is on disk. */
export type Held = string | null | undefined

/** Written by the open transaction; `value` is what it wrote, `below` what is committed. */
export const UNCOMMITTED = 1
/** Committed and not on disk. */
export const UNFLUSHED = 2
/** Committed and in the batch that is being written right now. */
export const FLUSHING = 4
/** In any layer above the disk: must stay in memory, and a range must merge it. */
export const LAYERED = UNCOMMITTED | UNFLUSHED | FLUSHING
/** Read since the clean cache last looked at it. */
export const TOUCHED = 8
/** Stands in the clean cache's queue. */
export const QUEUED = 16

export class Cell {
  readonly store: StoreBuffer
  readonly id: string
  /** What a step sees. Undefined only while the cell is being made. */
  value: Held = undefined
  /** The committed value under an uncommitted one. Undefined: on disk, or nothing is uncommitted. */
  below: Held = undefined
  flags = 0
  /** The savepoint before which this value was last saved for undo. */
  savedAt = 0
  /** The key order it was entered in. */
  order: KeyOrder | null = null
  constructor(store: StoreBuffer, id: string) {
    this.store = store
    this.id = id
  }
}

/** Heap bytes of a cell besides the characters of its key and value: object, two string headers, map entry (measured). */
const CELL_BYTES = 176

export const sizeOf = (value: Held): number => (typeof value === 'string' ? value.length : 0)

export const weightOf = (cell: Cell, value: Held): number => CELL_BYTES + cell.id.length + sizeOf(value)

export const committedOf = (cell: Cell): Held => (cell.flags & UNCOMMITTED ? cell.below : cell.value)

/** Bytes to their held form: a copy, so nothing of the caller's buffer is kept. */
export const hold = (bytes: Buffer): string => bytes.toString('latin1')

/** A fresh buffer, the caller's own. */
export const release = (held: string): Buffer => Buffer.from(held, 'latin1')
