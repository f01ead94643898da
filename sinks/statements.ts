/** The statements that carry a wave to PostgreSQL: one per table for puts and removes, one per set of patched columns. */

import type { Json } from '../schemas/index.ts'
import type { RowWrite, TableClear, Wave } from './fold.ts'
import type { ColumnType, Row, Table } from './table.ts'
import type { SinkSource } from './table-port.ts'

export interface Statement {
  readonly text: string
  readonly values: readonly unknown[]
}

const sqlTypes: Readonly<Record<ColumnType, string>> = {
  uuid: 'uuid',
  text: 'text',
  boolean: 'boolean',
  int: 'int4',
  bigint: 'int8',
  double: 'float8',
  instant: 'timestamptz',
  json: 'jsonb',
}

/** A column of the rows handed over: its name, its type, and its value in each row. */
interface Given {
  readonly name: string
  readonly type: ColumnType
  readonly values: readonly Json[]
}

export function statementsOf(wave: Wave, source: SinkSource): readonly Statement[] {
  const groups = new Map<string, RowWrite[]>()
  for (const row of wave.rows.values()) {
    const columns = row.op === 'patch' ? [row.whileEmpty ?? '', ...Object.keys(row.values)].join() : 'row'
    const group = `${row.table.name} ${columns}`
    const rows = groups.get(group)
    if (rows) rows.push(row)
    else groups.set(group, [row])
  }
  const writes = [...groups.values()].map((rows) =>
    rows[0]!.op === 'patch' ? patchStatement(rows, source) : writeStatement(rows, source),
  )
  return [...wave.clears.map((clear) => clearStatement(clear, source)), ...writes]
}

/** Puts and removes: the whole row or its tombstone. */
function writeStatement(rows: readonly RowWrite[], source: SinkSource): Statement {
  const { table } = rows[0]!
  const given = [
    ...keyColumns(table, rows),
    ...Object.entries(table.columns).map(([name, { type }]) => ({
      name,
      type,
      values: rows.map((row) => valueOf(row, name)),
    })),
    ...placeColumns(rows, source),
    { name: 'deleted_at', type: 'instant' as const, values: rows.map((row) => (row.op === 'remove' ? row.at : null)) },
  ]
  const names = given.map(({ name }) => name)
  const changed = names.filter((name) => !(name in table.key))
  const { from, values } = unnest(given)
  const conflict = table.appendOnly
    ? 'do nothing'
    : `do update set ${changed.map((name) => `${name} = excluded.${name}`).join(', ')} where excluded.src_offset > t.src_offset${bestCondition(table)}`
  return {
    text: `insert into lifecycle.${table.name} as t (${names.join(', ')}) select ${names.join(', ')} from ${from} on conflict (${Object.keys(table.key).join(', ')}) ${conflict}`,
    values,
  }
}

function bestCondition({ best }: Table): string {
  if (best === null) return ''
  const { column, staleAfterMs } = best
  return ` and (excluded.deleted_at is not null or t.deleted_at is not null or excluded.${column} >= t.${column} or excluded.changed_at > t.changed_at + interval '${staleAfterMs} milliseconds')`
}

function patchStatement(rows: readonly RowWrite[], source: SinkSource): Statement {
  const { table, values: first, whileEmpty } = rows[0] as Extract<RowWrite, { values: Row }>
  const given = [
    ...keyColumns(table, rows),
    ...Object.keys(first).map((name) => ({
      name,
      type: table.columns[name]!.type,
      values: rows.map((row) => valueOf(row, name)),
    })),
    ...placeColumns(rows, source),
  ]
  const changed = given.filter(({ name }) => !(name in table.key)).map(({ name }) => `${name} = v.${name}`)
  const same = Object.keys(table.key).map((name) => `t.${name} = v.${name}`)
  const { from, values } = unnest(given)
  const empty = whileEmpty === undefined ? '' : ` and t.${whileEmpty} is null`
  return {
    text: `update lifecycle.${table.name} as t set ${changed.join(', ')} from ${from} where ${same.join(' and ')} and v.src_offset > t.src_offset and t.deleted_at is null${empty}`,
    values,
  }
}

/** Tombstones for the live rows below a key prefix. */
function clearStatement({ table, key, offset, at }: TableClear, { topic, partition }: SinkSource): Statement {
  const emptied = Object.keys(table.columns).map((name) => `${name} = null`)
  const prefix = Object.keys(key).map((name, i) => `${name} = $${i + 5}`)
  return {
    text: `update lifecycle.${table.name} set ${[...emptied, 'src_topic = $1', 'src_part = $2', 'src_offset = $3', 'changed_at = $4', 'deleted_at = $4'].join(', ')} where ${prefix.join(' and ')} and deleted_at is null and src_offset < $3`,
    values: [topic, partition, String(offset), new Date(at).toISOString(), ...Object.values(key)],
  }
}

const valueOf = (row: RowWrite, name: string): Json => (row.op === 'remove' ? null : (row.values[name] ?? null))

const keyColumns = (table: Table, rows: readonly RowWrite[]): Given[] =>
  Object.entries(table.key).map(([name, { type }]) => ({
    name,
    type,
    values: rows.map(({ key }) => key[name] ?? null),
  }))

const placeColumns = (rows: readonly RowWrite[], { topic, partition }: SinkSource): Given[] => [
  { name: 'src_topic', type: 'text', values: rows.map(() => topic) },
  { name: 'src_part', type: 'int', values: rows.map(() => partition) },
  { name: 'src_offset', type: 'bigint', values: rows.map(({ offset }) => String(offset)) },
  { name: 'changed_at', type: 'instant', values: rows.map(({ at }) => at) },
]

/** The rows as one relation `v`: an array parameter per column. JSON travels as text and is parsed there. */
function unnest(given: readonly Given[]): { from: string; values: readonly unknown[] } {
  const parameters = given.map(({ type }, i) => `$${i + 1}::${type === 'json' ? 'text' : sqlTypes[type]}[]`)
  const columns = given.map(({ name, type }) => (type === 'json' ? `${name}::jsonb as ${name}` : name))
  const from = `(select ${columns.join(', ')} from unnest(${parameters.join(', ')}) as u(${given.map(({ name }) => name).join(', ')})) as v`
  return { from, values: given.map(({ type, values }) => values.map((value) => onWire(type, value))) }
}

function onWire(type: ColumnType, value: Json): unknown {
  if (value === null) return null
  if (type === 'instant') return new Date(value as number).toISOString()
  return type === 'json' ? JSON.stringify(value) : value
}
