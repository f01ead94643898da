/** Where the client is tried: an ingest API over a real database, and a log. Two tenants in each. */

import type { ClientOptions, EventClient, KafkaTransportOptions, Tenant } from '../../client/index.ts'
import { httpTransport, kafkaTransport, openClient } from '../../client/index.ts'
import type { Log } from '../../connectors/kafka/index.ts'
import { openMemoryLog } from '../../connectors/kafka/index.ts'
import type { AnyEventTopic, KeyRing, SchemaRegistry } from '../../schemas/index.ts'
import { communicationEvents, eventCodec, researchEvents, reviewEvents } from '../../schemas/index.ts'
import { keyOf, organizationOf, systemClock, systemRandom, tenantA, tenantB } from '../api/http/world.ts'
import { openWorld, readPartition } from '../api/ingest/world.ts'
import type { TransportWorld, WrittenEvent } from '../contracts/transport.ts'
import { keyRingOf, memoryRegistry } from '../schemas/fixtures.ts'
import { markersWritten } from '../interop/records.ts'
import type { LogTrouble } from './troubled-log.ts'
import { loseOne, troubledLog } from './troubled-log.ts'

const tenantOf = (tenantId: string): Tenant => ({ tenantId, organizationId: organizationOf(tenantId) })
export const tenants = [tenantOf(tenantA), tenantOf(tenantB)] as const

/** A fetch that strikes as it is told. */
export function troubledFetch(trouble: LogTrouble): typeof fetch {
  const refused = (): TypeError =>
    new TypeError('fetch failed', { cause: Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }) })
  return async (input, init) => {
    if (trouble.isDown) throw refused()
    if (trouble.refused > 0) {
      trouble.refused -= 1
      throw refused()
    }
    const response = await fetch(input, init)
    if (trouble.lost === 0) return response
    loseOne(trouble)
    await response.arrayBuffer()
    throw new TypeError('fetch failed', { cause: Object.assign(new Error('reset'), { code: 'ECONNRESET' }) })
  }
}

const controls = (trouble: LogTrouble): Pick<TransportWorld, 'loseAnswers' | 'refuse' | 'down'> => ({
  loseAnswers: (count, thenIsDown = false) => Object.assign(trouble, { lost: count, downAfterLost: thenIsDown }),
  refuse: (count) => (trouble.refused = count),
  down: (isDown) => (trouble.isDown = isDown),
})

export async function openHttpWorld(): Promise<TransportWorld> {
  const world = await openWorld({}, { time: () => Date.now() })
  const trouble: LogTrouble = { lost: 0, downAfterLost: false, refused: 0, isDown: false }
  return {
    tenants,
    open: (name, { tenantId }, options = {}) =>
      openClient({
        name,
        transport: httpTransport({ url: world.server.url, credential: keyOf(tenantId), fetch: troubledFetch(trouble) }),
        ...options,
      }),
    written: () => world.written(),
    ...controls(trouble),
    close: async () => world[Symbol.asyncDispose](),
  }
}

export interface LogWorld extends TransportWorld {
  readonly log: Log
  readonly registry: SchemaRegistry
  readonly keyRing: KeyRing
  openWith(
    name: string,
    transport: Partial<KafkaTransportOptions>,
    options?: Partial<ClientOptions>,
  ): Promise<EventClient>
}

const topics: readonly AnyEventTopic[] = [researchEvents, reviewEvents, communicationEvents]

/** @param given a log that is empty of these topics; one in memory unless told */
export async function openLogWorld(given?: Log): Promise<LogWorld> {
  const log = given ?? openMemoryLog({ clock: systemClock, random: systemRandom })
  await log.createTopics(topics.map(({ name }) => ({ name, partitions: 3, config: {} })))
  const registry = memoryRegistry()
  const keyRing = keyRingOf(tenantA, tenantB)
  const trouble: LogTrouble = { lost: 0, downAfterLost: false, refused: 0, isDown: false }
  const troubled = troubledLog(log, trouble)
  const openWith: LogWorld['openWith'] = (name, transport, options = {}) =>
    openClient({
      name,
      transport: kafkaTransport({ log: troubled, registry, ...transport }),
      tenant: tenants[0],
      ...options,
    })

  async function written(): Promise<readonly WrittenEvent[]> {
    const found: WrittenEvent[] = []
    for (const topic of topics) {
      // A Kafka says that a transaction has ended before its markers are in every partition.
      if (given !== undefined) await markersWritten(log, topic.name)
      const codec = (await eventCodec(topic, { registry, keyRing })) as never
      for (const partition of [0, 1, 2]) found.push(...(await readPartition(log, topic.name, partition, codec)))
    }
    return found
  }

  return {
    ...{ tenants, log, registry, keyRing, openWith, written, ...controls(trouble) },
    open: (name, tenant, options = {}) => openWith(name, {}, { tenant, ...options }),
    close: () => log.close(),
  }
}
