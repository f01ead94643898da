/** What every schema registry must do for us, whatever stands behind the port. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RegistryClient } from '../../connectors/registry/index.ts'
import type { AvroSchema, EventTopic } from '../../schemas/index.ts'
import {
  authEvents,
  canonicalText,
  eventCodec,
  eventSchema,
  exampleEvent,
  schemasOf,
  subjectOf,
  topics,
} from '../../schemas/index.ts'
import { keyRingOf } from '../schemas/fixtures.ts'

export interface RegistryFixture {
  /** A client that knows nothing yet but what the registry holds. @param schemas what it is to begin with */
  open(schemas?: readonly Registered[]): Promise<RegistryClient>
  /** As the registry itself says. */
  levelOf(subject: string): Promise<string>
  versionsOf(subject: string): Promise<number>
  dispose(): Promise<void>
}

export interface Registered {
  readonly subject: string
  readonly schema: AvroSchema
}

const id = { name: 'id', type: 'string' }
const note = { name: 'note', type: ['null', 'string'], default: null }
/** Ids outlive a test: each has names of its own. */
const record = (name: string, ...fields: AvroSchema[]): AvroSchema => ({
  type: 'record',
  name,
  namespace: 'com.workflow.events',
  fields,
})
const subjectFor = (name: string, topic = 'contract_events'): string => `${topic}-com.workflow.events.${name}`

export function registryContract(name: string, factory: () => Promise<RegistryFixture>): void {
  describe(`registry contract: ${name}`, () => {
    let fixture: RegistryFixture
    beforeAll(async () => {
      fixture = await factory()
    }, 180_000)
    afterAll(() => fixture?.dispose())

    test('gives a schema an id once: asked again, by another client, under another subject (R1, CR5)', async () => {
      const client = await fixture.open()
      const schema = record('Once', id)
      const first = await client.register(subjectFor('Once'), schema)
      expect(await client.register(subjectFor('Once'), schema)).toBe(first)
      expect(await client.register(subjectFor('Once', 'other_events'), schema)).toBe(first)
      const other = await fixture.open()
      const turned = { fields: [{ type: 'string', name: 'id' }], namespace: 'com.workflow.events', name: 'Once' }
      expect(await other.register(subjectFor('Once'), { ...turned, type: 'record' })).toBe(first)
      expect(await fixture.versionsOf(subjectFor('Once'))).toBe(1)
    })

    test('keeps every version, and says what an id means (R2, CR3)', async () => {
      const client = await fixture.open()
      const [old, now] = [record('Grows', id), record('Grows', id, note)]
      const ids = [await client.register(subjectFor('Grows'), old), await client.register(subjectFor('Grows'), now)]
      expect(ids[0]).not.toBe(ids[1])
      const other = await fixture.open([{ subject: subjectFor('Grows'), schema: now }])
      for (const [index, schema] of [old, now].entries()) {
        const found = await other.schemaById(ids[index]!)
        expect(canonicalText(JSON.parse(found!.schema) as AvroSchema)).toBe(canonicalText(schema))
      }
      expect(await other.register(subjectFor('Grows'), old)).toBe(ids[0])
    })

    test.each([0, 2_000_000_000, 2_147_483_647, 2_147_483_648, 4_294_967_295])('knows no schema %i', async (none) => {
      expect(await (await fixture.open()).schemaById(none)).toBeNull()
    })

    test('refuses what old or new readers could not follow, in one line, and keeps nothing of it (CR4)', async () => {
      const client = await fixture.open()
      const subject = subjectFor('Strict')
      await client.register(subject, record('Strict', id, note))
      expect(await fixture.levelOf(subject)).toBe('FULL_TRANSITIVE')
      for (const [next, reason] of [
        [record('Strict', { name: 'id', type: 'int' }, note), /int/i],
        [record('Strict', id, note, { name: 'more', type: 'string' }), /more|default/i],
        [record('Strict', note), /id|default/i],
      ] as const) {
        const refused = client.register(subject, next)
        await expect(refused).rejects.toMatchObject({ code: 'INCOMPATIBLE_SCHEMA', then: 'stop' })
        await expect(refused).rejects.toThrow(subject)
        await expect(refused).rejects.toThrow(reason)
        await expect(refused).rejects.toThrow(/^[^\n]+$/)
      }
      expect(await fixture.versionsOf(subject)).toBe(1)
    })

    test('refuses what is no schema', async () => {
      const client = await fixture.open()
      const nonsense = { type: 'record', name: 'Nonsense', fields: [{ name: 'x', type: 'nothing' }] }
      await expect(client.register(subjectFor('Nonsense'), nonsense)).rejects.toMatchObject({ code: 'BAD_SCHEMA' })
    })

    test('registered at once by many, a schema is registered once', async () => {
      const clients = await Promise.all(Array.from({ length: 4 }, () => fixture.open()))
      const schema = record('Crowd', id)
      const ids = await Promise.all(
        clients.flatMap((client) =>
          [1, 2].map((n) => client.register(subjectFor('Crowd', `crowd${n}_events`), schema)),
        ),
      )
      expect(new Set(ids).size).toBe(1)
      expect(await fixture.versionsOf(subjectFor('Crowd', 'crowd1_events'))).toBe(1)
    })

    test('takes all events of all topics, at FULL_TRANSITIVE, and again without a trace', async () => {
      const all = topics.flatMap((topic) => schemasOf(topic as unknown as EventTopic))
      const client = await fixture.open(all)
      const ids = []
      for (const { subject, schema } of all) ids.push(await client.register(subject, schema))
      const again = await fixture.open(all)
      for (const [index, { subject, schema }] of all.entries()) {
        expect(await again.register(subject, schema)).toBe(ids[index])
        const found = await again.schemaById(ids[index]!)
        expect(canonicalText(JSON.parse(found!.schema) as AvroSchema)).toBe(canonicalText(schema))
      }
      for (const { subject } of all.filter((_, index) => index % 20 === 0)) {
        expect(await fixture.versionsOf(subject)).toBe(1)
        expect(await fixture.levelOf(subject)).toBe('FULL_TRANSITIVE')
      }
      const subject = subjectOf('auth_events', 'email_verified')
      const broken = eventSchema('email_verified', { ...authEvents.events.email_verified, fields: {} })
      await expect(client.register(subject, broken)).rejects.toMatchObject({ code: 'INCOMPATIBLE_SCHEMA' })
    }, 120_000)

    test('what one client has written another reads, for two tenants', async () => {
      const keyRing = keyRingOf('t1', 't2')
      await keyRing.load(['t1', 't2'])
      const writer = await eventCodec(authEvents, { registry: await fixture.open(), keyRing })
      const reader = await eventCodec(authEvents, { registry: await fixture.open(), keyRing })
      for (const tenant of ['t1', 't2'])
        for (const type of ['signup_requested', 'email_verified', 'call_requested'] as const) {
          const { event, key } = exampleEvent(authEvents, type, tenant)
          const value = writer.serialize(event as never, key)
          await reader.prepare([{ key, value }])
          expect(reader.deserialize(value, key)).toEqual(event)
        }
    })
  })
}
