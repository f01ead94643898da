import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { ApiProblem, endpoint } from '../../../api/index.ts'
import type { TestServer } from './world.ts'
import { answersIn, call, person, raw, serve, statusOf, tenantA, tenantB, tokenOf } from './world.ts'

/** What the handler of /echo was given, newest last. */
const seen: unknown[] = []

const endpoints = [
  endpoint({
    method: 'post',
    path: '/echo',
    summary: 'Answers what it was sent',
    tag: 'test',
    auth: 'none',
    request: z.record(z.string(), z.unknown()),
    response: [{ status: 200, description: 'The same' }],
    handler: async ({ body }) => {
      seen.push(body)
      return { status: 200, body }
    },
  }),
  endpoint({
    method: 'post',
    path: '/strict',
    summary: 'Takes one field',
    tag: 'test',
    auth: 'none',
    request: z.object({ name: z.string() }),
    response: [{ status: 200, description: 'Fine' }],
    handler: async ({ body }) => ({ status: 200, body }),
  }),
  endpoint({
    method: 'get',
    path: '/things/:id',
    summary: 'Who asks for what',
    tag: 'test',
    auth: 'bearer',
    query: z.object({ limit: z.string().regex(/^\d+$/).optional() }),
    response: [{ status: 200, description: 'Both' }],
    handler: async ({ principal, params, ip }) => ({
      status: 200,
      body: { tenant: principal.tenantId, id: params.id, ip },
    }),
  }),
  endpoint({
    method: 'get',
    path: '/broken',
    summary: 'Throws',
    tag: 'test',
    auth: 'none',
    response: [],
    handler: async () => {
      throw new Error('password=hunter2 at /home/secret.ts')
    },
  }),
  endpoint({
    method: 'get',
    path: '/refused',
    summary: 'Throws a problem',
    tag: 'test',
    auth: 'none',
    response: [],
    handler: async () => {
      throw new ApiProblem(503, 'busy', 'Later.', { headers: { 'Retry-After': '7' }, extra: { index: 3 } })
    },
  }),
]

let server: TestServer
let api: string
const limit = 64 * 1024

beforeAll(async () => {
  server = await serve(endpoints, {
    bodyLimitBytes: limit,
    headersTimeoutMs: 300,
    requestTimeoutMs: 600,
    timeoutCheckMs: 50,
  })
  api = `${server.url}/api/v1`
})
afterAll(() => server.close())

const post = (path: string, headers: readonly string[], body: string): string =>
  [`POST /api/v1${path} HTTP/1.1`, 'Host: a', 'Content-Type: application/json', ...headers, '', body].join('\r\n')

test('row 1: an honest Content-Length one byte over the limit is 413 before the body, and the connection ends', async () => {
  const { text, closed } = await raw(server.port, [post('/echo', [`Content-Length: ${String(limit + 1)}`], '')])
  expect(statusOf(text)).toBe(413)
  expect(text).toContain('"code":"too_large"')
  expect(text.toLowerCase()).toContain('connection: close')
  expect(closed).toBe(true)
})

test('row 1: with Expect: 100-continue the body is never asked for', async () => {
  const { text } = await raw(server.port, [
    post('/echo', [`Content-Length: ${String(limit + 1)}`, 'Expect: 100-continue'], ''),
  ])
  expect(answersIn(text)).toBe(1)
  expect(statusOf(text)).toBe(413)
  const body = '{"a":1}'
  const good = await raw(server.port, [
    post('/echo', ['Content-Length: 7', 'Expect: 100-continue', 'Connection: close'], body),
  ])
  expect(good.text).toContain('100 Continue')
  expect(good.text).toContain('HTTP/1.1 200')
})

test('row 2: a chunked body that passes the limit midway is 413 at the limit', async () => {
  const before = seen.length
  const chunk = `8000\r\n${' '.repeat(0x8000)}\r\n`
  const { text, closed } = await raw(server.port, [
    post('/echo', ['Transfer-Encoding: chunked'], ''),
    chunk,
    chunk,
    chunk,
  ])
  expect(statusOf(text)).toBe(413)
  expect(closed).toBe(true)
  expect(seen.length).toBe(before)
})

test('row 2: a Content-Length lower than what is sent never makes a second request of the rest', async () => {
  const before = seen.length
  const { text } = await raw(server.port, [post('/echo', ['Content-Length: 7'], '{"a":1}{"smuggled":1}\r\n\r\n')])
  expect(seen.slice(before)).toEqual([{ a: 1 }])
  expect(text).toContain('HTTP/1.1 400')
})

