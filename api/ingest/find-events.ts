/**
 * Looks in the log whether events were written: the answer to "did the append I do not know the end of succeed?". Right only
 * after the producer in question was fenced, because then nothing of it can follow.
 */

import type { Log, TopicPartition } from '../../connectors/kafka/index.ts'
import { endOffset, positionText, RecordCursor } from '../../connectors/kafka/index.ts'
import type { Clock } from '../../topology/clock.ts'
import type { EndOffsets } from './reservations.ts'
import { logUnavailable } from './trouble.ts'

const fetchBytes = 1024 * 1024
const fetchWaitMs = 100
/** How long somebody else's open transaction may keep us from reading on, in ms. */
const patienceMs = 5_000

/** The position of each event that is committed, by event id. @throws ApiProblem 503 when the end cannot be reached in time */
export async function findEvents(
  log: Log,
  from: EndOffsets,
  eventIds: readonly string[],
  clock: Clock,
): Promise<ReadonlyMap<string, string>> {
  const wanted = new Set(eventIds)
  const found = new Map<string, string>()
  const partitions = [...from].map(([place, offset]) => ({ ...partitionOf(place), offset }))
  const ends = await log.listOffsets(partitions, 'latest')
  const giveUpAt = clock.now() + patienceMs
  for (const [index, partition] of partitions.entries()) {
    let offset = partition.offset
    while (offset < ends[index]! && found.size < wanted.size) {
      if (clock.now() > giveUpAt) throw logUnavailable()
      offset = await scanOnce(log, { ...partition, offset }, wanted, found)
    }
  }
  return found
}

async function scanOnce(
  log: Log,
  at: TopicPartition & { readonly offset: bigint },
  wanted: ReadonlySet<string>,
  found: Map<string, string>,
): Promise<bigint> {
  const isolation = 'read_committed'
  const [fetched] = await log.fetch({
    partitions: [{ ...at, maxBytes: fetchBytes }],
    isolation,
    maxWaitMs: fetchWaitMs,
  })
  if (fetched === undefined) throw logUnavailable()
  // Retention has passed over the place: what was written there is gone, and so is anyone's interest in it.
  if (fetched.error === 'OFFSET_OUT_OF_RANGE' && fetched.logStartOffset > at.offset) return fetched.logStartOffset
  if (fetched.error !== null) throw logUnavailable()
  const cursor = new RecordCursor(fetched, at.offset, isolation)
  while (cursor.next()) {
    const value = cursor.value()
    const eventId = value === null ? null : eventIdOf(value)
    if (eventId !== null && wanted.has(eventId)) found.set(eventId, positionText({ ...at, offset: cursor.offset }))
  }
  return endOffset(fetched.batches) ?? cursor.nextOffset
}

/** Confluent frame, then Avro; the envelope comes first, and first in it the event id: a length, here always 36, and text. */
function eventIdOf(value: Buffer): string | null {
  const lengthAt = 5
  const length = 36
  if (value.length < lengthAt + 1 + length || value[lengthAt] !== length * 2) return null
  return value.toString('latin1', lengthAt + 1, lengthAt + 1 + length)
}

export const placeText = ({ topic, partition }: TopicPartition): string => `${topic}-${String(partition)}`

function partitionOf(place: string): TopicPartition {
  const dash = place.lastIndexOf('-')
  return { topic: place.slice(0, dash), partition: Number(place.slice(dash + 1)) }
}
