import { describe, expect, test } from 'vitest'
import type { AnyEvent, EventTopic } from '../../schemas/index.ts'
import {
  authEvents,
  clientEvents,
  conversationEvents,
  erased,
  eventCodec,
  eventSchema,
  exampleEvent,
  fieldCipher,
  fieldTag,
  isUnknown,
  researchEvents,
  SchemaError,
  topics,
} from '../../schemas/index.ts'
import { BadRecord } from '../../topology/errors.ts'
import { keyRingOf, memoryRegistry } from './fixtures.ts'

const tenants = ['t1', 't2'] as const

async function ready(topic: EventTopic = authEvents) {
  const registry = memoryRegistry()
  const keyRing = keyRingOf(...tenants)
  await keyRing.load(tenants)
  const codec = await eventCodec(topic, { registry, keyRing })
  return { registry, keyRing, codec }
}

async function roundTrip(topic: EventTopic, type: string, tenant: string) {
  const { codec } = await ready(topic)
  const { event, key } = exampleEvent(topic, type, tenant)
  const value = codec.serialize(event as never, key)
  await codec.prepare([{ key, value }])
  return { event, key, value, decoded: codec.deserialize(value, key) }
}

const everyType = topics.flatMap((topic) =>
  Object.keys(topic.events).map((type) => ({ topic, type, name: topic.name })),
)

describe('every example of every type', () => {
  test.each(everyType)('$name $type comes back for two tenants', async ({ topic, type }) => {
    for (const tenant of tenants) {
      const { event, decoded } = await roundTrip(topic, type, tenant)
      // Optional fields that were left out read as null.
      const missing = Object.keys(topic.events[type]!.fields).filter((name) => !(name in event))
      expect(decoded).toEqual({ ...event, ...Object.fromEntries(missing.map((name) => [name, null])) })
    }
  })

  test.each(everyType)('$name $type is the same bytes when replayed', async ({ topic, type }) => {
    const [first, again] = [await roundTrip(topic, type, 't1'), await roundTrip(topic, type, 't1')]
    expect(again.value.equals(first.value)).toBe(true)
  })
})

describe('personal fields', () => {
  test('do not stand on the wire, and differ between tenants', async () => {
    const [a, b] = [
      await roundTrip(authEvents, 'signup_requested', 't1'),
      await roundTrip(authEvents, 'signup_requested', 't2'),
    ]
    for (const { value } of [a, b]) expect(value.includes('ada@acme.example')).toBe(false)
    expect(a.value.subarray(-20).equals(b.value.subarray(-20))).toBe(false)
  })

  test('decode to erased once the key is destroyed; the rest stays readable (E5)', async () => {
    const { codec, keyRing } = await ready()
    const { event, key } = exampleEvent(authEvents, 'signup_requested', 't1')
    const value = codec.serialize(event as never, key)
    await codec.prepare([{ key, value }])
    keyRing.erase('t1')
    const decoded = codec.deserialize(value, key)
    expect(decoded).toMatchObject({ email: erased, first_name: erased, company_name: 'Acme', domain: 'acme.example' })
    // And the other tenant is as it was.
    const other = exampleEvent(authEvents, 'signup_requested', 't2')
    const otherValue = codec.serialize(other.event as never, other.key)
    expect(codec.deserialize(otherValue, other.key)).toMatchObject({ email: 'ada@acme.example' })
  })

  test('of an erased tenant are erased when written', async () => {
    const { codec, keyRing } = await ready()
    const { event, key } = exampleEvent(authEvents, 'signup_requested', 't1')
    keyRing.erase('t1')
    const value = codec.serialize(event as never, key)
    await codec.prepare([{ key, value }])
    expect(codec.deserialize(value, key)).toMatchObject({ email: erased })
  })

  test('need their key: not loaded is trouble, unknown is bad data', async () => {
    const registry = memoryRegistry()
    const { codec: writer } = await ready()
    const { event, key } = exampleEvent(authEvents, 'signup_requested', 't1')
    const value = writer.serialize(event as never, key)
    const codec = await eventCodec(authEvents, { registry, keyRing: keyRingOf('t2') })
    await codec.prepare([{ key, value: value.subarray(0, 5) }])
    expect(() => codec.deserialize(value, key)).toThrow(expect.objectContaining({ code: 'KEY_NOT_LOADED' }))
    await codec.prepare([{ key, value }])
    expect(() => codec.deserialize(value, key)).toThrow(expect.objectContaining({ reason: 'unknown_key' }))
    expect(() => codec.serialize(event as never, key)).toThrow(expect.objectContaining({ reason: 'unknown_key' }))
    const fresh = await eventCodec(authEvents, { registry, keyRing: keyRingOf('t1') })
    expect(() => fresh.serialize(event as never, key)).toThrow(expect.objectContaining({ code: 'KEY_NOT_LOADED' }))
  })

  test('moved into another tenant’s record do not open', async () => {
    const { codec } = await ready()
    const a = exampleEvent(authEvents, 'signup_requested', 't1')
    const value = codec.serialize(a.event as never, a.key)
    const stolen = Buffer.from(value.toString('latin1').replace('\x04t1', '\x04t2'), 'latin1')
    await codec.prepare([{ key: Buffer.from('t2|o1'), value: stolen }])
    expect(() => codec.deserialize(stolen, Buffer.from('t2|o1'))).toThrow(
      expect.objectContaining({ reason: 'bad_value' }),
    )
  })
})