test('row 3: gzip is bounded in its output, taken once, and nothing else is', async () => {
  const headers = { 'Content-Encoding': 'gzip' }
  const zipped = (data: string | Buffer) => call(`${api}/echo`, { text: gzipSync(data), headers })
  expect((await zipped('{"a":1}')).body).toEqual({ a: 1 })
  const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024))
  expect(bomb.length).toBeLessThan(limit)
  expect(await call(`${api}/echo`, { text: bomb, headers })).toMatchObject({ status: 413, body: { code: 'too_large' } })
  expect(await zipped(gzipSync('{"a":1}'))).toMatchObject({ status: 415, body: { code: 'unsupported_encoding' } })
  for (const encoding of ['br', 'deflate', 'gzip, gzip', 'x']) {
    const answer = await call(`${api}/echo`, { body: {}, headers: { 'Content-Encoding': encoding } })
    expect(answer).toMatchObject({ status: 415, body: { code: 'unsupported_encoding' } })
    expect(answer.headers.get('accept-encoding')).toBe('gzip')
  }
  expect(await call(`${api}/echo`, { text: gzipSync('{"a":1}').subarray(0, 12), headers })).toMatchObject({
    status: 400,
    body: { code: 'bad_encoding' },
  })
})

test('row 4: headers, bodies and sockets that do not come are answered 408 and closed; others are served meanwhile (H2)', async () => {
  const slow = [
    raw(server.port, ['POST /api/v1/echo HTTP/1.1\r\nHost: a\r\n']),
    raw(server.port, [post('/echo', ['Content-Length: 100'], '{"a"')]),
    ...Array.from({ length: 50 }, () => raw(server.port, [])),
  ]
  const others = await Promise.all(Array.from({ length: 20 }, () => call(`${api}/echo`, { body: { a: 1 } })))
  expect(others.every(({ status }) => status === 200)).toBe(true)
  const answers = await Promise.all(slow)
  expect(answers.every(({ closed }) => closed)).toBe(true)
  expect(answers.slice(0, 2).map(({ text }) => statusOf(text))).toEqual([408, 408])
  expect(answers[0]!.text).toContain('"code":"timeout"')
})

