/** The whole product in one process on a directory of its own: two tenants, rebuilds, and what is left after damage. */

import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { differentRows, embeddedDatabaseUrl, readRows } from '../../deploy/chaos/rows.ts'
import { askAdmin } from '../../deploy/admin-socket.ts'
import { readConfig } from '../../deploy/config.ts'
import type { Platform } from '../../deploy/platform.ts'
import { startPlatform } from '../../deploy/platform.ts'
import { projections } from '../../sinks/index.ts'
import { crossTenantFindings, crossTenantRequests } from '../api/http/cross-tenant.ts'

const directory = mkdtempSync(join(tmpdir(), 'platform-'))
chmodSync(directory, 0o755)
const dataDir = join(directory, 'data')
const notices: string[] = []
const failures: Error[] = []
let platform: Platform

async function start(): Promise<void> {
  const result = readConfig({ DATA_DIR: dataDir, PORT: '0', RATE_LIMIT_PER_MINUTE: '0', LOG_LEVEL: 'error' })
  if ('errors' in result) throw new Error(result.errors.join('\n'))
  notices.length = 0
  platform = await startPlatform({
    config: result.config,
    version: 'test',
    notice: (line) => notices.push(line),
    failed: (error) => failures.push(error),
  })
}

beforeAll(start, 120_000)
afterAll(async () => {
  await platform.close()
  rmSync(directory, { recursive: true, force: true })
}, 60_000)

type Body = Record<string, unknown>

async function call(
  method: string,
  path: string,
  token: string | null,
  body?: unknown,
): Promise<{ status: number; body: Body }> {
  const response = await fetch(platform.url + path, {
    method,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as Body }
}

async function until<T>(what: string, look: () => Promise<T | null>): Promise<T> {
  for (
    const deadline = Date.now() + 20_000;
    Date.now() < deadline;
    await new Promise((resolve) => setTimeout(resolve, 50))
  ) {
    const found = await look()
    if (found !== null) return found
  }
  throw new Error(`${what} did not come; ${notices.join(' | ')} ${failures.join(' | ')}`)
}

interface Client {
  readonly token: string
  readonly organizationId: string
  readonly profile: Body
}

/** From sign-up to a logged-in owner. */
async function register(email: string, company: string): Promise<Client> {
  const password = 'correct horse'
  const names = { first_name: 'Canary-Ada', last_name: 'Byron' }
  const signup = await call('POST', '/api/v1/auth/signup', null, { email, password, company_name: company, ...names })
  expect(signup.status).toBe(201)
  const mails = `/sandbox/mail?to=${encodeURIComponent(email)}`
  const code = await until(`mail to ${email}`, async () => {
    const list = (await call('GET', mails, null)).body as unknown as { text: string }[]
    return /\b\d{6}\b/.exec(list.at(-1)?.text ?? '')?.[0] ?? null
  })
  const verified = await call('POST', '/api/v1/auth/verify-email', null, { email, code })
  expect(verified.status).toBe(200)
  const login = await call('POST', '/api/v1/auth/login', null, { email, password })
  const token = String(login.body['access_token'])
  const profile = await call('GET', '/api/v1/profile', token)
  return { token, organizationId: String(verified.body['organization_id']), profile: profile.body }
}

const results = ({ token, organizationId }: Client, wanted: string): Promise<Body> =>
  until(`research of ${organizationId} to be ${wanted}`, async () => {
    const { status, body } = await call('GET', `/api/v1/research/${organizationId}/results`, token)
    return status === 200 && body['status'] === wanted ? body : null
  })

const admin = (command: string, args: string[] = []): Promise<string[]> => {
  const lines: string[] = []
  return askAdmin(dataDir, { command, args }, (line) => lines.push(line)).then(() => lines)
}

async function callsMade(): Promise<unknown> {
  return (await call('GET', '/sandbox/calls', null)).body['total']
}

let a: Client
let b: Client

describe('one process, two tenants', () => {
  test('a company goes from sign-up to researched; another one waits for a person', async () => {
    const rule = { companies: ['b.example'], answer: 'low_confidence' }
    expect((await call('PUT', '/sandbox/script', null, [rule])).status).toBeLessThan(300)
    a = await register('ada@a.example', 'Canary-A')
    b = await register('bob@b.example', 'Canary-B')
    const found = await results(a, 'completed')
    expect((found['competitors'] as unknown[]).length).toBeGreaterThanOrEqual(3)
    expect(Object.keys(found['company_info'] as object).length).toBeGreaterThan(0)
    await results(b, 'in_review')
    expect(await admin('dead-letters')).toEqual(['no dead letters'])
    expect(await admin('blocked')).toEqual(['no key is blocked'])
  }, 60_000)

  test('tenant A gets 404 for every id of tenant B on every endpoint', async () => {
    const sessions = (await call('GET', `/api/v1/research/${b.organizationId}/sessions`, b.token)).body[
      'items'
    ] as Body[]
    const reviews = (await call('GET', '/api/v1/reviews', b.token)).body['items'] as Body[]
    const found = (await call('GET', `/api/v1/research/${b.organizationId}/results`, b.token)).body[
      'findings'
    ] as Body[]
    const ids = {
      organization_id: b.organizationId,
      tenant_id: String((b.profile['organization'] as Body)['tenant_id']),
      user_id: String(b.profile['user_id']),
      research_session_id: String(sessions[0]?.['research_session_id']),
      review_id: String(reviews[0]?.['review_id']),
      finding_id: String(found[0]?.['finding_id']),
    }
    for (const id of Object.values(ids)) expect(id).toMatch(/^[0-9a-f-]{36}$/)
    const canaries = ['Canary-B', 'b.example', ...Object.values(ids)]
    const { ran, findings } = await crossTenantFindings(crossTenantRequests(platform.endpoints, ids), {
      url: platform.url,
      token: a.token,
      canaries: canaries.filter((text) => !Object.values(ids).includes(text)),
    })
    expect(findings).toEqual([])
    expect(ran).toBeGreaterThanOrEqual(500)
  }, 120_000)

  test('the router serves what the OpenAPI document lists', async () => {
    const document = (await call('GET', '/openapi.json', null)).body
    const listed = Object.entries(document['paths'] as Record<string, Body>).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    )
    const served = platform.endpoints.map(({ method, path }) => `${method} /api/v1${path.replace(/:(\w+)/g, '{$1}')}`)
    expect(listed.filter((entry) => entry.includes('/api/v1')).sort()).toEqual(served.sort())
  })
})