describe('keys', () => {
  test('the tenant of the key must be the tenant of the event (C4)', async () => {
    const { codec } = await ready()
    const { event, key } = exampleEvent(authEvents, 'email_verified', 't1')
    const value = codec.serialize(event as never, key)
    await codec.prepare([{ key, value }])
    for (const other of [Buffer.from('t2|o1'), Buffer.from('t11|o1'), Buffer.from(''), null]) {
      expect(() => codec.deserialize(value, other)).toThrow(expect.objectContaining({ reason: 'bad_key' }))
      expect(() => codec.serialize(event as never, other)).toThrow(expect.objectContaining({ reason: 'bad_key' }))
    }
  })
})

describe('schemas', () => {
  test('a field this program has and the writer had not reads as its default', async () => {
    const { codec, registry } = await ready()
    const older = structuredClone(
      eventSchema('organization_created', authEvents.events.organization_created),
    ) as unknown as {
      fields: { name: string }[]
    }
    older.fields = older.fields.filter(({ name }) => !['plan_hint', 'industry', 'ip_hash'].includes(name))
    const { event, key } = exampleEvent(authEvents, 'organization_created', 't2')
    const value = codec.serialize({ ...event, industry: null, ip_hash: null } as never, key)
    // Written before the three fields were there: their three bytes are not.
    registry.schemas.set(900, JSON.stringify(older))
    const at = value.indexOf('u1') - 2
    const written = Buffer.concat([value.subarray(0, at), value.subarray(at + 1, -2)])
    written.writeUInt32BE(900, 1)
    await codec.prepare([{ key, value: written }])
    expect(codec.deserialize(written, key)).toEqual({ ...event, industry: null, plan_hint: null, ip_hash: null })
  })

  test('a field this program does not know yet is dropped', async () => {
    const { codec, registry } = await ready()
    const newer = structuredClone(eventSchema('email_verified', authEvents.events.email_verified)) as unknown as {
      fields: unknown[]
    }
    newer.fields.push({ name: 'verified_by', type: ['null', 'string'], default: null })
    registry.schemas.set(901, JSON.stringify(newer))
    const { event, key } = exampleEvent(authEvents, 'email_verified', 't1')
    const written = Buffer.concat([codec.serialize(event as never, key), Buffer.from('\x02\x04ab')])
    written.writeUInt32BE(901, 1)
    await codec.prepare([{ key, value: written }])
    expect(codec.deserialize(written, key)).toEqual(event)
  })

  test('a personal field this program does not know yet is dropped as well, its seal checked', async () => {
    const { codec, registry, keyRing } = await ready()
    const newer = structuredClone(eventSchema('email_verified', authEvents.events.email_verified)) as unknown as {
      fields: unknown[]
    }
    newer.fields.push({ name: 'alias', type: { type: 'bytes', logicalType: 'personal-text' }, default: '' })
    registry.schemas.set(906, JSON.stringify(newer))
    const { event, key } = exampleEvent(authEvents, 'email_verified', 't2')
    const field = fieldTag(['com.workflow.events.EmailVerified', 'alias'])
    const sealed = fieldCipher(keyRing, 't2')!.seal(field, 'Ada')
    const written = Buffer.concat([codec.serialize(event as never, key), Buffer.of(sealed.length * 2), sealed])
    written.writeUInt32BE(906, 1)
    await codec.prepare([{ key, value: written }])
    expect(codec.deserialize(written, key)).toEqual(event)
    written[written.length - 1]! ^= 1
    expect(() => codec.deserialize(written, key)).toThrow(expect.objectContaining({ reason: 'bad_value' }))
  })

  test('an event type nobody here knows passes through as it came (C3, E7)', async () => {
    const { codec, registry } = await ready()
    const schema = eventSchema('passkey_added', { ...authEvents.events.email_verified })
    registry.schemas.set(902, JSON.stringify(schema))
    const { event, key } = exampleEvent(authEvents, 'email_verified', 't1')
    const value = codec.serialize(event as never, key)
    value.writeUInt32BE(902, 1)
    await codec.prepare([{ key, value }])
    const unknown = codec.deserialize(value, key)
    expect(unknown).toMatchObject({ event_type: 'passkey_added', schema_id: 902 })
    expect(isUnknown(unknown)).toBe(true)
    expect(codec.serialize(unknown, key).equals(value)).toBe(true)
  })

  test('an event that calls itself something else than its schema does', async () => {
    const { codec } = await ready()
    const { event, key } = exampleEvent(authEvents, 'member_removed', 't1')
    const value = codec.serialize(event as never, key)
    value.write('member_renamed', value.indexOf('member_removed'))
    await codec.prepare([{ key, value }])
    expect(() => codec.deserialize(value, key)).toThrow(expect.objectContaining({ reason: 'bad_value' }))
  })

  test('an id of another topic, of another namespace, and an id of nothing', async () => {
    const { codec, registry, keyRing } = await ready()
    await eventCodec(researchEvents, { registry, keyRing })
    const research = await registry.register('', eventSchema('research_stale', researchEvents.events.research_stale))
    registry.schemas.set(903, JSON.stringify({ type: 'record', name: 'Other', namespace: 'org.example', fields: [] }))
    registry.schemas.set(904, '{"type":"record","name":"X","fields":[{"name":"a`b","type":"int"}]}')
    const reasons = { [research]: 'wrong_subject', 903: 'wrong_subject', 904: 'unknown_schema', 905: 'unknown_schema' }
    for (const [id, reason] of Object.entries(reasons)) {
      const value = framed(Number(id))
      await codec.prepare([{ key: null, value }])
      expect(() => codec.deserialize(value, null)).toThrow(expect.objectContaining({ name: 'BadRecord', reason }))
    }
  })

  test('a registry that is away is trouble, an id it registers later is read (C2, E6)', async () => {
    const { codec, registry } = await ready()
    const { event, key } = exampleEvent(authEvents, 'email_verified', 't1')
    const value = codec.serialize(event as never, key)
    value.writeUInt32BE(777, 1)
    const answer = registry.schemaById.bind(registry)
    registry.schemaById = () => Promise.reject(new SchemaError('REGISTRY_FAILED', 'away', 'retry'))
    await expect(codec.prepare([{ key, value }])).rejects.toThrow('away')
    expect(() => codec.deserialize(value, key)).toThrow(expect.objectContaining({ code: 'SCHEMA_NOT_LOADED' }))
    registry.schemaById = answer
    await codec.prepare([{ key, value }])
    expect(() => codec.deserialize(value, key)).toThrow(BadRecord)
    registry.schemas.set(777, JSON.stringify(eventSchema('email_verified', authEvents.events.email_verified)))
    await codec.prepare([{ key, value }])
    expect(codec.deserialize(value, key)).toEqual(event)
  })

  test('an id is asked for once', async () => {
    const { codec, registry } = await ready()
    const { event, key } = exampleEvent(authEvents, 'email_verified', 't1')
    const value = codec.serialize(event as never, key)
    await codec.prepare([
      { key, value },
      { key, value },
    ])
    await codec.prepare([{ key, value }])
    expect(registry.asked).toHaveLength(1)
  })
})

