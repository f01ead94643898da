/** The public pages over a real database with demos of two tenants, behind a real server. */

import { beforeAll, afterAll, beforeEach, describe, expect, test } from 'vitest'
import { demoPageDefaults, demoPages } from '../../../api/index.ts'
import type { Pool } from '../../../connectors/postgres/index.ts'
import { openPool } from '../../../connectors/postgres/index.ts'
import { shareLinks } from '../../../connectors/keys/index.ts'
import { scratchDatabase } from '../../../deploy/local/scratch-database.ts'
import type { Json } from '../../../schemas/index.ts'
import type { TestServer } from '../http/world.ts'
import { organizationOf, serve, systemClock, systemRandom, tenantA, tenantB } from '../http/world.ts'

const now = Date.parse('2026-01-15T12:00:00Z')
const day = 24 * 60 * 60 * 1000
const browser = 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0'
const links = shareLinks('a secret of thirty-two characters')
/** Both tenants have a demo of this id. */
const demoId = '0d000000-0000-5000-8000-000000000001'
const tokenA = links.seal({ tenantId: tenantA, demoId })
const tokenB = links.seal({ tenantId: tenantB, demoId })
const session = 'session-0001'

interface Command {
  readonly draft: Readonly<Record<string, unknown>> & { readonly payload: Readonly<Record<string, unknown>> }
}

let owner: Pool
let pool: Pool
let server: TestServer
let drop: () => Promise<void>
let time = now
const commands: Command[] = []
const objects = new Map<string, string>()

beforeAll(async () => {
  const database = await scratchDatabase()
  drop = () => database.drop()
  owner = openPool(database.ownerUrl, { applicationName: 'test', max: 2 })
  pool = openPool(database.urls.api, { applicationName: 'test', max: 4, statementTimeoutMs: 2_000 })
  const pages = pagesWith({ ...demoPageDefaults, beaconsPerMinute: 20, questionsPerMinute: 3 })
  server = await serve([], {}, { mounts: { '/d': pages } })
})

const pagesWith = (settings: typeof demoPageDefaults) =>
  demoPages({
    pool,
    ingest: {
      command: async (command) => {
        commands.push(command as unknown as Command)
        return { eventIds: ['e1'], positions: ['demo_events-0@1'] }
      },
    },
    links,
    read: async (ref: Json) => {
      const found = objects.get(String((ref as { key?: unknown }).key))
      return found === undefined ? null : Buffer.from(found)
    },
    policyOf: (page) => `policy-of-${page.byteLength}`,
    pages: { missing: '<p>missing</p>', expired: '<p>expired</p>' },
    time: () => time,
    clock: systemClock,
    random: systemRandom,
    settings,
  })

afterAll(async () => {
  await server.close()
  await Promise.all([owner.end(), pool.end()])
  await drop()
})

const projected = { src_topic: 'demo_events', src_part: 0, src_offset: 1, changed_at: new Date(now) }

async function insert(table: string, row: Readonly<Record<string, unknown>>): Promise<void> {
  const whole: Record<string, unknown> = { ...projected, ...row }
  const names = Object.keys(whole)
  const values = Object.values(whole).map((value) =>
    typeof value === 'object' && value !== null && !(value instanceof Date) ? JSON.stringify(value) : value,
  )
  const marks = names.map((_, index) => `$${String(index + 1)}`)
  await owner.query(`insert into lifecycle.${table} (${names.join(', ')}) values (${marks.join(', ')})`, values)
}

async function fill(tenant_id: string, mark: string): Promise<void> {
  const place = { tenant_id, demo_id: demoId, organization_id: organizationOf(tenant_id) }
  const ref = (name: string) => ({
    bucket: 'b',
    key: `${mark}/${name}`,
    version_id: 'v',
    sha256: `${mark}${name}`,
    bytes: 1,
  })
  await insert('demos', {
    ...place,
    status: 'published',
    version: 2,
    url: 'x',
    qr_ref: ref('qr'),
    published_at: new Date(now - day),
    expires_at: new Date(now + day),
  })
  for (const version of [1, 2])
    await insert('demo_versions', {
      ...place,
      version,
      research_session_id: 's',
      page_ref: ref(`page${version}`),
      personalization: { steps: [{}, {}, {}] },
      model: 'm',
      generated_at: new Date(now),
    })
  for (const [n, role] of ['visitor', 'assistant'].entries())
    await insert('demo_chat_messages', {
      ...place,
      session_id: session,
      message_id: 'm1',
      role,
      excerpt: `${role} ${mark}`,
      finding_ids: [],
      said_at: new Date(now + n),
    })
  for (const name of ['page1', 'page2', 'qr']) objects.set(`${mark}/${name}`, `<${name} of ${mark}>`)
}

