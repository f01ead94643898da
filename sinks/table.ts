/**
 * A projected table as data: its key, its columns, and what a change to one of its rows looks like. `deploy/sql` holds
 * the same tables for PostgreSQL; a test compares the two.
 *
 * Every table also has src_topic, src_part, src_offset (the record that last changed the row), changed_at (its time) and
 * deleted_at (set in a tombstone).
 */

import type { Json } from '../schemas/index.ts'

export type ColumnType = 'uuid' | 'text' | 'boolean' | 'int' | 'bigint' | 'double' | 'instant' | 'json'

export interface Column<T> {
  readonly type: ColumnType
  readonly nullable: boolean
  /** Emptied when a tenant is erased. */
  readonly personal: boolean
  /** Type level only: never set. */
  readonly value?: T
}

const column = <T>(type: ColumnType): Column<T> => Object.freeze({ type, nullable: false, personal: false })

export const uuid = column<string>('uuid')
export const text = column<string>('text')
export const flag = column<boolean>('boolean')
/** 32-bit. */
export const count = column<number>('int')
/** 64-bit; safe integers in code. */
export const long = column<number>('bigint')
export const double = column<number>('double')
/** Milliseconds since the epoch in code, timestamptz in SQL. */
export const instant = column<number>('instant')
export const json = column<Json>('json')
export const nullable = <T>(of: Column<T>): Column<T | null> =>
  Object.freeze({ ...of, nullable: true }) as Column<T | null>
/** About a person: null once the tenant is erased. */
export const personal = <T>(of: Column<T>): Column<T | null> =>
  Object.freeze({ ...of, nullable: true, personal: true }) as Column<T | null>

export type Columns = Readonly<Record<string, Column<unknown>>>
type ValueOf<C> = C extends Column<infer T> ? T : never
type NullableKeys<C extends Columns> = { [K in keyof C]: null extends ValueOf<C[K]> ? K : never }[keyof C]
/** A whole row; what may be null may be left out. */
export type ValuesOf<C extends Columns> = { readonly [K in Exclude<keyof C, NullableKeys<C>>]: ValueOf<C[K]> } & {
  readonly [K in NullableKeys<C>]?: ValueOf<C[K]>
}

export interface Table<K extends Columns = Columns, C extends Columns = Columns> {
  /** In schema `lifecycle`. */
  readonly name: string
  /** The primary key, tenant_id first. */
  readonly key: K
  readonly columns: C
  /** Rows are never changed: a second write under the same key is ignored. */
  readonly appendOnly: boolean
  /** A put replaces a live row only when its value in `column` is not lower, or the row is older than `staleAfterMs`. */
  readonly best: { readonly column: string; readonly staleAfterMs: number } | null
}

export function defineTable<const K extends Columns, const C extends Columns>(
  name: string,
  definition: { readonly key: K; readonly columns: C; readonly appendOnly?: boolean; readonly best?: Table['best'] },
): Table<K, C> {
  return Object.freeze({ appendOnly: false, best: null, ...definition, name })
}

export type Row = Readonly<Record<string, Json>>

/**
 * What happens to rows because of one event.
 * put: the whole row, made or replaced (also over a tombstone). patch: some columns of a live row, else nothing; with
 * `whileEmpty` only as long as that column holds nothing.
 * remove: a tombstone. remove-all: tombstones for the live rows whose key begins with this.
 */
export type RowChange =
  | {
      readonly op: 'put' | 'patch'
      readonly table: Table
      readonly key: Row
      readonly values: Row
      readonly whileEmpty?: string
    }
  | { readonly op: 'remove'; readonly table: Table; readonly key: Row }
  | { readonly op: 'remove-all'; readonly table: Table; readonly key: Row }

export const put = <K extends Columns, C extends Columns>(
  table: Table<K, C>,
  key: ValuesOf<K>,
  values: ValuesOf<C>,
): RowChange => ({
  op: 'put',
  table,
  key: key as Row,
  values: values as Row,
})

export const patch = <K extends Columns, C extends Columns>(
  table: Table<K, C>,
  key: ValuesOf<K>,
  values: Partial<ValuesOf<C>>,
): RowChange => ({ op: 'patch', table, key: key as Row, values: values as Row })

/** A patch of a row that holds nothing in a column yet, such as when it ended. */
export const patchWhile = <K extends Columns, C extends Columns>(
  table: Table<K, C>,
  key: ValuesOf<K>,
  values: Partial<ValuesOf<C>>,
  whileEmpty: NullableKeys<C> & string,
): RowChange => ({ op: 'patch', table, key: key as Row, values: values as Row, whileEmpty })

export const remove = <K extends Columns, C extends Columns>(table: Table<K, C>, key: ValuesOf<K>): RowChange => ({
  op: 'remove',
  table,
  key: key as Row,
})

export const removeAll = <K extends Columns, C extends Columns>(
  table: Table<K, C>,
  key: Partial<ValuesOf<K>>,
): RowChange => ({
  op: 'remove-all',
  table,
  key: key as Row,
})
