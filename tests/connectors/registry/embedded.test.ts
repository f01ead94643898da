import { expect, test } from 'vitest'
import type { Log, ProducerSession } from '../../../connectors/kafka/index.ts'
import { LogError, RecordBatchBuilder } from '../../../connectors/kafka/index.ts'
import { openEmbeddedRegistry } from '../../../connectors/registry/index.ts'
import type { AvroSchema } from '../../../schemas/index.ts'
import { authEvents, eventCodec, eventSchema, exampleEvent, subjectOf } from '../../../schemas/index.ts'
import { machineClock } from '../../../deploy/machine.ts'
import { keyRingOf } from '../../schemas/fixtures.ts'
import { clock, memoryLog, schemasTopic } from './fixtures.ts'

const record = (...fields: AvroSchema[]): AvroSchema => ({ type: 'record', name: 'Order', fields })
const id = { name: 'id', type: 'string' }
const note = { name: 'note', type: ['null', 'string'], default: null }

test('R1: the same schema has one id under all subjects, and one version in each', async () => {
  const registry = await openEmbeddedRegistry({ log: memoryLog(), clock })
  expect(await registry.register('a', record(id))).toBe(1)
  expect(await registry.register('b', record(id))).toBe(1)
  expect(await registry.register('a', record(id, note))).toBe(2)
  expect(
    await registry.register('a', { fields: [{ type: 'string', name: 'id' }], name: 'Order', type: 'record' }),
  ).toBe(1)
  expect(registry.table.versions('a').map(({ version, id: schemaId }) => [version, schemaId])).toEqual([
    [1, 1],
    [2, 2],
  ])
  expect(registry.table.usesOf(1).map(({ subject, version }) => [subject, version])).toEqual([
    ['a', 1],
    ['b', 1],
  ])
  expect(await registry.schemaById(3)).toBeNull()
})

test('registered at once from many sides, a schema is registered once', async () => {
  const log = memoryLog()
  const registry = await openEmbeddedRegistry({ log, clock })
  const ids = await Promise.all(
    Array.from({ length: 20 }, (_, index) => registry.register(`s${index % 2}`, record(id))),
  )
  expect(new Set(ids)).toEqual(new Set([1]))
  expect(await schemasTopic(log)).toHaveLength(2)
})

test('an incompatible schema is refused with its reasons and leaves no trace', async () => {
  const log = memoryLog()
  const registry = await openEmbeddedRegistry({ log, clock })
  await registry.register('a', record(id))
  await expect(registry.register('a', record({ name: 'id', type: 'int' }))).rejects.toMatchObject({
    code: 'INCOMPATIBLE_SCHEMA',
    message: expect.stringContaining('id is string, expected int') as string,
  })
  await expect(registry.register('a', record({ name: '__proto__', type: 'int' }))).rejects.toMatchObject({
    code: 'BAD_SCHEMA',
  })
  expect(await schemasTopic(log)).toHaveLength(1)
})

test('stands in the topic as Confluent writes it, and is there again after a restart', async () => {
  const log = memoryLog()
  const first = await openEmbeddedRegistry({ log, clock })
  await first.register('a', record(id))
  await first.setLevel('a', 'BACKWARD')
  await first.register('a', record({ name: 'note', type: 'string', default: '' }))
  await first.close()
  expect(await schemasTopic(log)).toEqual([
    {
      key: { keytype: 'SCHEMA', subject: 'a', version: 1, magic: 1 },
      value: { subject: 'a', version: 1, id: 1, schema: JSON.stringify(record(id)), deleted: false },
    },
    { key: { keytype: 'CONFIG', subject: 'a', magic: 0 }, value: { compatibilityLevel: 'BACKWARD' } },
    {
      key: { keytype: 'SCHEMA', subject: 'a', version: 2, magic: 1 },
      value: expect.objectContaining({ id: 2 }) as object,
    },
  ])
  const again = await openEmbeddedRegistry({ log, clock })
  expect(again.table.level('a')).toBe('BACKWARD')
  expect(again.table.level('b')).toBe('FULL_TRANSITIVE')
  expect(again.table.versions('a')).toHaveLength(2)
  expect(await again.register('b', record(id))).toBe(1)
  expect(await again.register('b', record(id, note))).toBe(3)
})

test('S1: several processes register, and each knows what the others have', async () => {
  const log = memoryLog()
  const first = await openEmbeddedRegistry({ log, clock: machineClock })
  const second = await openEmbeddedRegistry({ log, clock: machineClock })
  expect(await first.register('a', record(id))).toBe(1)
  expect(await second.register('b', record(id))).toBe(1)
  expect(await first.register('b', record(id, note))).toBe(2)
  expect(await second.schemaById(2)).toEqual({ schema: JSON.stringify(record(id, note)) })
  expect(await second.register('b', record(id, note))).toBe(2)
  expect((await schemasTopic(log)).map(({ key }) => (key as { subject: string }).subject)).toEqual(['a', 'b', 'b'])
})