beforeEach(async () => {
  for (const table of ['demos', 'demo_versions', 'demo_chat_messages'])
    await owner.query(`delete from lifecycle.${table}`)
  objects.clear()
  commands.length = 0
  time = now
  await fill(tenantA, 'a')
  await fill(tenantB, 'b')
})

let address = 0
const ask = (path: string, more: RequestInit & { agent?: string } = {}) =>
  fetch(`${server.url}/d/${path}`, {
    ...more,
    headers: { 'user-agent': more.agent ?? browser, ...(more.headers as Record<string, string> | undefined) },
  })
const post = (path: string, body: unknown, agent = `${browser} ${address}`) =>
  ask(path, { method: 'POST', body: JSON.stringify(body), agent, headers: { 'content-type': 'application/json' } })
/** Another browser, so that one test's pace is not another's. */
beforeEach(() => void (address += 1))

describe('the page', () => {
  test('is the newest version, of the tenant in the token, under its own policy (DP1, DP3, 5.2.6)', async () => {
    const [a, b] = [await ask(tokenA), await ask(tokenB)]
    expect([await a.text(), await b.text()]).toEqual(['<page2 of a>', '<page2 of b>'])
    expect(a.status).toBe(200)
    expect(Object.fromEntries(a.headers)).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': 'policy-of-12',
      'cache-control': 'private, no-cache',
      'referrer-policy': 'no-referrer',
      'x-robots-tag': 'noindex, nofollow',
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
      etag: '"apage2"',
    })
  })
  test('is not sent again to who has it; HEAD has no body', async () => {
    expect((await ask(tokenA, { headers: { 'if-none-match': '"apage2"' } })).status).toBe(304)
    const head = await ask(tokenA, { method: 'HEAD' })
    expect([head.status, await head.text(), head.headers.get('content-length')]).toEqual([200, '', '12'])
  })
  test('is unknown without a token that opens', async () => {
    const unknown = links.seal({ tenantId: tenantA, demoId: tenantA })
    const foreign = shareLinks('another secret of 32 characters!!').seal({ tenantId: tenantA, demoId })
    for (const path of ['', '/', 'abc', demoId, unknown, foreign, `${tokenA}/other`, tokenA.toLowerCase()]) {
      const answer = await ask(path)
      expect([answer.status, await answer.text()]).toEqual([404, '<p>missing</p>'])
      expect(answer.headers.get('content-security-policy')).toBe('policy-of-14')
    }
  })
  test.each([
    ['when its time is over', () => Promise.resolve(void (time = now + day))],
    ['when it was taken down', () => owner.query(`update lifecycle.demos set status = 'unpublished'`)],
    ['when it expired', () => owner.query(`update lifecycle.demos set status = 'expired'`)],
    ['when its bytes are gone', () => Promise.resolve(objects.clear())],
  ])('is gone %s (5.2.2)', async (_, happens) => {
    await happens()
    const answer = await ask(tokenA)
    expect([answer.status, await answer.text()]).toEqual([410, '<p>expired</p>'])
    expect(answer.headers.get('cache-control')).toBe('no-store')
  })
  test('goes for one tenant and stays for the other', async () => {
    await owner.query(`update lifecycle.demos set status = 'unpublished' where tenant_id = $1`, [tenantA])
    expect([(await ask(tokenA)).status, (await ask(tokenB)).status]).toEqual([410, 200])
    expect((await post(`${tokenA}/events`, { type: 'view', session_id: session })).status).toBe(410)
    expect(commands).toEqual([])
  })
  test('stays the version that a link is pinned to, also in what it tells; there is no other (5.2.6)', async () => {
    expect(await (await ask(`${tokenB}?version=1`)).text()).toBe('<page1 of b>')
    expect(await (await ask(`${tokenB}?version=2`)).text()).toBe('<page2 of b>')
    for (const none of ['3', '0', 'one', '', '1.0']) expect((await ask(`${tokenB}?version=${none}`)).status).toBe(404)
    // Version 1 has a step more than the newest.
    await owner.query(
      `update lifecycle.demo_versions set personalization = '{"steps":[{},{},{},{}]}' where version = 1`,
    )
    const fourth = { type: 'step', session_id: session, step: 4 }
    expect((await post(`${tokenB}/events?version=1`, fourth)).status).toBe(204)
    expect((await post(`${tokenB}/events`, fourth)).status).toBe(422)
    expect((await post(`${tokenB}/events?version=3`, fourth)).status).toBe(404)
    await owner.query(`update lifecycle.demos set status = 'unpublished' where tenant_id = $1`, [tenantB])
    expect((await ask(`${tokenB}?version=1`)).status).toBe(410)
  })
  test('has a QR code', async () => {
    const answer = await ask(`${tokenB}/qr.svg`)
    expect([answer.status, await answer.text()]).toEqual([200, '<qr of b>'])
    expect(answer.headers.get('content-type')).toBe('image/svg+xml')
  })
})

