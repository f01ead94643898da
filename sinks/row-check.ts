/** The edge between events and rows: a value that PostgreSQL would refuse is a bad record here, before its batch. */

import { BadRecord } from '../topology/index.ts'
import type { Json } from '../schemas/index.ts'
import type { Column, Row, RowChange, Table } from './table.ts'

const limits = { keyChars: 512, textChars: 1_000_000, lastInstant: 253_402_300_799_999 }
const uuidShape = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
/** In JSON text: an escaped NUL, or a surrogate without its pair (JSON.stringify escapes only those). */
const notInJsonb = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/

/** The change with every column there and every value checked. @throws BadRecord `bad_row` */
export function checkedChange(change: RowChange): RowChange {
  const { table } = change
  if (table.appendOnly && change.op !== 'put')
    throw new Error(`${table.name} is append-only: ${change.op} is not for it`)
  const key = checkedKey(table, change.key, change.op === 'remove-all')
  switch (change.op) {
    case 'put':
      return { ...change, key, values: checkedRow(table, Object.keys(table.columns), change.values) }
    case 'patch':
      return { ...change, key, values: checkedRow(table, definedIn(change.values), change.values) }
    default:
      return { ...change, key }
  }
}

const definedIn = (values: Row): string[] => Object.keys(values).filter((name) => values[name] !== undefined)

/** The event's time, as a time of the row. @throws BadRecord `bad_row` */
export function checkedTime(timestamp: number): number {
  if (isInstant(timestamp)) return timestamp
  throw new BadRecord('bad_row', `timestamp ${timestamp} is not a time`)
}

function checkedKey(table: Table, key: Row, isPrefix: boolean): Row {
  const names = Object.keys(table.key)
  const given = isPrefix ? names.slice(0, definedIn(key).length) : names
  return Object.fromEntries(
    given.map((name) => {
      const value = checked(table, name, table.key[name], key[name] ?? null)
      if (typeof value === 'string' && value.length > limits.keyChars)
        throw bad(table, name, `longer than ${limits.keyChars} characters`)
      return [name, typeof value === 'string' && table.key[name]?.type === 'uuid' ? value.toLowerCase() : value]
    }),
  )
}

const checkedRow = (table: Table, names: readonly string[], values: Row): Row =>
  Object.fromEntries(names.map((name) => [name, checked(table, name, table.columns[name], values[name] ?? null)]))

function checked(table: Table, name: string, column: Column<unknown> | undefined, value: Json): Json {
  if (!column) throw bad(table, name, 'no such column')
  if (value === null) {
    if (column.nullable) return null
    throw bad(table, name, 'missing')
  }
  const fault = faultOf(column, value)
  if (fault !== null) throw bad(table, name, fault)
  return column.type === 'uuid' ? (value as string).toLowerCase() : value
}

function faultOf({ type }: Column<unknown>, value: Json): string | null {
  switch (type) {
    case 'uuid':
      return typeof value === 'string' && uuidShape.test(value) ? null : 'not a UUID'
    case 'text':
      return typeof value === 'string' ? textFault(value) : 'not text'
    case 'boolean':
      return typeof value === 'boolean' ? null : 'not true or false'
    case 'int':
      return typeof value === 'number' && (value | 0) === value ? null : 'not a 32-bit integer'
    case 'bigint':
      return Number.isSafeInteger(value) ? null : 'not an exact integer'
    case 'double':
      return Number.isFinite(value) ? null : 'not a finite number'
    case 'instant':
      return isInstant(value) ? null : 'not a time'
    case 'json':
      return jsonFault(JSON.stringify(value))
  }
}

const isInstant = (value: Json): boolean =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= limits.lastInstant

const textFault = (value: string): string | null =>
  value.length > limits.textChars ? 'too long' : value.includes('\0') || !value.isWellFormed() ? 'not clean text' : null

const jsonFault = (value: string): string | null =>
  value.length > limits.textChars ? 'too long' : notInJsonb.test(value) ? 'holds text that is not clean' : null

const bad = (table: Table, name: string, why: string): BadRecord =>
  new BadRecord('bad_row', `${table.name}.${name}: ${why}`)
