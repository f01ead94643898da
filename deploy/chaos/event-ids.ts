/** Every event id occurs once, over all event topics: the sum of all the promises of exactly once. */

import type { Log } from '../../connectors/kafka/index.ts'
import { RecordCursor } from '../../connectors/kafka/index.ts'

export interface EventIds {
  readonly events: number
  /** One line per id that occurs again: where first, where then. */
  readonly repeated: readonly string[]
}

/** Reads the topics as a read_committed consumer does. @throws Error when a record has no readable event id */
export async function collectEventIds(log: Log, topics: readonly string[]): Promise<EventIds> {
  const seen = new Map<string, string>()
  const repeated: string[] = []
  let events = 0
  for (const { name, partitions } of await log.metadata(topics)) {
    for (let partition = 0; partition < partitions; partition++) {
      for await (const { offset, value } of records(log, name, partition)) {
        const place = `${name}-${partition}@${offset}`
        const id = eventIdOf(value, place)
        const before = seen.get(id)
        if (before === undefined) seen.set(id, place)
        else repeated.push(`event ${id} stands at ${before} and at ${place}`)
        events += 1
      }
    }
  }
  return { events, repeated }
}

async function* records(log: Log, topic: string, partition: number): AsyncGenerator<{ offset: bigint; value: Buffer }> {
  const [end = 0n] = await log.listOffsets([{ topic, partition }], 'stable')
  let [offset = 0n] = await log.listOffsets([{ topic, partition }], 'earliest')
  while (offset < end) {
    const partitions = [{ topic, partition, offset, maxBytes: 4 * 1024 * 1024 }]
    const [fetched] = await log.fetch({ partitions, isolation: 'read_committed', maxWaitMs: 0 })
    if (fetched === undefined || fetched.error !== null)
      throw new Error(`${topic}-${partition}@${offset}: ${fetched?.error ?? 'nothing fetched'}`)
    const cursor = new RecordCursor(fetched, offset, 'read_committed')
    while (cursor.next()) {
      const value = cursor.value()
      if (value !== null) yield { offset: cursor.offset, value }
    }
    if (cursor.nextOffset === offset) throw new Error(`${topic}-${partition} has a hole at ${offset}`)
    offset = cursor.nextOffset
  }
}

const framingBytes = 5

/**
 * The first field of every envelope, read without its schema: after Confluent's frame (0 and a schema id) stands an Avro
 * string, which is a zigzag length and UTF-8.
 */
export function eventIdOf(value: Buffer, place = 'record'): string {
  if (value.length <= framingBytes || value[0] !== 0) throw new Error(`${place}: not in Confluent framing`)
  let length = 0
  let at = framingBytes
  for (let shift = 0; ; shift += 7) {
    const byte = value[at++]
    if (byte === undefined || shift > 28) throw new Error(`${place}: no event id`)
    length |= (byte & 0x7f) << shift
    if (byte < 0x80) break
  }
  const bytes = (length >>> 1) ^ -(length & 1)
  if (bytes <= 0 || at + bytes > value.length) throw new Error(`${place}: no event id`)
  return value.toString('utf8', at, at + bytes)
}