test.each([
  [
    'Content-Length and Transfer-Encoding',
    ['Content-Length: 4', 'Transfer-Encoding: chunked'],
    '0\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n',
  ],
  [
    'two Content-Lengths',
    ['Content-Length: 7', 'Content-Length: 8'],
    '{"a":1} GET /health HTTP/1.1\r\nHost: a\r\n\r\n',
  ],
  ['an unknown transfer coding', ['Transfer-Encoding: chunked, x'], '0\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['bare line feeds', ['X: 1\nContent-Length: 7'], '{"a":1}GET /health HTTP/1.1\r\nHost: a\r\n\r\n'],
])('row 5: %s is 400, closed, and nothing behind it is served', async (_name, headers, body) => {
  const { text, closed } = await raw(server.port, [post('/echo', headers, body)])
  expect(statusOf(text)).toBe(400)
  expect(answersIn(text)).toBe(1)
  expect(closed).toBe(true)
})

test('rows 6, 7, 8, 11, 13 arrive as problems', async () => {
  const answer = async (text: string) => {
    const { status, body } = await call(`${api}/echo`, { text })
    return `${String(status)} ${String(body.code)}`
  }
  expect(await answer('{"a":1,}')).toBe('400 invalid_json')
  expect(await answer('')).toBe('400 invalid_json')
  expect(await answer('['.repeat(10_000))).toBe('400 too_deep')
  expect(await answer('{"a":1,"a":2}')).toBe('400 duplicate_key')
  expect(await answer('{"a":9007199254740993}')).toBe('422 number_not_exact')
  expect(await answer('{"a":"\\u0000"}')).toBe('422 bad_text')
})

test('row 10: a field that is not declared is 422, whether or not the schema said strict', async () => {
  expect(await call(`${api}/strict`, { body: { name: 'x', is_admin: true } })).toMatchObject({
    status: 422,
    body: { code: 'unknown_field', errors: [{ field: 'is_admin' }] },
  })
  expect(await call(`${api}/strict`, { body: {} })).toMatchObject({ status: 422, body: { code: 'missing_field' } })
  expect(await call(`${api}/strict`, { body: { name: 1 } })).toMatchObject({
    status: 422,
    body: { code: 'invalid_field' },
  })
})

test('row 18: a client that leaves in mid-body changes nothing', async () => {
  const before = seen.length
  const { closed } = await raw(server.port, [post('/echo', ['Content-Length: 50'], '{"a":')], 100)
  expect(closed).toBe(false)
  await call(`${api}/echo`, { body: { after: 1 } })
  expect(seen.slice(before)).toEqual([{ after: 1 }])
})

test('row 19: other methods are 405 with Allow; overrides are not read', async () => {
  for (const method of ['PUT', 'DELETE', 'PATCH', 'GET', 'OPTIONS']) {
    const answer = await call(`${api}/echo`, { method })
    expect([method, answer.status, answer.headers.get('allow')]).toEqual([method, 405, 'POST'])
  }
  expect((await call(`${api}/broken`, { method: 'DELETE' })).headers.get('allow')).toBe('GET, HEAD')
  for (const line of ['TRACE /api/v1/echo HTTP/1.1', 'TRACE /nothing HTTP/1.1', 'CONNECT example.com:443 HTTP/1.1']) {
    expect(statusOf((await raw(server.port, [`${line}\r\nHost: a\r\nConnection: close\r\n\r\n`])).text)).toBe(405)
  }
  const override = await call(`${api}/echo`, { body: { a: 1 }, headers: { 'X-HTTP-Method-Override': 'DELETE' } })
  expect(override.status).toBe(200)
})

test('row 19: forwarded addresses and tenant headers are not read (H3)', async () => {
  const headers = { 'X-Forwarded-For': '9.9.9.9', 'X-Tenant-Id': tenantB, Forwarded: 'for=9.9.9.9' }
  const { body } = await call(`${api}/things/1`, { token: tokenOf(person(tenantA)), headers })
  expect(body).toEqual({ tenant: tenantA, id: '1', ip: '127.0.0.1' })
})

test('a trusted proxy says whose address it is, past the proxies that are trusted too; anybody else is not believed (H3)', async () => {
  const said = 'spoofed, 9.9.9.9, 198.51.100.7, 10.1.2.3'
  const ipSeen = async (trustedProxies: readonly string[]): Promise<unknown> => {
    await using behind = await serve(endpoints, { trustedProxies })
    const headers = { 'X-Forwarded-For': said }
    const { body } = await call(`${behind.url}/api/v1/things/1`, { token: tokenOf(person(tenantA)), headers })
    return body['ip']
  }
  expect(await ipSeen([])).toBe('127.0.0.1')
  expect(await ipSeen(['10.0.0.0/8'])).toBe('127.0.0.1')
  expect(await ipSeen(['127.0.0.0/8'])).toBe('10.1.2.3')
  expect(await ipSeen(['127.0.0.1', '10.0.0.0/8'])).toBe('198.51.100.7')
})

test('behind a trusted proxy each client has its own allowance (H3)', async () => {
  await using behind = await serve(endpoints, { requestsPerMinute: 2, trustedProxies: ['127.0.0.1'] })
  const status = async (address: string) =>
    (await call(`${behind.url}/nothing`, { headers: { 'X-Forwarded-For': address } })).status
  expect([await status('9.9.9.9'), await status('9.9.9.9'), await status('9.9.9.9')]).toEqual([404, 404, 429])
  expect(await status('8.8.8.8')).toBe(404)
})

test.each([
  undefined,
  'text/plain',
  'application/json; charset=utf-16',
  'application/jsonx',
  'application/json; boundary=x',
])('row 20: Content-Type %s is 415', async (type) => {
  const head = ['POST /api/v1/echo HTTP/1.1', 'Host: a', 'Content-Length: 2', 'Connection: close']
  if (type !== undefined) head.push(`Content-Type: ${type}`)
  const { text } = await raw(server.port, [[...head, '', '{}'].join('\r\n')])
  expect(statusOf(text)).toBe(415)
  expect(text).toContain('"code":"unsupported_media_type"')
})

test('row 20: charset utf-8 is taken in any spelling', async () => {
  for (const type of ['application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"'])
    expect((await call(`${api}/echo`, { body: { a: 1 }, headers: { 'Content-Type': type } })).status).toBe(200)
})

test('row 29: a token of 64 KB is 431; every failed authentication has one answer', async () => {
  const huge = await raw(server.port, [
    `GET /api/v1/things/1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${'x'.repeat(65_536)}\r\n\r\n`,
  ])
  expect(statusOf(huge.text)).toBe(431)
  const bodies = new Set<string>()
  for (const headers of [
    {},
    { Authorization: 'Bearer junk' },
    { Authorization: 'Basic YTpi' },
    { Authorization: 'Bearer lck_unknown' },
  ] as Record<string, string>[]) {
    const answer = await call(`${api}/things/1`, { headers })
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe('Bearer')
    bodies.add(answer.body.code)
  }
  expect(bodies).toEqual(new Set(['unauthorized']))
  const key = await call(`${api}/things/1`, { token: `lck_${tenantA}` })
  expect(key).toMatchObject({ status: 403, body: { code: 'wrong_credential' } })
})

test('row 43: unknown, repeated and malformed parameters are 400', async () => {
  const code = async (query: string) =>
    (await call(`${api}/things/1?${query}`, { token: tokenOf(person(tenantA)) })).body.code
  expect(await code('limit=1&limit=2')).toBe('repeated_parameter')
  expect(await code('other=1')).toBe('unknown_parameter')
  expect(await code('__proto__=1')).toBe('unknown_parameter')
  expect(await code('limit=1%200R')).toBe('bad_parameter')
  expect(await code('limit=%00')).toBe('bad_parameter')
  expect(await code('limit=%ff')).toBe('bad_parameter')
})

test('every answer of the API says what time it is for the business, a refusal too', async () => {
  const noon = Date.parse('2031-03-05T12:00:00.000Z')
  await using elsewhen = await serve(endpoints, {}, { time: () => noon })
  for (const path of ['/broken', '/refused', '/things/1']) {
    const answer = await call(`${elsewhen.url}/api/v1${path}`)
    expect(answer.headers.get('business-time'), path).toBe('2031-03-05T12:00:00.000Z')
  }
  const { headers } = await call(`${api}/broken`)
  expect(Math.abs(Date.parse(headers.get('business-time')!) - Date.now())).toBeLessThan(60_000)
})

test('errors are problems with our id, and say nothing of the inside (H4)', async () => {
  const broken = await call(`${api}/broken`)
  expect(broken.headers.get('content-type')).toBe('application/problem+json')
  expect(broken.body).toEqual({
    type: 'urn:problem:internal_error',
    title: 'Internal Server Error',
    status: 500,
    code: 'internal_error',
    detail: expect.any(String),
    request_id: broken.headers.get('x-request-id'),
  })
  expect(JSON.stringify(broken.body)).not.toMatch(/hunter2|secret|Error:/)
  const logged = server.lines.find((line) => line.request_id === broken.body.request_id && line.level === 50)
  expect(JSON.stringify(logged)).toContain('hunter2')

  const refused = await call(`${api}/refused`)
  expect(refused).toMatchObject({ status: 503, body: { code: 'busy', index: 3 } })
  expect(refused.headers.get('retry-after')).toBe('7')
  expect(await call(`${server.url}/nothing`)).toMatchObject({ status: 404, body: { code: 'not_found' } })
  expect(await call(`${api}/things/%zz`, { token: tokenOf(person(tenantA)) })).toMatchObject({
    status: 400,
    body: { code: 'bad_path' },
  })
})

test('metrics name routes, never ids', async () => {
  await call(`${api}/things/secret-id-77`, { token: tokenOf(person(tenantA)) })
  const { body } = await call(`${server.url}/metrics`)
  expect(body).toContain('route="/api/v1/things/:id"')
  expect(body).not.toContain('secret-id-77')
  expect(JSON.stringify(server.lines)).not.toContain('secret-id-77')
})

test('one address has its allowance; the next request says when to come back; probes are not counted', async () => {
  let now = 1_000_000
  const clock = { now: () => now, after: () => () => undefined }
  await using limited = await serve(endpoints, { requestsPerMinute: 3 }, { clock })
  const status = async (path: string) => (await call(limited.url + path)).status
  expect([
    await status('/nothing'),
    await status('/nothing'),
    await status('/nothing'),
    await status('/nothing'),
  ]).toEqual([404, 404, 404, 429])
  const answer = await call(`${limited.url}/nothing`)
  expect(answer.body.code).toBe('too_many_requests')
  expect(answer.headers.get('retry-after')).toBe('20')
  expect(await status('/ready')).toBe(200)
  now += 20_000
  expect([await status('/nothing'), await status('/nothing')]).toEqual([404, 429])
})

test('close lets a request in flight end, and returns though a client holds its connection', async () => {
  let release = (): void => undefined
  let began = (): void => undefined
  const started = new Promise<void>((resolve) => (began = resolve))
  const waiting = endpoint({
    method: 'get',
    path: '/wait',
    summary: 'Waits',
    tag: 'test',
    auth: 'none',
    response: [],
    handler: async () => {
      began()
      await new Promise<void>((resolve) => (release = resolve))
      return { status: 200, body: { done: true } }
    },
  })
  const closing = await serve([waiting], { closeGraceMs: 2_000 })
  const idle = raw(closing.port, [])
  const answer = call(`${closing.url}/api/v1/wait`)
  await started
  const closed = closing.close()
  release()
  expect((await answer).body).toEqual({ done: true })
  await closed
  expect((await idle).closed).toBe(true)
})

test('a mount sees what is below it, and its failures are problems too', async () => {
  await using mounted = await serve(
    [],
    {},
    {
      mounts: {
        '/registry': (request, response) => {
          if (request.url === '/boom') throw new Error('inside')
          response.end(`at ${String(request.url)}`)
        },
      },
    },
  )
  expect((await call(`${mounted.url}/registry/subjects?a=1`)).body).toBe('at /subjects?a=1')
  expect(await call(`${mounted.url}/registry/boom`)).toMatchObject({ status: 500, body: { code: 'internal_error' } })
})
