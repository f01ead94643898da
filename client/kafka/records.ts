/** Events of a producer as records: those that the ingest API would write, but for who wrote them. */

import type { Log, PlacedRecord } from '../../connectors/kafka/index.ts'
import { partitionFor } from '../../connectors/kafka/index.ts'
import type { AnyEvent, AnyEventTopic, KeyRing, SchemaRegistry, SubmittedEvent } from '../../schemas/index.ts'
import {
  completeEvent,
  eventCodec,
  namedEventId,
  SchemaError,
  sentEventId,
  submittedHeaders,
  submittedKey,
} from '../../schemas/index.ts'
import { BadRecord } from '../../topology/errors.ts'
import type { NumberedEvent } from '../unit.ts'

interface Codec {
  serialize(event: AnyEvent, key: Buffer): Buffer
}

export interface RecordsOptions {
  readonly log: Log
  readonly registry: SchemaRegistry
  readonly keyRing: KeyRing
  readonly producer: string
  /** Time in ms for events that have none of their own. */
  readonly now: () => number
}

export class Records {
  readonly #options: RecordsOptions
  readonly #codecs = new Map<string, Codec>()
  /** A topic keeps its number of partitions for ever: keys depend on it. */
  readonly #partitions = new Map<string, number>()

  constructor(options: RecordsOptions) {
    this.#options = options
  }

  /** Loads what encoding these needs. @throws LogError, SchemaError */
  async prepare(events: readonly NumberedEvent[]): Promise<void> {
    const topics = new Set(events.map(({ topic }) => topic))
    for (const topic of topics) await this.#know(topic)
    try {
      await this.#options.keyRing.load([...new Set(events.map(({ tenant }) => tenant!.tenantId))])
    } catch (error) {
      throw new SchemaError('KEY_NOT_LOADED', "the tenants' keys cannot be had", 'retry', error)
    }
  }

  /** @throws BadRecord, also for a topic that the log does not have */
  recordOf(event: NumberedEvent): PlacedRecord {
    const { producer, now } = this.#options
    const { topic, tenant, sequence } = event
    const submitted: SubmittedEvent = {
      ...event,
      ...tenant!,
      timestamp: event.timestamp ?? now(),
      actor: { type: 'system', id: `producer:${producer}` },
      numbered: { producer, sequence },
    }
    const partitions = this.#partitions.get(topic.name)
    if (partitions === undefined) throw new BadRecord('unknown_topic', `the log has no topic ${topic.name}`)
    const key = submittedKey(submitted)
    const complete = completeEvent(submitted, this.eventIdOf(event), producer)
    return {
      topic: topic.name,
      partition: partitionFor(key, partitions),
      timestamp: submitted.timestamp,
      key,
      value: this.#codecs.get(topic.name)!.serialize(complete, key),
      headers: submittedHeaders(submitted),
    }
  }

  /** The same in every life of the process. */
  eventIdOf({ id, topic, tenant, entity, sequence }: NumberedEvent): string {
    const { producer } = this.#options
    const key = entity.slice(topic.name.length + 1)
    if (id !== null) return namedEventId({ producer, tenantId: tenant!.tenantId, id })
    return sentEventId({ producer, topic: topic.name, key, sequence })
  }

  async #know(topic: AnyEventTopic): Promise<void> {
    if (this.#codecs.has(topic.name)) return
    const [found] = await this.#options.log.metadata([topic.name])
    if (found === undefined) return
    this.#partitions.set(topic.name, found.partitions)
    this.#codecs.set(topic.name, (await eventCodec(topic, this.#options)) as unknown as Codec)
  }
}
