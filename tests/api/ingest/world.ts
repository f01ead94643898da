/** The ingest API over a memory log and a real database, behind a real server; two tenants. */

import {
  createIngest,
  ingestDefaults,
  ingestEndpoints,
  parsePosition,
  postgresReservations,
  reviewSubjectsIn,
} from '../../../api/index.ts'
import type { Ingest, IngestOptions, IngestSettings } from '../../../api/index.ts'
import { openMemoryLog, RecordCursor } from '../../../connectors/kafka/index.ts'
import type { Header, Log } from '../../../connectors/kafka/index.ts'
import { openPool } from '../../../connectors/postgres/index.ts'
import type { Pool } from '../../../connectors/postgres/index.ts'
import { scratchDatabase } from '../../../deploy/local/scratch-database.ts'
import {
  billingEvents,
  communicationEvents,
  documentEvents,
  eventCodec,
  researchEvents,
  reviewEvents,
} from '../../../schemas/index.ts'
import type { AnyEvent } from '../../../schemas/index.ts'
import { keyRingOf, memoryRegistry } from '../../schemas/fixtures.ts'
import type { TestServer } from '../http/world.ts'
import { organizationOf, serve, systemClock, systemRandom, tenantA, tenantB } from '../http/world.ts'

const topics = [researchEvents, reviewEvents, communicationEvents, documentEvents, billingEvents]
export const now = 1_767_225_600_000

export interface Written {
  readonly topic: string
  readonly position: string
  readonly key: string
  readonly timestamp: number
  readonly headers: readonly Header[]
  readonly event: AnyEvent
}

export interface World extends AsyncDisposable {
  readonly log: Log
  readonly pool: Pool
  readonly ingest: Ingest
  readonly server: TestServer
  readonly events: string
  /** Another process over the same log and database. */
  another(more?: Partial<IngestSettings>, options?: Partial<IngestOptions>): Ingest
  /** A row of the review queue, as the sink writes it. */
  review(tenantId: string, reviewId: string, subject: string): Promise<void>
  /** Everything committed in the topics, in order per partition. */
  written(tenantId?: string): Promise<Written[]>
  at(position: string): Promise<Written | undefined>
}

export async function openWorld(
  settings: Partial<IngestSettings> = {},
  options: Partial<IngestOptions> = {},
): Promise<World> {
  const database = await scratchDatabase()
  const pool = openPool(database.urls.auth, { applicationName: 'test', max: 8 })
  const api = openPool(database.urls.api, { applicationName: 'test', max: 2 })
  const owner = openPool(database.ownerUrl, { applicationName: 'test', max: 1 })
  const log = options.log ?? openMemoryLog({ clock: systemClock, random: systemRandom })
  await log.createTopics(topics.map(({ name }) => ({ name, partitions: 3, config: {} })))
  const keyRing = keyRingOf(tenantA, tenantB)
  const registry = memoryRegistry()
  const codecs = new Map<string, unknown>(
    await Promise.all(
      topics.map(async (topic) => [topic.name, await eventCodec(topic as never, { registry, keyRing })] as const),
    ),
  )
  const ingests: Ingest[] = []

  function another(more: Partial<IngestSettings> = {}, others: Partial<IngestOptions> = {}): Ingest {
    const ingest = createIngest({
      log,
      codec: (topic) => codecs.get(topic) as never,
      keyRing,
      reservations: postgresReservations(pool),
      reviewSubjects: reviewSubjectsIn(api),
      clock: systemClock,
      time: () => now,
      random: systemRandom,
      settings: {
        ...ingestDefaults,
        transactionalId: 'ingest-1',
        takeoverAfterMs: 100,
        closeGraceMs: 200,
        ...settings,
        ...more,
      },
      ...options,
      ...others,
    })
    ingests.push(ingest)
    return ingest
  }

  async function written(tenantId?: string): Promise<Written[]> {
    const found: Written[] = []
    for (const { name } of topics) {
      for (const partition of [0, 1, 2])
        found.push(...(await readPartition(log, name, partition, codecs.get(name) as never)))
    }
    return tenantId === undefined ? found : found.filter(({ event }) => event.tenant_id === tenantId)
  }

  async function at(text: string): Promise<Written | undefined> {
    const { topic, partition, offset } = parsePosition(text)!
    const read = await readPartition(log, topic, partition, codecs.get(topic) as never, offset, offset + 1n)
    return read[0]
  }

  const ingest = another()
  const server = await serve(ingestEndpoints(ingest))
  return {
    log,
    pool,
    ingest,
    server,
    events: `${server.url}/api/v1/events`,
    another,
    async review(tenantId, reviewId, subject) {
      await owner.query(
        `insert into lifecycle.review_queue (tenant_id, organization_id, review_id, status, subject_type, subject_ref, reason,
           risk, options, requester, requested_at, due_at, src_topic, src_part, src_offset, changed_at)
         values ($1, $2, $3, 'open', $4, 's', 'why', 'low', '["approve"]', 'r', now(), now(), 'review_events', 0, 1, now())`,
        [tenantId, organizationOf(tenantId), reviewId, subject],
      )
    },
    written,
    at,
    async [Symbol.asyncDispose]() {
      await server.close()
      await Promise.all(ingests.map((each) => each.close()))
      await Promise.all([pool.end(), api.end(), owner.end()])
      await log.close()
      await database.drop()
    },
  }
}

interface Reading {
  prepare(records: readonly { readonly key: Buffer | null; readonly value: Buffer | null }[]): Promise<void>
  deserialize(bytes: Buffer, key: Buffer | null): AnyEvent
}

export async function readPartition(
  log: Log,
  topic: string,
  partition: number,
  codec: Reading,
  from = 0n,
  before?: bigint,
): Promise<Written[]> {
  const found: Written[] = []
  const end = before ?? (await log.listOffsets([{ topic, partition }], 'stable'))[0]!
  let offset = from
  while (offset < end) {
    const [fetched] = await log.fetch({
      partitions: [{ topic, partition, offset, maxBytes: 1 << 20 }],
      isolation: 'read_committed',
      maxWaitMs: 0,
    })
    const cursor = new RecordCursor(fetched!, offset, 'read_committed')
    while (cursor.next() && cursor.offset < end) {
      const [key, value] = [cursor.key(), cursor.value()]
      await codec.prepare([{ key, value }])
      found.push({
        topic,
        position: `${topic}-${String(partition)}@${String(cursor.offset)}`,
        key: key!.toString(),
        timestamp: cursor.timestamp,
        headers: cursor.headers(),
        event: codec.deserialize(value!, key),
      })
    }
    offset = cursor.nextOffset
  }
  return found
}

export const asked = (company_name = 'Acme') => ({
  topic: 'research_events',
  type: 'research_requested',
  payload: { company_name, domain: 'acme.example', depth: 'standard', reason: 'asked' },
})
