/** The client against a server that says what Confluent's registry says, and what a network does to it. */

import type { ServerResponse } from 'node:http'
import { generate } from 'selfsigned'
import { afterEach, describe, expect, test } from 'vitest'
import type { ConfluentRegistry, ConfluentRegistryOptions } from '../../../connectors/registry/index.ts'
import { openConfluentRegistry } from '../../../connectors/registry/index.ts'
import { freePort } from '../../../deploy/local/free-port.ts'
import { machineClock } from '../../../deploy/machine.ts'
import type { AvroSchema } from '../../../schemas/index.ts'
import type { Script, ScriptedRegistry } from './scripted-registry.ts'
import { json, refused, scriptedRegistry } from './scripted-registry.ts'

const S = 'orders-x.Order'
const schema: AvroSchema = { type: 'record', name: 'Order', namespace: 'x', fields: [{ name: 'id', type: 'string' }] }
const text = JSON.stringify(schema)
/** As Avro's own parser prints it. */
const printed = '{"type":"record","name":"Order","namespace":"x","fields":[{"name":"id","type":"string"}]}'
const older = '{"type":"record","name":"Order","namespace":"x","fields":[]}'

const full = json({ compatibilityLevel: 'FULL_TRANSITIVE' })
const noLevel = refused(404, 40408, `Subject '${S}' does not have subject-level compatibility configured`)
const noSubject = refused(404, 40401, `Subject '${S}' not found.`)
const noSchema = (id: number) => refused(404, 40403, `Schema ${id} not found`)
/** A registry that has it. */
const kept: Script = {
  [`GET /config/${S}`]: full,
  [`GET /subjects/${S}/versions`]: json([1]),
  [`GET /subjects/${S}/versions/1`]: json({ subject: S, version: 1, id: 7, schema: printed }),
}
/** One that has not. */
const empty: Script = {
  [`GET /config/${S}`]: noLevel,
  [`PUT /config/${S}`]: json({ compatibility: 'FULL_TRANSITIVE' }),
  [`GET /subjects/${S}/versions`]: noSubject,
  [`POST /subjects/${S}`]: noSubject,
  [`POST /subjects/${S}/versions`]: json({ id: 9 }),
}

const bounds = { attempts: 3, pauseMs: 5, withinMs: 5_000 }
const cleanUp: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanUp.splice(0).reverse()) await clean()
})

async function served(script: Script, tls?: { key: string; cert: string }): Promise<ScriptedRegistry> {
  const server = await scriptedRegistry(script, tls)
  cleanUp.push(() => server.close())
  return server
}

const notices: string[] = []
async function opened(url: string, options: Partial<ConfluentRegistryOptions> = {}): Promise<ConfluentRegistry> {
  notices.length = 0
  const registry = await openConfluentRegistry({
    url,
    credentials: null,
    ca: null,
    schemas: [{ subject: S, schema }],
    clock: machineClock,
    notice: (line) => notices.push(line),
    timeoutMs: 500,
    bounds,
    ...options,
  })
  cleanUp.push(() => registry.close())
  return registry
}

const failing = (opening: Promise<unknown>) =>
  opening.then(
    () => {
      throw new Error('it did not fail')
    },
    (error: unknown) => error as Error & { code: string; then: string },
  )