describe('what a program must not write', () => {
  const refusals: readonly [string, EventTopic, string, Record<string, unknown>, string][] = [
    ['a missing field', authEvents, 'email_verified', { user_id: undefined }, 'bad_value'],
    ['a field the type lacks', authEvents, 'email_verified', { nickname: 'x' }, 'bad_value'],
    ['a value outside a closed set', clientEvents, 'step_started', { step: 'coffee' }, 'bad_value'],
    ['NaN', researchEvents, 'competitor_identified', { confidence_score: Number.NaN }, 'bad_value'],
    ['a time beyond exact numbers', clientEvents, 'step_started', { deadline: 2 ** 53 }, 'bad_value'],
    ['half a surrogate pair', authEvents, 'email_verified', { user_id: 'a\ud800' }, 'bad_utf8'],
    [
      'a map key named __proto__',
      clientEvents,
      'compensation_requested',
      { refs: JSON.parse('{"__proto__":"x"}') },
      'bad_key',
    ],
    [
      'a json key named __proto__',
      authEvents,
      'organization_updated',
      { changed: JSON.parse('{"a":[{"__proto__":1}]}') },
      'bad_key',
    ],
    ['json that is none', authEvents, 'organization_updated', { changed: { at: new Date(0) } }, 'bad_value'],
    [
      'json deeper than 64',
      authEvents,
      'organization_updated',
      { changed: JSON.parse('['.repeat(65) + ']'.repeat(65)) },
      'too_deep',
    ],
    ['more than 512 KiB', authEvents, 'organization_updated', { changed: 'x'.repeat(600_000) }, 'too_large'],
    ['a type the topic lacks', authEvents, 'email_verified', { event_type: 'research_stale' }, 'bad_value'],
  ]
  test.each(refusals)('%s', async (_, topic, type, change, reason) => {
    const { codec } = await ready(topic)
    const { event, key } = exampleEvent(topic, type, 't1')
    expect(() => codec.serialize({ ...event, ...change } as never, key)).toThrow(
      expect.objectContaining({ name: 'BadRecord', reason }),
    )
    // And the codec goes on.
    expect(codec.serialize(event as never, key).length).toBeGreaterThan(5)
  })

  test('an entity-keyed topic’s calls carry the entity', () => {
    const { event, key } = exampleEvent(conversationEvents, 'call_requested', 't2')
    expect(key.toString()).toBe('t2|e1')
    expect((event as AnyEvent).conversation_id).toBe('e1')
  })
})

function framed(id: number, body = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(id, 1)
  return Buffer.concat([head, body])
}
