/** What the API says of itself: the document and the page are made from the list that is mounted. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  identityEndpoints,
  ingestEndpoints,
  operatorEndpoints,
  queryDefaults,
  queryEndpoints,
} from '../../../api/index.ts'
import type { Endpoint } from '../../../api/index.ts'
import { curl } from '../../../api/http/docs-page.ts'
import { operationsKeptMs } from '../../../api/http/operations.ts'
import type { TestServer } from './world.ts'
import { call, serve, systemClock } from './world.ts'

/** The handlers are not called here. */
const absent = {} as never
const endpoints: readonly Endpoint[] = [
  ...identityEndpoints(absent),
  ...ingestEndpoints(absent),
  ...queryEndpoints({
    pool: absent,
    waitVisible: absent,
    clock: systemClock,
    time: () => 0,
    ingest: absent,
    readEvent: absent,
    settings: { ...queryDefaults, cursorSecret: Buffer.alloc(32) },
  }),
  ...operatorEndpoints(absent),
]

interface Operation {
  readonly security: readonly unknown[]
  readonly operationId?: string
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required: boolean }[]
}

let server: TestServer
let document: {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

beforeAll(async () => {
  server = await serve(endpoints)
  document = (await call(`${server.url}/openapi.json`)).body
})
afterAll(() => server.close())

const documented = () =>
  Object.entries(document.paths)
    .flatMap(([path, of]) => Object.keys(of).map((method) => `${method} ${path}`))
    .sort()

test('the document holds every endpoint and operation, and nothing besides (H1)', () => {
  const mounted = endpoints.map(({ method, path }) => `${method} /api/v1${path.replace(/:(\w+)/g, '{$1}')}`)
  const operations = ['/health', '/ready', '/metrics', '/openapi.json', '/docs'].map((path) => `get ${path}`)
  expect(documented()).toEqual([...mounted, ...operations].sort())
  expect(new Set(documented()).size).toBe(mounted.length + operations.length)
  expect(document.openapi).toBe('3.1.0')
})

test('every documented path is answered by exactly its documented methods', async () => {
  for (const [path, of] of Object.entries(document.paths)) {
    const url = server.url + path.replace(/\{\w+\}/g, 'x')
    const allowed = Object.keys(of)
      .flatMap((method) => (method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()]))
      .sort()
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
      const { status, headers } = await call(url, { method })
      if (allowed.includes(method))
        expect([method, path, status]).not.toEqual([
          method,
          path,
          expect.toSatisfy((s: number) => s === 404 || s === 405),
        ])
      else
        expect([method, path, status, headers.get('allow')?.split(', ').sort()]).toEqual([method, path, 405, allowed])
    }
  }
})

test('what needs a credential says so, and refuses without one', async () => {
  for (const [path, of] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(of)) {
      const { status } = await call(server.url + path.replace(/\{\w+\}/g, 'x'), { method: method.toUpperCase() })
      expect([method, path, status === 401]).toEqual([method, path, operation.security.length > 0])
    }
  }
})

test('where API keys are taken, the scope they need is named, in the list and in the document', () => {
  const taking = endpoints.filter(({ auth }) => auth === 'any' || auth === 'api_key')
  expect(taking.length).toBeGreaterThan(5)
  for (const { method, path, scope } of taking) {
    const { security } = document.paths[`/api/v1${path.replace(/:(\w+)/g, '{$1}')}`]![method]!
    expect([path, scope]).toEqual([path, method === 'get' ? 'read' : 'events:write'])
    expect(security).toContainEqual({ api_key: [scope] })
  }
})

test('parameters and bodies are described as they are checked', () => {
  const { parameters } = document.paths['/api/v1/reviews']!.get!
  expect(parameters?.map(({ name, required }) => [name, required])).toEqual([
    ['min_position', false],
    ['limit', false],
    ['cursor', false],
    ['status', false],
    ['organization_id', false],
  ])
  expect(document.paths['/api/v1/research/{organization_id}/results']!.get!.parameters?.[0]).toMatchObject({
    name: 'organization_id',
    in: 'path',
    required: true,
  })
  const ids = Object.values(document.paths).flatMap((of) =>
    Object.values(of).flatMap(({ operationId }) => operationId ?? []),
  )
  expect(new Set(ids).size).toBe(endpoints.length)
  const signup = JSON.stringify(document.paths['/api/v1/auth/signup'])
  expect(signup).toContain('"company_name"')
  expect(signup).toContain('"additionalProperties":false')
})

test('the page shows every endpoint with its command, and loads nothing', async () => {
  const { status, body, headers } = await call(`${server.url}/docs`)
  expect(status).toBe(200)
  expect(headers.get('content-security-policy')).toContain("default-src 'none'")
  expect(body).not.toMatch(/<script|<link|<img|src=|@import|url\(/)
  for (const { summary, method } of endpoints) {
    expect(body).toContain(`>${method.toUpperCase()}</span>`)
    expect(body).toContain(summary.slice(0, 20))
  }
  expect(body.match(/curl /g)?.length).toBeGreaterThanOrEqual(endpoints.length)
})

test('the commands of the page are commands', () => {
  const events = curl(endpoints.find(({ path }) => path === '/events')!)
  expect(events).toMatch(/^curl -X POST \\\n {2}"\$BASE\/api\/v1\/events" \\\n {2}-H "Authorization: Bearer \$KEY"/)
  const body = /-d '([^]*)'$/.exec(events)![1]!
  expect(JSON.parse(body)).toMatchObject({
    topic: 'research_events',
    type: 'research_requested',
    payload: { company_name: 'Acme' },
  })
  expect(curl(endpoints.find(({ path }) => path === '/reviews/:review_id')!)).toContain('/reviews/$REVIEW_ID"')
})

test('health, readiness and metrics cost no more however many ask: one answer serves all of a moment', async () => {
  let now = 0
  const made = { health: 0, ready: 0 }
  let fails = false
  const report = { status: 'ok', version: '1', roles: [], providers: [] } as const
  await using asked = await serve(
    [],
    {},
    {
      clock: { ...systemClock, now: () => now },
      health: async () => {
        made.health += 1
        await new Promise((resolve) => setTimeout(resolve, 50))
        if (fails) throw new Error('no')
        return report
      },
      ready: () => {
        made.ready += 1
        return true
      },
    },
  )
  const all = async (path: string) =>
    new Set(await Promise.all(Array.from({ length: 20 }, async () => (await call(asked.url + path)).status)))
  for (const path of ['/health', '/ready']) expect(await all(path)).toEqual(new Set([200]))
  expect(made).toEqual({ health: 1, ready: 1 })
  for (const time of [operationsKeptMs, -3_600_000]) {
    now = time
    for (const path of ['/health', '/ready']) await all(path)
  }
  expect(made).toEqual({ health: 3, ready: 3 })
  // A failure is told to those who wait for it, and to nobody later.
  now = 1_000_000
  fails = true
  expect(await all('/health')).toEqual(new Set([500]))
  fails = false
  expect(await all('/health')).toEqual(new Set([200]))
})

test('health, readiness', async () => {
  expect(await call(`${server.url}/health`)).toMatchObject({
    status: 200,
    body: { status: 'ok', providers: [{ name: 'mail', mode: 'sandbox' }] },
  })
  expect(await call(`${server.url}/ready`)).toMatchObject({ status: 200, body: { ready: true } })
  await using waiting = await serve([], {}, { ready: () => false })
  expect(await call(`${waiting.url}/ready`)).toMatchObject({ status: 503, body: { ready: false } })
})
