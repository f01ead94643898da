/** Fetched bytes to row changes: what each record does, or why it cannot be used. Touches nothing outside. */

import type { FetchedPartition, Header } from '../connectors/kafka/index.ts'
import { RecordCursor } from '../connectors/kafka/index.ts'
import type { AnyEvent } from '../schemas/index.ts'
import type { Serde } from '../topology/index.ts'
import { BadRecord } from '../topology/index.ts'
import { assertRowsDiffer } from './fold.ts'
import type { AnyProjection } from './projection.ts'
import { checkedChange, checkedTime } from './row-check.ts'
import type { PlacedChange } from './table-port.ts'

/** A record as it stands in the log; views into the fetched bytes. */
export interface RawRecord {
  readonly offset: bigint
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
}

export interface Reason {
  readonly reason: string
  readonly message: string
}

/** What one record does. `dead` set: nothing, and it is to be set aside. */
export interface Judged {
  readonly record: RawRecord
  readonly changes: readonly PlacedChange[]
  readonly dead: Reason | null
  /** An event type this version does not know. */
  readonly unknown: boolean
}

export interface JudgedPartition {
  readonly records: readonly Judged[]
  /** The offset after all that was fetched, markers and aborted records included. */
  readonly next: bigint
}

/** @throws whatever `prepare` throws: trouble (a registry or key service is away), to be tried again */
export async function judge(
  projection: AnyProjection,
  serde: Serde<AnyEvent>,
  fetched: FetchedPartition,
  from: bigint,
): Promise<JudgedPartition> {
  const cursor = new RecordCursor(fetched, from, 'read_committed')
  const raw: RawRecord[] = []
  while (cursor.next()) {
    raw.push({
      offset: cursor.offset,
      timestamp: cursor.timestamp,
      key: cursor.key(),
      value: cursor.value(),
      headers: cursor.headers(),
    })
  }
  if (raw.length > 0) await serde.prepare?.(raw)
  return { records: raw.map((record) => judgeOne(projection, serde, fetched, record)), next: cursor.nextOffset }
}

const nothing: readonly PlacedChange[] = []

function judgeOne(
  projection: AnyProjection,
  serde: Serde<AnyEvent>,
  { topic, partition }: FetchedPartition,
  record: RawRecord,
): Judged {
  const dead = (reason: string, message: string): Judged => ({
    record,
    changes: nothing,
    dead: { reason, message },
    unknown: false,
  })
  if (record.value === null) return dead('no_value', 'the record has no value')
  let event: AnyEvent
  try {
    event = serde.deserialize(record.value, record.key)
  } catch (error) {
    if (error instanceof BadRecord) return dead(error.reason, error.message)
    throw error
  }
  if (!Object.hasOwn(projection.reads.events, event.event_type))
    return { record, changes: nothing, dead: null, unknown: true }
  try {
    const changes = projection.apply(event as never, { topic, partition, offset: record.offset }).map(checkedChange)
    assertRowsDiffer(changes)
    const at = checkedTime(event.timestamp)
    const placed = changes.map((change) => ({ ...change, offset: record.offset, at }))
    return { record, changes: placed, dead: null, unknown: false }
  } catch (error) {
    if (error instanceof BadRecord) return dead(error.reason, error.message)
    return dead('apply_failed', error instanceof Error ? `${error.name}: ${error.message}` : String(error))
  }
}

/** A refused batch in two; a record alone becomes a dead letter. Records without changes go with the others. */
export function halves(records: readonly Judged[], next: bigint, reason: string): readonly JudgedPartition[] {
  const changing = records.filter(({ changes }) => changes.length > 0)
  if (changing.length === 0) throw new Error(`a batch without rows was refused: ${reason}`)
  if (changing.length === 1) {
    const refused = changing[0]
    const dead = { reason: 'row_rejected', message: reason }
    return [
      { records: records.map((judged) => (judged === refused ? { ...judged, changes: [], dead } : judged)), next },
    ]
  }
  const middle = records.indexOf(changing[changing.length >> 1]!)
  return [
    { records: records.slice(0, middle), next: records[middle]!.record.offset },
    { records: records.slice(middle), next },
  ]
}