describe('what is asked', () => {
  test('CR4: an unknown subject gets its level, is looked for, and is registered, in this order', async () => {
    const server = await served(empty)
    const registry = await opened(server.url)
    expect(server.asked.map(({ what }) => what)).toEqual([
      `GET /config/${S}`,
      `PUT /config/${S}`,
      `GET /subjects/${S}/versions`,
      `POST /subjects/${S}`,
      `POST /subjects/${S}/versions`,
    ])
    const [, put, , lookup, post] = server.asked
    expect(put!.body).toEqual({ compatibility: 'FULL_TRANSITIVE' })
    expect(lookup!.body).toEqual({ schema: text })
    expect(post!.body).toEqual({ schema: text })
    for (const { headers, body } of server.asked) {
      expect(headers.accept).toContain('application/vnd.schemaregistry.v1+json')
      expect(headers['content-type']).toBe(body === null ? undefined : 'application/vnd.schemaregistry.v1+json')
      expect(headers.authorization).toBeUndefined()
    }
    expect(await registry.register(S, schema)).toBe(9)
    expect(server.asked).toHaveLength(5)
  })

  test('CR3, CR5: what stands there is read at the start, and nothing is asked again', async () => {
    const server = await served({
      ...kept,
      [`GET /subjects/${S}/versions`]: json([1, 2]),
      [`GET /subjects/${S}/versions/1`]: json({ subject: S, version: 1, id: 5, schema: older }),
      [`GET /subjects/${S}/versions/2`]: json({ subject: S, version: 2, id: 7, schema: printed }),
    })
    const registry = await opened(server.url)
    const asked = server.asked.length
    expect(asked).toBe(4)
    expect(await registry.register(S, schema)).toBe(7)
    const turned = { fields: [{ type: 'string', name: 'id' }], namespace: 'x', name: 'Order', type: 'record' }
    expect(await registry.register(S, turned)).toBe(7)
    expect(JSON.parse((await registry.schemaById(5))!.schema)).toEqual(JSON.parse(older))
    expect(JSON.parse((await registry.schemaById(7))!.schema)).toEqual(schema)
    expect(server.asked).toHaveLength(asked)
  })

  test('CR5: what the registry writes otherwise is found by asking', async () => {
    const server = await served({
      ...kept,
      [`GET /subjects/${S}/versions/1`]: json({ id: 7, schema: '{"type":"record","name":"x.Order","fields":[]}' }),
      [`POST /subjects/${S}`]: json({ subject: S, version: 1, id: 7, schema: printed }),
    })
    expect(await (await opened(server.url)).register(S, schema)).toBe(7)
    expect(server.asked.filter(({ what }) => what.endsWith('/versions') && what.startsWith('POST'))).toEqual([])
  })

  test('CR4: a level that somebody has loosened is set again; one that cannot be set before is set after', async () => {
    const loose = await served({ ...kept, [`GET /config/${S}`]: json({ compatibilityLevel: 'NONE' }), ...putOnly() })
    await opened(loose.url)
    expect(loose.asked[1]).toMatchObject({ what: `PUT /config/${S}`, body: { compatibility: 'FULL_TRANSITIVE' } })
    const late = await served({
      ...empty,
      [`PUT /config/${S}`]: [noSubject, json({ compatibility: 'FULL_TRANSITIVE' })],
    })
    await opened(late.url)
    expect(late.asked.map(({ what }) => what).slice(-3)).toEqual([
      `POST /subjects/${S}/versions`,
      `GET /config/${S}`,
      `PUT /config/${S}`,
    ])
  })
  const putOnly = (): Script => ({ [`PUT /config/${S}`]: json({ compatibility: 'FULL_TRANSITIVE' }) })

  test('a subject is encoded, and a path in the address stays', async () => {
    const subject = 'a/b c?d'
    const path = '/apis/ccompat/v7'
    const server = await served({
      [`GET ${path}/config/a%2Fb%20c%3Fd`]: full,
      [`GET ${path}/subjects/a%2Fb%20c%3Fd/versions`]: json([1]),
      [`GET ${path}/subjects/a%2Fb%20c%3Fd/versions/1`]: json({ id: 3, schema: printed }),
    })
    const registry = await opened(`${server.url}${path}/`, { schemas: [{ subject, schema }] })
    expect(await registry.register(subject, schema)).toBe(3)
  })

  test.each([
    [{ username: 'app', password: 'hunter:22' }, 'Basic YXBwOmh1bnRlcjoyMg=='],
    [{ token: 'abc.def' }, 'Bearer abc.def'],
  ])('credentials go with every request: %o', async (credentials, header) => {
    const server = await served(empty)
    await opened(server.url, { credentials })
    expect(server.asked.length).toBeGreaterThan(3)
    for (const { headers } of server.asked) expect(headers.authorization).toBe(header)
  })

  test('the first subject goes alone, the others eight at a time, over as many connections', async () => {
    const subjects = Array.from({ length: 40 }, (_, index) => `s${index}`)
    const script: Record<string, Script[string]> = {}
    const slowly = (response: ServerResponse): void => {
      setTimeout(() => response.end(JSON.stringify({ compatibilityLevel: 'FULL_TRANSITIVE' })), 100)
    }
    for (const subject of subjects) {
      script[`GET /config/${subject}`] = slowly
      script[`GET /subjects/${subject}/versions`] = json([1])
      script[`GET /subjects/${subject}/versions/1`] = json({ id: 7, schema: printed })
    }
    const server = await served(script)
    const registry = await opened(server.url, { schemas: subjects.map((subject) => ({ subject, schema })) })
    expect(server.asked.slice(0, 3).every(({ what }) => what.includes('/s0'))).toBe(true)
    expect(server.atOnce()).toBe(8)
    expect(await server.connections()).toBeLessThanOrEqual(8)
    registry.close()
    await expect.poll(() => server.connections()).toBe(0)
  })
})

