/** Looks in the topic, as a read_committed reader, for everything that was planned: each event once, in order, as it was meant. */

import type { Log } from '../../../connectors/kafka/index.ts'
import { RecordCursor } from '../../../connectors/kafka/index.ts'
import { communicationEvents, eventCodec, isUnknown } from '../../../schemas/index.ts'
import type { KeyRing, SchemaRegistry } from '../../../schemas/index.ts'
import type { PlannedUnit } from './plan.ts'
import { eventOf, placeOf, producer, topic } from './plan.ts'

export interface Found {
  readonly events: number
  readonly findings: readonly string[]
}

export interface Expected {
  readonly seed: number
  readonly plan: readonly PlannedUnit[]
  /** Of units that were acknowledged, their indexes. */
  readonly acknowledged: ReadonlySet<number>
  /** By the number of the tenant in the plan. */
  readonly tenantIds: readonly string[]
}

/** More would say the same. */
const maxFindings = 50
const noKeys: KeyRing = { load: () => Promise.resolve(), get: () => undefined }

export async function checkProducer(log: Log, registry: SchemaRegistry, expected: Expected): Promise<Found> {
  const findings: string[] = []
  const find = (line: string): void => void (findings.length < maxFindings && findings.push(line))
  const codec = await eventCodec(communicationEvents, { registry, keyRing: noKeys })
  /** The last sequence of each contact, as it stands in the topic. */
  const last = new Map<string, number>()
  const ids = new Set<string>()
  const [known] = await log.metadata([topic])
  for (let partition = 0; partition < (known?.partitions ?? 0); partition++) {
    for await (const { place, key, value, sequence } of ownRecords(log, partition)) {
      await codec.prepare([{ key, value }])
      const event = codec.deserialize(value, key)
      if (isUnknown(event) || event.event_type !== 'contact_preference_changed') {
        find(`${place}: ${event.event_type} is not what was sent`)
        continue
      }
      if (ids.has(event.event_id)) find(`${place}: the event id ${event.event_id} stands there a second time`)
      ids.add(event.event_id)
      const tenant = expected.tenantIds.indexOf(event.tenant_id)
      const contact = placeOf(tenant, event.contact_id)
      const before = last.get(contact) ?? 0
      if (sequence !== before + 1) find(`${place}: ${contact} has ${sequence} after ${before}`)
      last.set(contact, sequence)
      const wanted = eventOf(expected.seed, { tenant, contact: event.contact_id } as PlannedUnit, sequence).payload
      const { contact_id, channel, subscribed, preference_source } = event
      if (JSON.stringify({ contact_id, channel, subscribed, preference_source }) !== JSON.stringify(wanted))
        find(`${place}: ${contact} ${sequence} is not the event that was sent`)
    }
  }
  for (const [index, { tenant, contact, first, count }] of expected.plan.entries()) {
    const end = first + count - 1
    const there = last.get(placeOf(tenant, contact)) ?? 0
    if (expected.acknowledged.has(index) && there < end)
      find(`${placeOf(tenant, contact)}: ${end} was acknowledged and the topic ends at ${there}`)
  }
  return { events: ids.size, findings }
}

interface OwnRecord {
  readonly place: string
  readonly key: Buffer
  readonly value: Buffer
  readonly sequence: number
}

/** The producer's own, by its header. */
async function* ownRecords(log: Log, partition: number): AsyncGenerator<OwnRecord> {
  const [end = 0n] = await log.listOffsets([{ topic, partition }], 'latest')
  let [offset = 0n] = await log.listOffsets([{ topic, partition }], 'earliest')
  const giveUpAt = Date.now() + patienceMs
  while (offset < end) {
    if (Date.now() > giveUpAt)
      throw new Error(`${topic}-${partition} cannot be read past ${offset}: a transaction hangs`)
    const partitions = [{ topic, partition, offset, maxBytes: 4 * 1024 * 1024 }]
    const [fetched] = await log.fetch({ partitions, isolation: 'read_committed', maxWaitMs: 100 })
    if (fetched === undefined || fetched.error !== null)
      throw new Error(`${topic}-${partition}@${offset}: ${fetched?.error ?? 'nothing fetched'}`)
    const cursor = new RecordCursor(fetched, offset, 'read_committed')
    while (cursor.next()) {
      const [key, value] = [cursor.key(), cursor.value()]
      const headers = new Map(cursor.headers().map((header) => [header.key, header.value.toString()]))
      if (key === null || value === null || headers.get('producer') !== producer) continue
      yield { place: `${topic}-${partition}@${cursor.offset}`, key, value, sequence: Number(headers.get('sequence')) }
    }
    offset = cursor.nextOffset
  }
}

/** The longest that a partition may take, in ms. */
const patienceMs = 300_000