describe('what a page tells', () => {
  test('becomes an event of the tenant in the token (DP1)', async () => {
    const told = [
      { type: 'view', session_id: session },
      { type: 'ping', session_id: session, step: 1, dwell_ms: 15_000 },
      { type: 'step', session_id: session, step: 3, dwell_ms: 1_234.6 },
      { type: 'cta', session_id: session, dwell_ms: 3 },
      { type: 'cta', session_id: session, cta: 'pilot' },
    ]
    for (const each of told) expect((await post(`${tokenB}/events`, each)).status).toBe(204)
    const viewer_hash = links.viewerOf(tenantB, '127.0.0.1', `${browser} ${address}`)
    const who = { demo_id: demoId, viewer_hash, session_id: session }
    expect(commands.map(({ draft: { type, payload } }) => [type, payload])).toEqual([
      ['demo_viewed', { ...who, device: 'desktop' }],
      ['demo_viewed', { ...who, device: 'desktop' }],
      ['demo_step_completed', { ...who, step: '3', dwell_ms: 1_235 }],
      ['demo_cta_clicked', { ...who, cta: 'main' }],
      ['demo_cta_clicked', { ...who, cta: 'pilot' }],
    ])
    expect(commands[0]?.draft).toMatchObject({
      tenantId: tenantB,
      organizationId: organizationOf(tenantB),
      actor: { type: 'user', id: 'viewer' },
    })
    const viewers = [tenantA, tenantB].map((tenant) => links.viewerOf(tenant, '127.0.0.1', browser))
    expect(new Set(viewers).size).toBe(2)
  })
  test('of a robot counts as a robot was there, and no more (5.2.3)', async () => {
    const robots = [
      'Mozilla/5.0 (compatible; Googlebot/2.1)',
      'Slackbot-LinkExpanding 1.0',
      'curl/8.1',
      'HeadlessChrome/130',
    ]
    for (const agent of robots)
      for (const type of ['view', 'cta'])
        expect((await post(`${tokenA}/events`, { type, session_id: session }, `${agent}`)).status).toBe(204)
    expect(commands.length).toBe(8)
    for (const { draft } of commands) expect(draft).toMatchObject({ type: 'demo_viewed', payload: { device: 'bot' } })
    expect((await post(`${tokenA}/chat`, { session_id: session, text: 'hi' }, robots[0])).status).toBe(403)
  })
  test.each([
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Mobile/15E148', 'mobile'],
    ['Mozilla/5.0 (iPad; CPU OS 19_0 like Mac OS X)', 'tablet'],
    ['Mozilla/5.0 (Linux; Android 16; SM-X910)', 'tablet'],
    ['Mozilla/5.0 (Windows NT 10.0; Win64; x64)', 'desktop'],
    ['A browser of its own', 'unknown'],
  ])('%s is a %s', async (agent, device) => {
    await post(`${tokenA}/events`, { type: 'view', session_id: session }, agent)
    expect(commands[0]?.draft.payload['device']).toBe(device)
  })
  test.each([
    ['another type', { type: 'buy', session_id: session }, 422],
    ['no session', { type: 'view' }, 422],
    ['a session that is none', { type: 'view', session_id: 'a b' }, 422],
    ['a step that the demo does not have', { type: 'step', session_id: session, step: 4 }, 422],
    ['no step', { type: 'step', session_id: session }, 422],
    ['a tenant', { type: 'view', session_id: session, tenant_id: tenantB }, 422],
    ['a negative time', { type: 'ping', session_id: session, dwell_ms: -1 }, 422],
    ['too much', { type: 'view', session_id: session, cta: 'x'.repeat(5_000) }, 413],
  ])('%s is refused (DP2)', async (_, body, status) => {
    expect((await post(`${tokenA}/events`, body)).status).toBe(status)
    expect(commands).toEqual([])
  })
  test('what is no JSON is refused, and other methods are', async () => {
    const plain = await ask(`${tokenA}/events`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'text/plain' },
    })
    expect(plain.status).toBe(415)
    const read = await ask(`${tokenA}/events`)
    expect([read.status, read.headers.get('allow')]).toEqual([405, 'POST'])
    expect((await ask(tokenA, { method: 'DELETE' })).headers.get('allow')).toBe('GET, HEAD')
  })
  test('comes at a bounded pace: one viewer is stopped, the next is not (DP2)', async () => {
    const view = { type: 'view', session_id: session }
    const statuses = await Promise.all(
      Array.from({ length: 25 }, async () => (await post(`${tokenA}/events`, view)).status),
    )
    expect(statuses.filter((status) => status === 204).length).toBe(20)
    const refused = await post(`${tokenA}/events`, view)
    expect([refused.status, Number(refused.headers.get('retry-after')) > 0]).toEqual([429, true])
    expect((await post(`${tokenA}/events`, view, `${browser} somebody else`)).status).toBe(204)
  })
})