describe('what is answered', () => {
  test('CR1: no such id, in the registry’s own words, is null', async () => {
    const server = await served({
      ...kept,
      'GET /schemas/ids/12': noSchema(12),
      'GET /schemas/ids/13': json({ schema: older }),
    })
    const registry = await opened(server.url)
    expect(await registry.schemaById(12)).toBeNull()
    expect(await registry.schemaById(13)).toEqual({ schema: older })
    expect(await registry.schemaById(13)).toEqual({ schema: older })
    expect(server.asked.filter(({ what }) => what.endsWith('/13'))).toHaveLength(1)
  })

  test('an id above Java’s int is not asked for: the answer would be that of a path that is not served', async () => {
    const server = await served(kept)
    const registry = await opened(server.url)
    const asked = server.asked.length
    expect(await registry.schemaById(2 ** 31)).toBeNull()
    expect(server.asked).toHaveLength(asked)
    await expect(registry.schemaById(2 ** 31 - 1)).rejects.toMatchObject({ code: 'REGISTRY_FAILED' })
  })

  test.each([
    ['a path that is not served', refused(404, 404, 'HTTP 404 Not Found')],
    ['a 404 of a proxy', { status: 404, body: '<html>', headers: { 'content-type': 'text/html' } }],
    ['a page', { status: 200, body: '<html>', headers: { 'content-type': 'text/html' } }],
    ['another shape', json({ schema: 7 })],
    ['nothing', { status: 200, body: '' }],
    ['a list', json([])],
    ['credentials that were taken away', refused(401, 40101, 'User cannot access the resource')],
    ['a redirect', { status: 302, body: '', headers: { location: 'http://127.0.0.1:9/' } }],
    ['an error', refused(500, 50001, 'Error in the backend data store')],
  ])('CR1: %s says nothing of an id: it is asked again later', async (_, told) => {
    const registry = await opened((await served({ ...kept, 'GET /schemas/ids/12': told })).url)
    const error = await failing(registry.schemaById(12))
    expect(error).toMatchObject({ name: 'SchemaError', code: 'REGISTRY_FAILED', then: 'retry' })
    expect(error.message).toMatch(/^the schema registry at http:\/\/127\.0\.0\.1:\d+ [^\n]+$/)
  })

  test('another server at the address: one line that asks for the root', async () => {
    const error = await failing(opened((await served({})).url))
    expect(error).toMatchObject({ code: 'REGISTRY_FAILED' })
    expect(error.message).toContain(`GET /config/${S} as no registry does (404`)
    expect(error.message).toContain('is this the root of its API?')
  })

  test('an incompatible schema: subject and reason on one line', async () => {
    const message = `Schema being registered is incompatible with an earlier schema for subject "${S}", details: [{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE', description:'The field 'id' at path '/fields/0' in the new schema has no default value and is missing in the old schema', additionalInfo:'id'},\n{oldSchemaVersion: 1}, {oldSchema: '${'x'.repeat(3000)}'}, {compatibility: 'FULL_TRANSITIVE'}]`
    const server = await served({ ...empty, [`POST /subjects/${S}/versions`]: refused(409, 409, message) })
    const error = await failing(opened(server.url))
    expect(error).toMatchObject({ name: 'SchemaError', code: 'INCOMPATIBLE_SCHEMA', then: 'stop' })
    expect(error.message).toMatch(/^orders-x\.Order: [^\n]+READER_FIELD_MISSING_DEFAULT_VALUE[^\n]+$/)
    expect(error.message.length).toBeLessThan(800)
    expect(server.asked.filter(({ what }) => what === `POST /subjects/${S}/versions`)).toHaveLength(1)
  })

  test('a schema that is none, and a registry that takes none', async () => {
    const posted = (told: ReturnType<typeof refused>) => served({ ...empty, [`POST /subjects/${S}/versions`]: told })
    const bad = await failing(opened((await posted(refused(422, 42201, 'Input schema is an invalid Avro schema'))).url))
    expect(bad).toMatchObject({ code: 'BAD_SCHEMA', then: 'stop' })
    const readOnly = await failing(opened((await posted(refused(422, 42205, `Subject ${S} is in read-only mode`))).url))
    expect(readOnly).toMatchObject({ code: 'REGISTRY_FAILED', then: 'stop' })
    expect(readOnly.message).toContain('read-only mode')
  })

  test('two who do the same at one moment: asked again', async () => {
    const clash = refused(409, 0, "A rule named 'COMPATIBILITY' already exists.")
    const server = await served({
      ...empty,
      [`PUT /config/${S}`]: [clash, json({ compatibilityLevel: 'FULL_TRANSITIVE' })],
      [`POST /subjects/${S}/versions`]: [clash, json({ id: 9 })],
    })
    expect(await (await opened(server.url)).register(S, schema)).toBe(9)
  })

  test('who may only read works with what is there, and is told once', async () => {
    const no = refused(403, 40301, 'User is denied operation Write')
    const subjects = ['s1', 's2', 's3']
    const script: Record<string, Script[string]> = {}
    for (const subject of subjects) {
      script[`GET /config/${subject}`] = noLevel
      script[`PUT /config/${subject}`] = no
      script[`GET /subjects/${subject}/versions`] = json([1])
      script[`GET /subjects/${subject}/versions/1`] = json({ id: 7, schema: printed })
    }
    const registry = await opened((await served(script)).url, {
      schemas: subjects.map((subject) => ({ subject, schema })),
    })
    expect(await registry.register('s3', schema)).toBe(7)
    expect(notices).toEqual([expect.stringMatching(/answers 403: User is denied operation Write: s1 and others stay/)])
    const missing = await served({ ...empty, [`POST /subjects/${S}/versions`]: no })
    const error = await failing(opened(missing.url))
    expect(error).toMatchObject({ code: 'REGISTRY_FAILED', then: 'stop' })
    expect(error.message).toMatch(/^orders-x\.Order: .*403.*wanted credentials that may read and register it$/)
  })

  test.each([401, 403])('CR2: %i is no trouble: said at once, without the credentials', async (status) => {
    const server = await served({ [`GET /config/${S}`]: { status, body: '' } })
    const error = await failing(opened(server.url, { credentials: { username: 'app', password: 'hunter22' } }))
    expect(error).toMatchObject({ code: 'REGISTRY_FAILED', then: 'stop' })
    expect(error.message).toMatch(/wanted credentials/)
    expect(error.message).not.toMatch(/hunter22|aHVudGVyMjI/)
    expect(server.asked).toHaveLength(1)
    // And no connection stays behind.
    await expect.poll(() => server.connections()).toBe(0)
  })

  test('a redirect is not followed', async () => {
    const other = await served({})
    const server = await served({ [`GET /config/${S}`]: { status: 307, body: '', headers: { location: other.url } } })
    expect(await failing(opened(server.url, { credentials: { token: 't' } }))).toMatchObject({ then: 'stop' })
    expect(other.asked).toHaveLength(0)
  })
})

