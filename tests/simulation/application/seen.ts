/** What stands in the log, read as events: the ground that the checks stand on. */

import type { AnyEvent } from '../../../schemas/index.ts'
import { tenantOfKey } from '../../../schemas/index.ts'
import { BadRecord } from '../../../topology/index.ts'
import type { Evidence, SeenRecord } from '../program.ts'
import { openCodecs, spokenTopics } from './codecs.ts'
import { againHeader } from './desk.ts'

/** Of the evidence, what the checks of the application need. */
export type LogSeen = Pick<Evidence, 'topics' | 'partitions' | 'records' | 'committed' | 'end' | 'earliestWall'>

export interface SeenEvent {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly key: string
  readonly event: AnyEvent
  /** Sent once more on purpose. */
  readonly again: boolean
  /** True time in ms at which it was first seen to be there. */
  readonly seenAt: number
}

// Made once: a codec remembers only what follows from schemas and tenants.
const codecs = await openCodecs()
await codecs.prepareAll()

export class Seen {
  readonly log: LogSeen
  /** All committed events, by topic and partition in their order. */
  readonly events: readonly SeenEvent[]
  readonly #byId = new Map<string, SeenEvent>()
  readonly #byType = new Map<string, SeenEvent[]>()
  readonly #byCause = new Map<string, SeenEvent[]>()

  constructor(log: LogSeen) {
    this.log = log
    const known = new Set(log.topics())
    this.events = spokenTopics
      .filter(({ name }) => known.has(name))
      .flatMap(({ name }) =>
        Array.from({ length: log.partitions(name) }, (_, partition) => log.committed(name, partition)).flat(),
      )
      .flatMap(readEvent)
    for (const seen of this.events) {
      const { event_id, event_type, causation_id } = seen.event
      if (!this.#byId.has(event_id)) this.#byId.set(event_id, seen)
      listed(this.#byType, event_type).push(seen)
      listed(this.#byCause, causation_id).push(seen)
    }
  }

  /** Events of a type, each id once, on this topic when it is named. */
  of(type: string, topic?: string): readonly SeenEvent[] {
    const all = this.#byType.get(type) ?? []
    const once = all.filter((seen) => this.#byId.get(seen.event.event_id) === seen)
    return topic === undefined ? once : once.filter((seen) => seen.topic === topic)
  }

  byId(id: string): SeenEvent | undefined {
    return this.#byId.get(id)
  }

  causedBy(id: string): readonly SeenEvent[] {
    return this.#byCause.get(id) ?? []
  }
}

function listed<K, V>(map: Map<K, V[]>, key: K): V[] {
  const list = map.get(key) ?? []
  map.set(key, list)
  return list
}

/** What was read once need not be read again, however often a topic is folded. */
const read = new WeakMap<SeenRecord, AnyEvent | null>()

/** Null for what is no event. */
export function eventOf(record: SeenRecord): AnyEvent | null {
  let event = read.get(record)
  if (event === undefined) read.set(record, (event = decoded(record)))
  return event
}

function decoded({ topic, key, value }: SeenRecord): AnyEvent | null {
  if (value === null) return null
  const tenant = tenantOfKey(key)
  if (tenant !== null) void codecs.keyRing.load([tenant])
  try {
    return codecs.codec({ name: topic }).deserialize(value, key) as AnyEvent
  } catch (error) {
    if (error instanceof BadRecord) return null
    throw error
  }
}

function readEvent(record: SeenRecord): SeenEvent[] {
  const event = eventOf(record)
  if (event === null) return []
  const { topic, partition, offset, key, headers, seenAt } = record
  const again = headers.some((header) => header.key === againHeader.key)
  return [{ topic, partition, offset, key: key?.toString() ?? '', event, again, seenAt }]
}
