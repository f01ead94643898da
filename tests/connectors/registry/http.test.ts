/** The registry as others see it: over real HTTP, by the client most Node programs use, and byte by byte. */

import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { COMPATIBILITY, SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EmbeddedRegistry } from '../../../connectors/registry/index.ts'
import { openEmbeddedRegistry, registryElsewhere, registryHandler } from '../../../connectors/registry/index.ts'
import type { AvroSchema } from '../../../schemas/index.ts'
import { clientEvents, eventCodec, eventSchema, exampleEvent, subjectOf } from '../../../schemas/index.ts'
import { keyRingOf } from '../../schemas/fixtures.ts'
import { clock, memoryLog } from './fixtures.ts'

let registry: EmbeddedRegistry
let host: string
const server = createServer((request, response) =>
  registryHandler(registry, { mayWrite: ({ headers }) => headers.authorization === 'Basic d3JpdGVyOnNlY3JldA==' })(
    request,
    response,
  ),
)

beforeAll(async () => {
  registry = await openEmbeddedRegistry({ log: memoryLog(), clock })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  host = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => new Promise((resolve) => server.close(resolve)))

const contentType = 'application/vnd.schemaregistry.v1+json'
const writer = { authorization: 'Basic d3JpdGVyOnNlY3JldA==' }

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = writer) {
  const answer = await fetch(host + path, {
    method,
    headers: { 'content-type': contentType, ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await answer.text()
  return { status: answer.status, type: answer.headers.get('content-type'), body: JSON.parse(text) as unknown }
}

const order = (...fields: AvroSchema[]): string => JSON.stringify({ type: 'record', name: 'Order', fields })
const id = { name: 'id', type: 'string' }
const note = { name: 'note', type: ['null', 'string'], default: null }

describe('@kafkajs/confluent-schema-registry', () => {
  const client = () => new SchemaRegistry({ host, auth: { username: 'writer', password: 'secret' } })

  test('reads what we write and writes what we read, for two tenants', async () => {
    const keyRing = keyRingOf('t1', 't2')
    const codec = await eventCodec(clientEvents, { registry, keyRing })
    const theirs = client()
    for (const tenant of ['t1', 't2']) {
      const { event, key } = exampleEvent(clientEvents, 'compensation_requested', tenant)
      const ours = codec.serialize(event as never, key)
      expect(await theirs.decode(ours)).toEqual(event)
      const schemaId = await theirs.getLatestSchemaId(subjectOf('client_events', 'compensation_requested'))
      const bytes = await theirs.encode(schemaId, event)
      expect(bytes.equals(ours)).toBe(true)
      await codec.prepare([{ key, value: bytes }])
      expect(codec.deserialize(bytes, key)).toEqual(event)
    }
  })

  test('sees personal fields as bytes it cannot read', async () => {
    const keyRing = keyRingOf('t1')
    await keyRing.load(['t1'])
    const codec = await eventCodec(clientEvents, { registry, keyRing })
    const { event, key } = exampleEvent(clientEvents, 'call_requested', 't1')
    const decoded = (await client().decode(codec.serialize({ ...event, request: { q: 'Ada' } } as never, key))) as {
      request: Buffer
    }
    expect(Buffer.isBuffer(decoded.request) && !decoded.request.includes('Ada')).toBe(true)
  })

  test('registers, finds and is refused', async () => {
    const options = { subject: 'orders-value', compatibility: COMPATIBILITY.FULL_TRANSITIVE }
    const avro = (schema: string) => ({ type: SchemaType.AVRO, schema }) as const
    const registered = await client().register(avro(order(id)), options)
    expect(await client().getRegistryIdBySchema('orders-value', avro(order(id)))).toBe(registered.id)
    expect(await client().register(avro(order(id)), options)).toEqual(registered)
    await expect(client().register(avro(order({ name: 'id', type: 'int' })), options)).rejects.toMatchObject({
      status: 409,
    })
    expect((await client().register(avro(order(id, note)), options)).id).not.toBe(registered.id)
    expect(await client().getRegistryId('orders-value', 1)).toBe(registered.id)
  })

  test('cannot loosen the level of our own events', async () => {
    const schema = JSON.stringify(eventSchema('step_timed_out', clientEvents.events.step_timed_out))
    const options = { subject: subjectOf('client_events', 'step_timed_out'), compatibility: COMPATIBILITY.BACKWARD }
    await expect(client().register({ type: SchemaType.AVRO, schema }, options)).rejects.toThrow(
      'does not match the configuration',
    )
  })
})

describe('the endpoints', () => {
  beforeAll(async () => {
    await call('POST', '/subjects/items/versions', { schema: order(id) })
    await call('POST', '/subjects/items/versions', { schema: order(id, note) })
    await call('POST', '/subjects/items%2Fcopy/versions', { schema: order(id) })
  })
  const itemId = () => registry.table.versions('items')[0]!.id

  test('answer in Confluent’s type', async () => {
    expect(await call('GET', '/subjects')).toMatchObject({
      status: 200,
      type: contentType,
      body: expect.arrayContaining(['items']) as unknown,
    })
  })

  test.each<[string, string, unknown, () => unknown]>([
    ['GET', '/', undefined, () => ({})],
    ['GET', '/subjects/items/versions', undefined, () => [1, 2]],
    [
      'GET',
      '/subjects/items/versions/1',
      undefined,
      () => ({ subject: 'items', version: 1, id: itemId(), schema: order(id) }),
    ],
    ['GET', '/subjects/items/versions/latest', undefined, () => expect.objectContaining({ version: 2 }) as unknown],
    ['GET', '/subjects/items/versions/latest/schema', undefined, () => JSON.parse(order(id, note)) as unknown],
    ['GET', '/subjects/items%2Fcopy/versions', undefined, () => [1]],
    [
      'POST',
      '/subjects/items',
      { schema: order(id) },
      () => ({ subject: 'items', version: 1, id: itemId(), schema: order(id) }),
    ],
    ['GET', '/schemas/types', undefined, () => ['AVRO']],
    ['GET', '/config', undefined, () => ({ compatibilityLevel: 'FULL_TRANSITIVE' })],
    ['GET', '/config/items?defaultToGlobal=true', undefined, () => ({ compatibilityLevel: 'FULL_TRANSITIVE' })],
    ['GET', '/mode', undefined, () => ({ mode: 'READWRITE' })],
    ['POST', '/compatibility/subjects/items/versions/latest', { schema: order(id) }, () => ({ is_compatible: true })],
    ['POST', '/compatibility/subjects/items/versions/1', { schema: order(note) }, () => ({ is_compatible: false })],
    [
      'POST',
      '/compatibility/subjects/items/versions/1?verbose=true',
      { schema: order(note) },
      () => ({ is_compatible: false, messages: ['version 1 cannot read it: id is missing and has no default'] }),
    ],
  ])('%s %s', async (method, path, body, expected) => {
    expect(await call(method, path, body, {})).toMatchObject({ status: 200, body: expected() })
  })

  test('by id', async () => {
    const path = `/schemas/ids/${itemId()}`
    expect((await call('GET', path)).body).toEqual({ schema: order(id) })
    expect((await call('GET', `${path}/schema`)).body).toEqual(JSON.parse(order(id)))
    expect((await call('GET', `${path}/subjects`)).body).toEqual(expect.arrayContaining(['items', 'items/copy']))
    expect((await call('GET', `${path}/versions`)).body).toEqual(
      expect.arrayContaining([{ subject: 'items', version: 1 }]),
    )
  })

  test('a level that is set holds', async () => {
    await call('POST', '/subjects/loose/versions', { schema: order(id) })
    expect(await call('PUT', '/config/loose', { compatibility: 'NONE' })).toMatchObject({
      status: 200,
      body: { compatibility: 'NONE' },
    })
    expect((await call('GET', '/config/loose')).body).toEqual({ compatibilityLevel: 'NONE' })
    expect((await call('POST', '/subjects/loose/versions', { schema: order(note) })).status).toBe(200)
  })

  test.each<[string, string, unknown, number, number]>([
    ['GET', '/subjects/none/versions', undefined, 404, 40401],
    ['GET', '/subjects/__proto__/versions', undefined, 404, 40401],
    ['GET', '/subjects/items/versions/9', undefined, 404, 40402],
    ['GET', '/subjects/items/versions/one', undefined, 422, 42202],
    ['GET', '/schemas/ids/999999', undefined, 404, 40403],
    ['GET', '/schemas/ids/-1', undefined, 404, 40403],
    ['GET', '/config/none', undefined, 404, 40408],
    ['POST', '/subjects/none', { schema: order(id) }, 404, 40401],
    ['POST', '/subjects/items', { schema: order({ name: 'x', type: 'int' }) }, 404, 40403],
    ['POST', '/subjects/items/versions', { schema: order({ name: 'id', type: 'int' }) }, 409, 409],
    ['POST', '/subjects/items/versions', { schema: '{"type":"rec' }, 422, 42201],
    ['POST', '/subjects/items/versions', { schema: order({ name: 'a`b', type: 'int' }) }, 422, 42201],
    ['POST', '/subjects/items/versions', { schema: '['.repeat(500_000) }, 422, 42201],
    ['POST', '/subjects/items/versions', { schema: '['.repeat(400_000) + ']'.repeat(400_000) }, 422, 42201],
    [
      'POST',
      '/subjects/items/versions',
      { schema: `{"type":"int","x":${'['.repeat(9_000)}${']'.repeat(9_000)}}` },
      422,
      42201,
    ],
    ['POST', '/subjects/items/versions', { schema: JSON.stringify('x'.repeat(1_100_000)) }, 422, 42201],
    ['POST', '/subjects/items/versions', { schema: order(id), schemaType: 'JSON' }, 422, 42201],
    ['POST', '/subjects/items/versions', { schema: order(id), references: [{ name: 'a' }] }, 422, 42201],
    ['POST', '/subjects/items/versions', {}, 422, 42201],
    ['POST', '/subjects/items/versions', '{', 400, 400],
    ['POST', '/subjects/items/versions', '[]', 400, 400],
    ['POST', '/subjects/items/versions', { schema: 'x'.repeat(2_700_000) }, 413, 413],
    ['PUT', '/config/items', { compatibility: 'SOMETIMES' }, 422, 42203],
    ['PUT', `/config/client_events-com.workflow.events.StepStarted`, { compatibility: 'NONE' }, 409, 409],
    ['GET', '/nothing', undefined, 404, 404],
    ['DELETE', '/subjects/items', undefined, 405, 405],
    ['GET', '/subjects/%E0%A4%A/versions', undefined, 400, 400],
  ])('%s %s refuses', async (method, path, body, status, code) => {
    const refused = await call(method, path, body)
    expect(refused).toMatchObject({
      status,
      type: contentType,
      body: { error_code: code, message: expect.stringMatching(/\S/) as string },
    })
  })

  test('writing needs leave; reading and checking do not', async () => {
    const schema = order(id, { name: 'z', type: 'int', default: 0 })
    for (const [method, path, body] of [
      ['POST', '/subjects/items/versions', { schema }],
      ['PUT', '/config', { compatibility: 'NONE' }],
      ['PUT', '/config/items', { compatibility: 'NONE' }],
    ] as const)
      expect(await call(method, path, body, {})).toMatchObject({ status: 401, body: { error_code: 401 } })
    expect(registry.table.versions('items')).toHaveLength(2)
    expect(registry.table.level('items')).toBe('FULL_TRANSITIVE')
  })

  test('another content type, and an encoded body', async () => {
    expect((await call('POST', '/subjects/items', '{}', { 'content-type': 'text/plain' })).status).toBe(415)
    expect((await call('POST', '/subjects/items', '{}', { 'content-encoding': 'gzip' })).status).toBe(415)
  })

  test('a chunked body that grows past the limit is cut off, and the server goes on', async () => {
    const status = await new Promise((resolve) => {
      const upload = httpRequest(`${host}/subjects/items`, { method: 'POST', headers: { 'content-type': contentType } })
      upload.on('response', (response) => {
        resolve(response.statusCode)
        upload.destroy()
      })
      upload.on('error', () => resolve('cut'))
      const chunk = Buffer.alloc(65_536, 0x20)
      const more = (): void => {
        if (!upload.destroyed) upload.write(chunk, more)
      }
      more()
    })
    expect([413, 'cut']).toContain(status)
    expect((await call('GET', '/subjects')).status).toBe(200)
  })
})

test('where the registry is outside, its path says so', async () => {
  const elsewhere = createServer(registryElsewhere)
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve))
  try {
    const { port } = elsewhere.address() as AddressInfo
    for (const method of ['GET', 'POST']) {
      const answer = await fetch(`http://127.0.0.1:${port}/subjects`, { method })
      expect({ status: answer.status, body: (await answer.json()) as unknown }).toEqual({
        status: 404,
        body: { error_code: 404, message: 'The schemas are in a registry outside (SCHEMA_REGISTRY_URL): ask it' },
      })
    }
  } finally {
    await new Promise((resolve) => elsewhere.close(resolve))
  }
})