describe('CR2: trouble', () => {
  test.each([408, 429, 500, 502, 503, 504])('%i is asked again, a bounded number of times', async (status) => {
    const passing = await served({ ...kept, [`GET /config/${S}`]: [{ status, body: '' }, { status, body: '' }, full] })
    await opened(passing.url)
    expect(passing.asked.filter(({ what }) => what === `GET /config/${S}`)).toHaveLength(3)
    const lasting = await served({ ...kept, [`GET /config/${S}`]: refused(status, 50002, 'Operation timed out') })
    const error = await failing(opened(lasting.url))
    expect(error).toMatchObject({ code: 'REGISTRY_FAILED', then: 'retry' })
    expect(error.message).toContain(`answers ${status}: Operation timed out`)
    expect(lasting.asked).toHaveLength(3)
  })

  test('a wait that is asked for is kept, unless it is too long', async () => {
    const wait = (seconds: number) => ({ status: 429, body: '', headers: { 'retry-after': String(seconds) } })
    const begun = performance.now()
    await opened((await served({ ...kept, [`GET /config/${S}`]: [wait(1), full] })).url)
    expect(performance.now() - begun).toBeGreaterThan(990)
    const long = await served({ ...kept, [`GET /config/${S}`]: [wait(60), full] })
    expect(await failing(opened(long.url))).toMatchObject({ code: 'REGISTRY_FAILED' })
    expect(long.asked).toHaveLength(1)
  })

  test('nobody listens: one line with address and reason, and no name or password', async () => {
    const port = await freePort()
    const error = await failing(opened(`http://app:hunter22@127.0.0.1:${port}/apis/ccompat/v7/`))
    expect(error.message).toBe(
      `the schema registry at http://127.0.0.1:${port}/apis/ccompat/v7 cannot be reached (ECONNREFUSED)`,
    )
  })

  const cutOff = (response: ServerResponse): void => {
    response.writeHead(200, { 'content-length': 100 })
    response.write('{')
    setTimeout(() => response.destroy(), 10)
  }
  const trickle = (response: ServerResponse): void => {
    response.writeHead(200)
    const timer = setInterval(() => response.write(' '), 20)
    response.on('close', () => clearInterval(timer))
  }
  const flood = (response: ServerResponse): void => {
    const chunk = Buffer.alloc(1 << 20, 0x20)
    const more = (): void => {
      if (!response.destroyed) response.write(chunk, more)
    }
    more()
  }
  test.each<[string, (response: ServerResponse) => void, RegExp]>([
    ['no answer at all', () => undefined, /gives no whole answer in time$/],
    ['an answer that never ends', trickle, /gives no whole answer in time$/],
    ['an answer that is cut off', cutOff, /cannot be reached \(ECONNRESET\)$/],
    ['an answer without measure', flood, /cannot be reached \(TOO_LARGE\)$/],
  ])('%s', async (_, tell, line) => {
    const server = await served({ ...kept, [`GET /config/${S}`]: tell })
    const error = await failing(opened(server.url, { timeoutMs: 300 }))
    expect(error).toMatchObject({ code: 'REGISTRY_FAILED', then: 'retry' })
    expect(error.message).toMatch(line)
    expect(server.asked).toHaveLength(3)
    await expect.poll(() => server.connections()).toBe(0)
  })

  test('a failure at the start is not kept', async () => {
    const server = await served({
      ...kept,
      [`GET /config/${S}`]: [...Array.from({ length: 3 }, () => ({ status: 503, body: '' })), full],
    })
    const registry = await opened(server.url, { schemas: [] })
    await expect(registry.register(S, schema)).rejects.toMatchObject({ then: 'retry' })
    expect(await registry.register(S, schema)).toBe(7)
  })
})

test('https, with its authority given and without', async () => {
  const { private: key, cert } = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  })
  const server = await served(kept, { key, cert })
  expect(await (await opened(server.url, { ca: cert })).register(S, schema)).toBe(7)
  const asked = server.asked.length
  const error = await failing(opened(server.url))
  expect(error).toMatchObject({ code: 'REGISTRY_FAILED', then: 'stop' })
  expect(error.message).toMatch(/shows a certificate that is not trusted \(DEPTH_ZERO_SELF_SIGNED_CERT\)/)
  const elsewhere = server.url.replace('127.0.0.1', 'localhost')
  expect((await failing(opened(elsewhere, { ca: cert }))).message).toMatch(/ERR_TLS_CERT_ALTNAME_INVALID/)
  expect(server.asked).toHaveLength(asked)
})