test('a conversation is in the order it was said, within one millisecond too', async () => {
  const said = { tenant_id: tenantA, demo_id: demoId, organization_id: organizationOf(tenantA), session_id: session }
  for (const [offset, text] of [
    [12, 'second'],
    [10, 'zeroth'],
    [11, 'first'],
  ] as const)
    await insert('demo_chat_messages', {
      ...{ ...said, message_id: text, role: 'visitor', excerpt: text, finding_ids: [] },
      ...{ said_at: new Date(now + 50), src_offset: offset },
    })
  const { messages } = (await (await ask(`${tokenA}/chat?session_id=${session}`)).json()) as {
    messages: { text: string }[]
  }
  expect(messages.map(({ text }) => text).slice(-3)).toEqual(['zeroth', 'first', 'second'])
})

/** Pages of their own, so that their limits begin anew. */
async function limited(more: Partial<typeof demoPageDefaults>) {
  const fresh = await serve(
    [],
    { trustedProxies: ['127.0.0.1'] },
    { mounts: { '/d': pagesWith({ ...demoPageDefaults, ...more }) } },
  )
  const chat = (token: string, agent: string, forwardedFor = '192.0.2.1') =>
    fetch(`${fresh.url}/d/${token}/chat`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': agent, 'x-forwarded-for': forwardedFor },
      body: JSON.stringify({ session_id: session, text: 'a' }),
    }).then(({ status }) => status)
  return { fresh, chat }
}

test('a viewer who gives the browser another name each time is stopped by the address, for all demos (DP2)', async () => {
  const { fresh, chat } = await limited({ questionsPerAddress: 5, questionsPerDemo: 0 })
  await using _ = fresh
  const statuses: number[] = []
  for (let n = 0; n < 8; n++) statuses.push(await chat(n % 2 === 0 ? tokenA : tokenB, `${browser} ${n}`))
  expect(statuses).toEqual([202, 202, 202, 202, 202, 429, 429, 429])
  expect(await chat(tokenA, browser, '192.0.2.2')).toBe(202)
})

test("questions about one demo have a pace, wherever they come from; another tenant's goes on (DP2)", async () => {
  const { fresh, chat } = await limited({ questionsPerAddress: 0, questionsPerDemo: 4 })
  await using _ = fresh
  const statuses: number[] = []
  for (let n = 0; n < 6; n++) statuses.push(await chat(tokenA, `${browser} ${n}`))
  expect(statuses).toEqual([202, 202, 202, 202, 429, 429])
  expect(await chat(tokenB, browser)).toBe(202)
})

describe('the conversation', () => {
  test('a question becomes an event, and the answers are those of its session and tenant', async () => {
    const asked = await post(`${tokenA}/chat`, { session_id: session, text: '  Does it work with our shop?  ' })
    const { message_id } = (await asked.json()) as { message_id: string }
    expect([asked.status, /^[0-9a-f]{32}$/.test(message_id)]).toEqual([202, true])
    expect(commands[0]?.draft).toMatchObject({
      type: 'demo_simulation_message',
      tenantId: tenantA,
      payload: {
        role: 'visitor',
        message_id,
        excerpt: 'Does it work with our shop?',
        finding_ids: [],
        viewer_hash: links.viewerOf(tenantA, '127.0.0.1', `${browser} ${address}`),
      },
    })
    const read = async (token: string, of = session) => (await ask(`${token}/chat?session_id=${of}`)).json()
    const at = (n: number) => new Date(now + n).toISOString()
    expect(await read(tokenB)).toEqual({
      messages: [
        { role: 'user', text: 'visitor b', message_id: 'm1', at: at(0) },
        { role: 'assistant', text: 'assistant b', message_id: 'm1', at: at(1) },
      ],
    })
    expect(await read(tokenA, 'session-0002')).toEqual({ messages: [] })
    expect((await ask(`${tokenA}/chat`)).status).toBe(400)
  })
  test('an empty question, a long one and the fourth in a minute are refused', async () => {
    for (const text of ['', '   ', 'x'.repeat(2_001)])
      expect((await post(`${tokenA}/chat`, { session_id: session, text })).status).toBe(422)
    expect((await post(`${tokenA}/chat`, { session_id: session, text: 'a' })).status).toBe(429)
  })
})
