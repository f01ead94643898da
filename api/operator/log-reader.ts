/** Reads topics for people: committed records, a bounded page at a time, moving nobody's offsets. */

import type { Header, Log } from '../../connectors/kafka/index.ts'
import { RecordCursor, endOffset } from '../../connectors/kafka/index.ts'

export interface LogRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
}

export interface LogPage {
  readonly records: readonly LogRecord[]
  /** Where the next page begins. */
  readonly next: bigint
}

export interface Bounds {
  readonly start: bigint
  /** The last stable offset: what is committed is before it. */
  readonly end: bigint
}

const pageBytes = 1024 * 1024
/** Of the records of one page, roughly: the one that passes it is the last. */
const mostBytes = 4 * 1024 * 1024

/** What stands in a partition. */
export async function boundsOf(log: Log, topic: string, partition: number): Promise<Bounds> {
  const place = [{ topic, partition }]
  const [[start = 0n], [end = 0n]] = await Promise.all([
    log.listOffsets(place, 'earliest'),
    log.listOffsets(place, 'stable'),
  ])
  return { start, end }
}

/** At most `limit` records from `from` on; copies, so that the fetched bytes need not stay. */
export async function readPage(
  log: Log,
  place: { readonly topic: string; readonly partition: number },
  from: bigint,
  limit: number,
): Promise<LogPage> {
  const records: LogRecord[] = []
  const { start, end } = await boundsOf(log, place.topic, place.partition)
  let next = from > start ? from : start
  let bytes = 0
  const isFull = (): boolean => records.length === limit || bytes > mostBytes
  while (!isFull() && next < end) {
    const [fetched] = await log.fetch({
      partitions: [{ ...place, offset: next, maxBytes: pageBytes }],
      isolation: 'read_committed',
      maxWaitMs: 0,
    })
    const last = fetched === undefined ? null : endOffset(fetched.batches)
    if (fetched === undefined || last === null || last <= next) break
    const cursor = new RecordCursor(fetched, next, 'read_committed')
    next = last
    while (cursor.next()) {
      if (isFull()) {
        next = cursor.offset
        break
      }
      const record = copied(place, cursor)
      bytes += record.value?.length ?? 0
      records.push(record)
    }
  }
  return { records, next }
}

function copied(place: { readonly topic: string; readonly partition: number }, cursor: RecordCursor): LogRecord {
  const copy = (bytes: Buffer | null): Buffer | null => (bytes === null ? null : Buffer.from(bytes))
  return {
    ...place,
    offset: cursor.offset,
    timestamp: cursor.timestamp,
    key: copy(cursor.key()),
    value: copy(cursor.value()),
    headers: cursor.headers().map(({ key, value }) => ({ key, value: Buffer.from(value) })),
  }
}

/** The one record at an offset; null when there is none any more. */
export async function readAt(log: Log, topic: string, partition: number, offset: bigint): Promise<LogRecord | null> {
  const { start, end } = await boundsOf(log, topic, partition)
  if (offset < start || offset >= end) return null
  const { records } = await readPage(log, { topic, partition }, offset, 1)
  const [record] = records
  return record?.offset === offset ? record : null
}

/**
 * Where records of a time begin: the offset before which the times looked at are earlier. Times are event times and need not
 * rise, so it is where to begin to look, not a promise.
 */
export async function offsetAtTime(log: Log, topic: string, partition: number, timeMs: number): Promise<bigint> {
  let { start: low, end: high } = await boundsOf(log, topic, partition)
  while (low < high) {
    const middle = (low + high) >> 1n
    const [record] = (await readPage(log, { topic, partition }, middle, 1)).records
    if (record === undefined || record.timestamp >= timeMs) high = middle
    else low = record.offset + 1n
  }
  return low
}

/** Any timestamp a record can bear, as text. */
export function timeText(ms: number): string {
  const time = new Date(ms)
  return Number.isNaN(time.getTime()) ? new Date(0).toISOString() : time.toISOString()
}
