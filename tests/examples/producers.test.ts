/** The four producers of `examples/producers`, run as their users run them, and their events read back. */

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Log } from '../../connectors/kafka/index.ts'
import type { ProducerSite } from '../../deploy/chaos/producer/site.ts'
import { openHttpSite, openKafkaSite } from '../../deploy/chaos/producer/site.ts'
import { kafkaJars, kafkaLacks } from '../../deploy/local/kafka.ts'
import { communicationEvents, eventCodec } from '../../schemas/index.ts'
import type { KeyRing, SchemaRegistry } from '../../schemas/index.ts'
import { readPartition } from '../api/ingest/world.ts'

const run = promisify(execFile)
const minutes = 60_000
const examples = join(import.meta.dirname, '../../examples/producers')
const lacks = await kafkaLacks()
const inCI = process.env.CI === 'true'
if (lacks !== null) console.log(`examples of producers are not run against a real Kafka: ${lacks}`)

interface Written {
  readonly eventId: string
  readonly position: string
}

async function printed(file: string, args: readonly string[]): Promise<Written> {
  const { stdout } = await run(file, args, { timeout: 2 * minutes })
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Written
}
const ofNode = (script: string, options: Readonly<Record<string, string>>): Promise<Written> =>
  printed(process.execPath, [
    join(examples, script),
    ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
  ])

/** The platform's own mails stand in the topic too; nobody reads them here. */
const erased: KeyRing = { load: () => Promise.resolve(), get: () => 'erased' }

/** Preferences of one contact that stand in the topic. */
async function preferencesOf({ log, registry }: { log: Log; registry: SchemaRegistry }, contact: string) {
  const codec = (await eventCodec(communicationEvents, { registry, keyRing: erased })) as never
  const [topic] = await log.metadata([communicationEvents.name])
  const partitions = Array.from({ length: topic!.partitions }, (_, partition) => partition)
  const read = await Promise.all(
    partitions.map((partition) => readPartition(log, communicationEvents.name, partition, codec)),
  )
  return read.flat().filter(({ event }) => event.contact_id === contact)
}

describe.skipIf(lacks !== null && !inCI)(`into Kafka${lacks === null ? '' : ` (${lacks})`}`, () => {
  let site: ProducerSite
  let scratch = ''
  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'producers-'))
    site = await openKafkaSite(scratch)
  }, 5 * minutes)
  afterAll(async () => {
    await site?.close()
    rmSync(scratch, { recursive: true, force: true })
  })

  const addresses = (): { bootstrap: string; registry: string; tenant: string; organization: string } => {
    if (site.to.via !== 'kafka') throw new Error('the site is a broker')
    const { bootstrap, registry, tenants } = site.to
    const { tenantId, organizationId } = tenants[1]!
    return { bootstrap: bootstrap.join(','), registry, tenant: tenantId, organization: organizationId }
  }

  /** That the event stands there as the platform would have written it. */
  async function readBack(written: Written, contact: string, source: string, count = 1): Promise<void> {
    const { tenant, organization } = addresses()
    const found = await preferencesOf(await site.openReader(), contact)
    expect(found).toHaveLength(count)
    const record = found.find(({ position }) => position === written.position)
    expect(record).toMatchObject({ key: `${tenant}|${contact}` })
    expect(record!.event).toEqual({
      event_id: written.eventId,
      event_type: 'contact_preference_changed',
      event_version: 1,
      timestamp: record!.timestamp,
      tenant_id: tenant,
      organization_id: organization,
      correlation_id: organization,
      causation_id: '',
      source,
      actor: { type: 'system', id: `producer:${source}` },
      contact_id: contact,
      channel: 'email',
      subscribed: false,
      preference_source: 'example',
    })
  }

  test(
    'TypeScript, and a second run writes nothing twice',
    async () => {
      const { bootstrap, ...more } = addresses()
      const options = { brokers: bootstrap, ...more, contact: 'of-typescript', sequence: '1' }
      const first = await ofNode('kafka.ts', options)
      const again = await ofNode('kafka.ts', options)
      expect(again).toMatchObject({ eventId: first.eventId, position: null, duplicate: true })
      await readBack(first, 'of-typescript', 'example-kafka')
    },
    5 * minutes,
  )

  test(
    'kafkajs',
    async () => {
      const { bootstrap, ...more } = addresses()
      const written = await ofNode('kafkajs.ts', { brokers: bootstrap, ...more, contact: 'of-kafkajs' })
      await readBack(written, 'of-kafkajs', 'example-kafkajs')
    },
    5 * minutes,
  )

  test(
    'Java',
    async () => {
      const { bootstrap, registry, tenant, organization } = addresses()
      const jars = await kafkaJars({ pom: join(examples, 'pom.xml') })
      const program = ['-cp', join(jars, '*'), join(examples, 'JavaProducer.java')]
      const written = await printed('java', [...program, bootstrap, registry, tenant, organization, 'of-java'])
      await readBack(written, 'of-java', 'example-java')
    },
    10 * minutes,
  )
})

describe('over HTTP', () => {
  let site: ProducerSite
  let scratch = ''
  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'producers-'))
    site = await openHttpSite(scratch)
  }, 5 * minutes)
  afterAll(async () => {
    await site?.close()
    rmSync(scratch, { recursive: true, force: true })
  })

  test(
    'TypeScript, for each of two tenants, and a second run writes nothing twice',
    async () => {
      if (site.to.via !== 'http') throw new Error('the site is a platform')
      const { url, keys } = site.to
      const written: Written[] = []
      for (const key of keys) {
        const options = { url, key, contact: 'of-http', sequence: '1' }
        const first = await ofNode('http.ts', options)
        expect(await ofNode('http.ts', options)).toEqual(first)
        written.push(first)
      }
      const found = await preferencesOf(await site.openReader(), 'of-http')
      expect(found.map(({ position }) => position).toSorted()).toEqual(
        written.map(({ position }) => position).toSorted(),
      )
      expect(found.map(({ event }) => event.tenant_id).toSorted()).toEqual(site.tenantIds.toSorted())
    },
    5 * minutes,
  )
})
