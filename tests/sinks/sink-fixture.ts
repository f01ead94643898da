/** A memory log with the topics of the projections, events to put on it, and runners that read them. */

import { randomBytes } from 'node:crypto'
import type { Log, ProducerSession } from '../../connectors/kafka/index.ts'
import { openMemoryLog } from '../../connectors/kafka/embedded/index.ts'
import { partitionFor, RecordBatchBuilder, RecordCursor } from '../../connectors/kafka/index.ts'
import type { AnyEvent, EventTopic } from '../../schemas/index.ts'
import { erased } from '../../schemas/index.ts'
import type { AnyProjection, SinkRunnerOptions, TablePort } from '../../sinks/index.ts'
import { projections, SinkRunner } from '../../sinks/index.ts'
import type { Clock, Serde } from '../../topology/index.ts'
import { BadRecord } from '../../topology/index.ts'

export const clock: Clock = {
  now: () => Date.now(),
  after(delayMs, call) {
    const timer = setTimeout(call, delayMs)
    return () => clearTimeout(timer)
  },
}

export const tenantA = '0a000000-0000-4000-8000-000000000001'
export const tenantB = '0b000000-0000-4000-8000-000000000002'
export const day0 = 1_767_225_600_000

/** Events as JSON; erased fields as null. What the real serde does is its own tests' matter. */
export const jsonSerde: Serde<AnyEvent> = {
  serialize: (event) => Buffer.from(JSON.stringify(event, (_, value: unknown) => (value === erased ? null : value))),
  deserialize(bytes) {
    try {
      return JSON.parse(bytes.toString('utf8')) as AnyEvent
    } catch (error) {
      throw new BadRecord('bad_frame', 'not JSON', error)
    }
  },
}

let made = 0
/** An event of a topic with its example as payload. Organization n of a tenant has an id of its own. */
export function eventOf(
  topic: EventTopic,
  type: string,
  payload: Readonly<Record<string, unknown>> = {},
  of: { tenant?: string; organization?: number; timestamp?: number } = {},
): AnyEvent {
  const { tenant = tenantA, organization = 1, timestamp = day0 + ++made } = of
  const n = ++made
  return {
    ...(topic.events[type]?.example as Readonly<Record<string, unknown>> | undefined),
    ...payload,
    event_id: `e${n}-${tenant}`,
    event_type: type,
    event_version: 1,
    timestamp,
    tenant_id: tenant,
    organization_id: organizationId(tenant, organization),
    correlation_id: `lifecycle-${organization}`,
    causation_id: '',
    source: 'test',
    actor: { type: 'system', id: 'test' },
  }
}

export const organizationId = (tenant: string, n: number): string =>
  `${tenant.slice(0, 2)}c00000-0000-4000-8000-${String(n).padStart(12, '0')}`
export const userId = (n: number): string => `0d000000-0000-4000-8000-${String(n).padStart(12, '0')}`

export class LogFixture {
  readonly log: Log
  #producer: ProducerSession | null = null
  readonly notices: string[] = []

  constructor(log = openMemoryLog({ clock, random: { bytes: (length) => randomBytes(length) } })) {
    this.log = log
  }

  async open(partitions = 3): Promise<this> {
    const names = [...new Set(projections.map(({ reads }) => reads.name))]
    await this.log.createTopics(names.map((name) => ({ name, partitions, config: {} })))
    this.#producer = await this.log.openProducer({ transactionalId: null, transactionTimeoutMs: 10_000 })
    return this
  }

  /** Appends events, each under its organization's key; where the last one stands. */
  async append(
    topic: EventTopic,
    ...events: readonly (AnyEvent | Buffer)[]
  ): Promise<{ partition: number; offset: bigint }> {
    let last = { partition: 0, offset: 0n }
    for (const event of events) {
      const key = Buffer.isBuffer(event)
        ? Buffer.from(`${tenantA}|bytes`)
        : Buffer.from(`${event.tenant_id}|${event.organization_id}`)
      const partition = partitionFor(key, 3)
      const records = new RecordBatchBuilder()
      records.append(day0, key, Buffer.isBuffer(event) ? event : jsonSerde.serialize(event, key))
      const [appended] = await this.#producer!.append([{ topic: topic.name, partition, records }])
      last = { partition, offset: appended!.baseOffset }
    }
    return last
  }

  /** Every record of a topic: key, value and headers as text. */
  async read(topic: string): Promise<readonly { key: string; value: string; headers: Record<string, string> }[]> {
    const [metadata] = await this.log.metadata([topic])
    if (!metadata) return []
    const partitions = Array.from({ length: metadata.partitions }, (_, partition) => ({
      topic,
      partition,
      offset: 0n,
      maxBytes: 1 << 20,
    }))
    const answers = await this.log.fetch({ partitions, isolation: 'read_committed', maxWaitMs: 0 })
    return answers.flatMap((answer) => {
      const cursor = new RecordCursor(answer, 0n, 'read_committed')
      const found = []
      while (cursor.next()) {
        const headers = Object.fromEntries(cursor.headers().map(({ key, value }) => [key, value.toString()]))
        found.push({ key: String(cursor.key()), value: String(cursor.value()), headers })
      }
      return found
    })
  }

  runner(tables: TablePort, over: Partial<SinkRunnerOptions> = {}): SinkRunner {
    return new SinkRunner({
      log: this.log,
      projections,
      tables,
      decode: () => jsonSerde,
      clock,
      notice: (line) => void this.notices.push(line),
      ...over,
      settings: { fetchWaitMs: 50, backOffMs: { first: 5, last: 20 }, ...over.settings },
    })
  }
}

/** Until it holds, for five seconds. */
export async function eventually(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endAt = performance.now() + 5_000
  while (!(await holds())) {
    if (performance.now() > endAt) throw new Error(`still not: ${what}`)
    await new Promise((done) => setTimeout(done, 5))
  }
}

/** Until each projection has read all that is committed. */
export async function settled(log: Log, tables: TablePort, of: readonly AnyProjection[] = projections): Promise<void> {
  await eventually(async () => {
    // The connection of this question may be the one that is killed.
    const offsets = await tables.offsets().catch(() => null)
    if (offsets === null) return false
    for (const { name, reads } of of) {
      const [metadata] = await log.metadata([reads.name])
      const places = Array.from({ length: metadata?.partitions ?? 0 }, (_, partition) => ({
        topic: reads.name,
        partition,
      }))
      const ends = await log.listOffsets(places, 'stable')
      const behind = ends.some(
        (end, partition) =>
          end > 0n && (offsets.find((at) => at.sink === name && at.partition === partition)?.nextOffset ?? 0n) < end,
      )
      if (behind) return false
    }
    return true
  }, 'all projections at the end of their topics')
}