test('S1: processes that start together do not end one another', async () => {
  const log = memoryLog()
  const schemas = [record(id), record(id, note), record(id, { name: 'more', type: 'int', default: 0 })]
  const registries = await Promise.all(schemas.map(() => openEmbeddedRegistry({ log, clock: machineClock })))
  const ids = await Promise.all(
    registries.map((registry, turn) =>
      Promise.all(schemas.map((_, index) => registry.register('a', schemas[(index + turn) % schemas.length]!))),
    ),
  )
  expect(
    ids.map((those, turn) => those.map((_, index) => those[(index + schemas.length - turn) % schemas.length])),
  ).toEqual([ids[0], ids[0], ids[0]])
  expect(await schemasTopic(log)).toHaveLength(schemas.length)
})

test.each(['before', 'after'] as const)(
  'S2: a commit that fails %s it was done is settled by reading',
  async (when) => {
    const log = memoryLog()
    let fail = false
    const flaky: Log = Object.assign(Object.create(log) as Log, {
      async openProducer(options: Parameters<Log['openProducer']>[0]): Promise<ProducerSession> {
        const session = await log.openProducer(options)
        return {
          producerId: session.producerId,
          epoch: session.epoch,
          begin: () => session.begin(),
          append: (batches) => session.append(batches),
          sendOffsets: (group, offsets) => session.sendOffsets(group, offsets),
          close: () => session.close(),
          async end(outcome) {
            if (!fail) return session.end(outcome)
            fail = false
            if (when === 'after') await session.end(outcome)
            throw new LogError('TIMEOUT', 'no answer', 'retry')
          },
        }
      },
      fetch: log.fetch.bind(log),
      metadata: log.metadata.bind(log),
      createTopics: log.createTopics.bind(log),
      listOffsets: log.listOffsets.bind(log),
    })
    const registry = await openEmbeddedRegistry({ log: flaky, clock })
    await registry.register('a', record(id))
    fail = true
    await expect(registry.register('b', record(id, note))).rejects.toMatchObject({
      code: 'REGISTRY_FAILED',
      then: 'retry',
    })
    expect(await registry.register('b', record(id, note))).toBe(2)
    expect(await registry.register('c', record(id, { name: 'more', type: 'int', default: 0 }))).toBe(3)
    const subjects = (await schemasTopic(log)).map(({ key }) => (key as { subject: string }).subject)
    expect(subjects).toEqual(['a', 'b', 'c'])
    for (const subject of subjects) expect(registry.table.versions(subject)).toHaveLength(1)
  },
)

test('what another registry wrote and we would not take stands aside', async () => {
  const log = memoryLog()
  await log.createTopics([{ name: '_schemas', partitions: 1, config: {} }])
  const producer = await log.openProducer({ transactionalId: null, transactionTimeoutMs: 1_000 })
  const records = new RecordBatchBuilder()
  const write = (key: object, value: object | null) =>
    records.append(0, Buffer.from(JSON.stringify(key)), value === null ? null : Buffer.from(JSON.stringify(value)))
  const recursive = '{"type":"record","name":"Node","fields":[{"name":"next","type":["null","Node"]}]}'
  write({ keytype: 'NOOP', magic: 0 }, null)
  write(
    { keytype: 'SCHEMA', subject: 'tree', version: 1, magic: 1 },
    { subject: 'tree', version: 1, id: 7, schema: recursive, deleted: false },
  )
  await producer.append([{ topic: '_schemas', partition: 0, records }])
  const registry = await openEmbeddedRegistry({ log, clock })
  expect(await registry.schemaById(7)).toEqual({ schema: recursive })
  expect(await registry.register('a', record(id))).toBe(8)
})

test('our events: FULL_TRANSITIVE whatever is asked, and a codec registers them all', async () => {
  const registry = await openEmbeddedRegistry({ log: memoryLog(), clock })
  const subject = subjectOf('auth_events', 'email_verified')
  await expect(registry.setLevel(subject, 'NONE')).rejects.toMatchObject({ code: 'INCOMPATIBLE_SCHEMA' })
  await registry.setLevel(null, 'NONE')
  expect(registry.table.level(subject)).toBe('FULL_TRANSITIVE')
  expect(registry.table.level('anything')).toBe('NONE')

  const keyRing = keyRingOf('t1', 't2')
  await keyRing.load(['t1', 't2'])
  const codec = await eventCodec(authEvents, { registry, keyRing })
  expect(registry.table.subjects()).toHaveLength(Object.keys(authEvents.events).length)
  for (const tenant of ['t1', 't2']) {
    const { event, key } = exampleEvent(authEvents, 'signup_requested', tenant)
    const value = codec.serialize(event as never, key)
    await codec.prepare([{ key, value }])
    expect(codec.deserialize(value, key)).toEqual(event)
  }
  const broken = eventSchema('email_verified', { ...authEvents.events.email_verified, fields: {} })
  await expect(registry.register(subject, broken)).rejects.toMatchObject({ code: 'INCOMPATIBLE_SCHEMA' })
})
