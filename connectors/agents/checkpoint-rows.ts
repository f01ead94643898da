/**
 * Where the checkpoints of graph runs stand: rows of an ordered key-value store, so a keyed, changelogged state store is
 * all they need.
 *
 *   c · thread · ns · checkpoint                  a checkpoint without its values, its metadata, its parent
 *   b · thread · ns · channel · version           the value of a channel that this version was written with
 *   w · thread · ns · checkpoint · task           what a task of the step after a checkpoint has written
 *
 * Parts of a key are text, with a zero byte between them.
 */

export interface RowRange {
  /** First key, inclusive. */
  readonly gte: Buffer
  /** End key, exclusive. */
  readonly lt: Buffer
  readonly reverse?: boolean
  readonly limit?: number
}

export interface CheckpointRow {
  readonly key: Buffer
  /** Null deletes. */
  readonly value: Buffer | null
}

/** A store of such rows. Keys compare as unsigned bytes. */
export interface CheckpointRows {
  get(key: Buffer): Buffer | undefined
  range(range: RowRange): Iterable<readonly [key: Buffer, value: Buffer]>
  /** One batch: all of it at once. */
  write(rows: readonly CheckpointRow[]): void
}

export type RowKind = 'c' | 'b' | 'w'

const separator = '\0'

/** @throws Error when a part holds a zero byte */
export function rowKey(kind: RowKind, ...parts: readonly (string | number)[]): Buffer {
  return Buffer.from([kind, ...parts.map(keyPart)].join(separator), 'utf8')
}

/** All rows whose key begins with these parts. */
export function rowsUnder(kind: RowKind, ...parts: readonly string[]): RowRange {
  const gte = Buffer.from([kind, ...parts.map(keyPart), ''].join(separator), 'utf8')
  const lt = Buffer.from(gte)
  lt[lt.length - 1] = separator.charCodeAt(0) + 1
  return { gte, lt }
}

/** The parts of a key after its kind. */
export const keyParts = (key: Buffer): string[] => key.toString('utf8').split(separator).slice(1)

/** Every row of a thread. */
export const rowsOfThread = (thread: string): RowRange[] =>
  (['c', 'b', 'w'] as const).map((kind) => rowsUnder(kind, thread))

function keyPart(part: string | number): string {
  const text = String(part)
  if (text.includes(separator)) throw new Error('an id in the key of a checkpoint holds a zero byte')
  return text
}
