/** I9: the rows of each table are the fold of its topic up to the offset beside them, in the middle of things too. */

import { isDeepStrictEqual } from 'node:util'
import { BadRecord } from '../../../../topology/index.ts'
import type { AnyProjection, MemoryRow, PlacedChange } from '../../../../sinks/index.ts'
import { MemoryTables } from '../../../../sinks/index.ts'
import { checkedChange, checkedTime } from '../../../../sinks/row-check.ts'
import type { SeenRecord, Violation } from '../../program.ts'
import type { TablesAt } from '../first-light.ts'
import type { Seen } from '../seen.ts'
import { eventOf } from '../seen.ts'

export function projected(seen: Seen, projections: readonly AnyProjection[], looks: readonly TablesAt[]): Violation[] {
  return projections.flatMap((projection) => foldOf(seen, projection, looks))
}

/** Goes through the topic once, stopping at what each look says. */
function foldOf(seen: Seen, projection: AnyProjection, looks: readonly TablesAt[]): Violation[] {
  return looks.flatMap((look) => {
    const offsets = look.offsets.filter(({ sink }) => sink === projection.name)
    const model = new MemoryTables()
    const beyond: Violation[] = []
    for (const { topic, partition, nextOffset } of offsets) {
      const records = seen.log.committed(topic, partition)
      if (nextOffset > seen.log.end(topic, partition))
        beyond.push({
          invariant: 'I9',
          what: `${projection.name}: ${topic}-${partition}@${nextOffset} is beyond the log`,
        })
      apply(
        model,
        projection,
        partition,
        records.filter(({ offset }) => offset < nextOffset),
      )
    }
    return [
      ...beyond,
      ...projection.tables.flatMap((table) => differences(projection.name, table.name, look, model.rows(table))),
    ]
  })
}

function apply(
  model: MemoryTables,
  projection: AnyProjection,
  partition: number,
  records: readonly SeenRecord[],
): void {
  const source = {
    sink: projection.name,
    topic: projection.reads.name,
    partition,
    clusterId: '',
    topicId: '',
    partitions: 0,
  }
  const claim = model.claimNow(source, 0n)
  const changes = records.flatMap((record) => changesOf(projection, record))
  model.commitNow({ claim, from: 0n, next: 1n, changes })
}

function changesOf(projection: AnyProjection, record: SeenRecord): PlacedChange[] {
  const event = eventOf(record)
  if (event === null || !Object.hasOwn(projection.reads.events, event.event_type)) return []
  const { topic, partition, offset } = record
  try {
    const at = checkedTime(event.timestamp)
    return projection
      .apply(event as never, { topic, partition, offset })
      .map(checkedChange)
      .map((change) => ({ ...change, offset, at }))
  } catch (error) {
    if (error instanceof BadRecord) return []
    throw error
  }
}

function differences(projection: string, table: string, look: TablesAt, expected: readonly MemoryRow[]): Violation[] {
  const byKey = (rows: readonly MemoryRow[]): Map<string, MemoryRow> =>
    new Map(rows.map((row) => [JSON.stringify(row.key), row]))
  const [real, wanted] = [byKey(look.rows.get(table) ?? []), byKey(expected)]
  const keys = [...new Set([...real.keys(), ...wanted.keys()])]
  return keys
    .filter((key) => !isDeepStrictEqual(real.get(key), wanted.get(key)))
    .map((key) => ({
      invariant: 'I9',
      what: `${projection} at ${look.at}: row ${key} of ${table} is ${shown(real.get(key))}, its topic says ${shown(wanted.get(key))}`,
    }))
}

const shown = (row: MemoryRow | undefined): string =>
  row === undefined ? 'missing' : `${row.topic}-${row.partition}@${row.offset} ${JSON.stringify(row.values)}`