describe('what can be lost comes back', () => {
  test('rebuild of every projection gives the same rows and calls no provider', async () => {
    const pool = new pg.Pool({ connectionString: embeddedDatabaseUrl(dataDir) })
    const tables = projections.flatMap((projection) => projection.tables.map((table) => `lifecycle.${table.name}`))
    const calls = await callsMade()
    const before = await readRows(pool, tables)
    expect(before.get('lifecycle.research_findings')?.length).toBeGreaterThan(5)
    const lines = await admin('projections rebuild', ['all'])
    expect(lines).toHaveLength(projections.length)
    const after = await readRows(pool, tables)
    await pool.end()
    expect(differentRows(before, after)).toEqual([])
    expect(await callsMade()).toBe(calls)
  }, 60_000)

  test('a deleted state directory is restored from changelogs, each task says so, and nobody is called', async () => {
    const calls = await callsMade()
    await platform.close()
    rmSync(join(dataDir, 'state'), { recursive: true })
    await start()
    await until('restored tasks', () =>
      Promise.resolve(
        notices.some((line) => /^task research\/main_\d: restored \d+ changelog records/.test(line)) || null,
      ),
    )
    expect(notices.filter((line) => line.includes('wiped'))).toEqual([])
    expect(await callsMade()).toBe(calls)
  }, 60_000)

  test('a person decides the review that the restored state remembers', async () => {
    const reviews = (await call('GET', '/api/v1/reviews', b.token)).body['items'] as Body[]
    const id = String(reviews[0]?.['review_id'])
    const decided = await call('POST', `/api/v1/reviews/${id}/decision`, b.token, { decision: 'approve' })
    expect(decided.status).toBe(202)
    await results(b, 'completed')
    const again = await call('POST', `/api/v1/reviews/${id}/decision`, b.token, { decision: 'reject' })
    expect([202, 409]).toContain(again.status)
    await results(b, 'completed')
  }, 60_000)

  test('a log tail cut inside its last record is truncated at start, in one line, and nothing committed is lost', async () => {
    const before = await results(a, 'completed')
    await platform.close()
    const cut = newestSegments(join(dataDir, 'log')).filter(
      (file) => file.includes('research_events-') && statSync(file).size > 100,
    )
    expect(cut.length).toBeGreaterThan(0)
    for (const file of cut) truncateSync(file, statSync(file).size - 5)
    await start()
    expect(notices.filter((line) => /: cut \d+ bytes of a torn tail at offset \d+/.test(line)).length).toBe(cut.length)
    expect(await results(a, 'completed')).toEqual(before)
    const c = await register('eve@c.example', 'Canary-C')
    await results(c, 'completed')
    expect(failures).toEqual([])
  }, 60_000)
})

/** The last segment of every partition. */
function newestSegments(log: string): string[] {
  const found: string[] = []
  const visit = (folder: string): void => {
    const entries = readdirSync(folder, { withFileTypes: true })
    const segments = entries.filter((entry) => entry.name.endsWith('.log')).map((entry) => entry.name)
    const newest = segments.sort().at(-1)
    if (newest !== undefined) found.push(join(folder, newest))
    for (const entry of entries) if (entry.isDirectory()) visit(join(folder, entry.name))
  }
  visit(log)
  return found
}
