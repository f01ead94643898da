import { afterAll, beforeAll, expect, test } from 'vitest'
import { insertAgents } from '../../contracts/agent-rows.ts'
import { organizationOf, person, tenantA, tenantB } from '../http/world.ts'
import type { World } from './world.ts'
import { fill, now, openWorld, ownerA, ownerB, reviewRow } from './world.ts'

let world: World
const canaryA = 'canary-a-3f9d1c7e'
const canaryB = 'canary-b-8b2e6a40'
const a = organizationOf(tenantA)
const b = organizationOf(tenantB)

beforeAll(async () => {
  world = await openWorld()
  await fill(world, tenantA, canaryA)
  await fill(world, tenantB, canaryB)
})
afterAll(() => world[Symbol.asyncDispose]())

test("organizations: one's own, in the list and alone", async () => {
  const { body } = await world.get('/organizations')
  expect(body).toMatchObject({
    items: [{ organization_id: a, company_name: `Company ${canaryA}`, created_at: '2026-01-15T11:00:00.000Z' }],
    next_cursor: null,
  })
  expect((await world.get(`/organizations/${a}`)).body).toEqual(body.items[0])
  expect((await world.get('/organizations', ownerB)).body.items).toMatchObject([{ organization_id: b }])
})

test('research results: the company, its competitors best first, and the evidence', async () => {
  const { status, body } = await world.get(`/research/${a}/results`)
  expect(status).toBe(200)
  expect(body).toMatchObject({
    organization_id: a,
    status: 'completed',
    completed_at: '2026-01-15T11:40:00.000Z',
    company_info: {
      employees: {
        value: 120,
        confidence: 0.82,
        source: 'perplexity',
        citations: [{ title: `About ${canaryA}` }],
        found_at: '2026-01-15T11:35:00.000Z',
      },
    },
    pricing: {},
    findings: [{ finding_id: `finding-${canaryA}`, data: { employees: 120 }, source: 'perplexity' }],
  })
  expect(body.competitors.map(({ name }: { name: string }) => name)).toEqual(
    [3, 2, 1].map((n) => `Rival ${String(n)} ${canaryA}`),
  )
})

test('research sessions, a page at a time, newest first', async () => {
  const tenant = '0c000000-0000-4000-8000-000000000001'
  await fill(world, tenant, 'pages')
  for (const n of [1, 2, 3, 4])
    await world.insert('research_sessions', {
      tenant_id: tenant,
      organization_id: organizationOf(tenant),
      research_session_id: `s${String(n)}`,
      status: 'failed',
      plan: [],
      started_at: new Date(now - 3_600_000 * Math.ceil(n / 2)).toISOString(),
    })
  const seen: string[] = []
  let cursor = ''
  do {
    const { body } = await world.get(`/research/${organizationOf(tenant)}/sessions?limit=2${cursor}`, person(tenant))
    seen.push(...body.items.map((item: { research_session_id: string }) => item.research_session_id))
    cursor = body.next_cursor === null ? '' : `&cursor=${String(body.next_cursor)}`
  } while (cursor !== '')
  expect(seen).toEqual(['session-pages', 's2', 's1', 's4', 's3'])
  const first = (await world.get(`/research/${organizationOf(tenant)}/sessions?limit=1`, person(tenant))).body.items[0]
  // What it cost us is not the client's to read: `sellers-fields.test.ts`.
  expect(first).toMatchObject({ cost_microdollars: null, plan: ['company_info'] })
})

test('lifecycle: the stage, and its steps', async () => {
  expect((await world.get(`/lifecycle/${a}`)).body).toMatchObject({
    organization_id: a,
    stage: 'demo',
    status: 'running',
    ms: null,
    steps: [{ step: 'research', status: 'completed', ms: 60_000 }],
  })
})

test('lifecycle: steps in its order, also where several began at one time', async () => {
  const [from, by, to] = [-40, -30, -20].map((minutes) => new Date(now + minutes * 60_000).toISOString())
  for (const tenant of [tenantA, tenantB])
    for (const step of ['contract', 'demo', 'billing', 'nda', 'proposal', 'pricing'])
      await world.insert('lifecycle_steps', {
        ...{ tenant_id: tenant, organization_id: organizationOf(tenant), step, status: 'completed' },
        ...{ started_at: from, deadline: to, ended_at: by, ms: 600_000 },
      })
  const { steps } = (await world.get(`/lifecycle/${a}`)).body as { steps: { step: string }[] }
  const inOrder = ['research', 'demo', 'nda', 'pricing', 'proposal', 'contract', 'billing']
  expect(steps.map(({ step }) => step)).toEqual(inOrder)
})

test('the audit log is for owners, admins and agents', async () => {
  expect((await world.get('/audit-logs')).body.items).toMatchObject([
    { event_id: `audit-${canaryA}`, detail: { mark: canaryA } },
  ])
  expect((await world.get('/audit-logs?event_type=login_failed')).body.items).toEqual([])
  expect(await world.get('/audit-logs', person(tenantA, { role: 'member' }))).toMatchObject({
    status: 403,
    body: { code: 'forbidden' },
  })
})

test('an agent sees the tenants assigned, and no others', async () => {
  const agent = person('0d000000-0000-4000-8000-000000000001', { userType: 'agent', role: 'agent' })
  await insertAgents(world.owner, { [agent.userId]: [agent.userId] })
  expect((await world.get('/organizations', agent)).body.items).toEqual([])
  expect((await world.get(`/research/${b}/results`, agent)).status).toBe(404)
  await world.owner.query(
    `insert into auth.client_assignments (tenant_id, user_id, team_id, role, created_at) values ($1, $2, $2, 'owner', now())`,
    [tenantB, agent.userId],
  )
  expect((await world.get('/organizations', agent)).body.items).toMatchObject([{ organization_id: b }])
  expect((await world.get(`/research/${b}/results`, agent)).status).toBe(200)
  expect((await world.get(`/research/${a}/results`, agent)).status).toBe(404)
  // An agent who says to be a client of the tenant they have in their own token sees that one only.
  expect((await world.get('/organizations', { ...agent, userType: 'client' })).body.items).toEqual([])
})

test('research status says what is so, and completed only when all of it is visible', async () => {
  const tenant = '0e000000-0000-4000-8000-000000000001'
  const organization_id = organizationOf(tenant)
  const place = { tenant_id: tenant, organization_id }
  const status = async () => (await world.get(`/research/${organization_id}/results`, person(tenant))).body.status
  const set = (columns: string) =>
    world.owner.query(`update lifecycle.research_sessions set ${columns} where tenant_id = $1`, [tenant])
  expect(await status()).toBe(404)
  await world.insert('organizations', {
    ...place,
    company_name: 'New',
    status: 'active',
    owner_user_id: tenant,
    created_at: new Date(now).toISOString(),
  })
  expect(await status()).toBe('pending')
  await world.insert('research_sessions', {
    ...place,
    research_session_id: 's',
    status: 'started',
    plan: [],
    started_at: new Date(now).toISOString(),
    src_part: 2,
    src_offset: 10,
  })
  expect(await status()).toBe('running')
  await world.insert('review_queue', reviewRow(tenant, 'status-review', 'low', 5, { subject_type: 'finding' }))
  expect(await status()).toBe('in_review')
  const sink = { topic: 'research_events', part: 2, cluster_id: 'c', topic_id: 't', partitions: 3, epoch: 1 }
  await world.insert('sink_offsets', { ...sink, sink: 'research-findings', next_offset: 11 })
  await world.insert('sink_offsets', { ...sink, sink: 'enrichment-data', next_offset: 10 })
  await set(`status = 'completed', ended_at = now()`)
  expect(await status()).toBe('running')
  await world.owner.query(`update lifecycle.sink_offsets set next_offset = 11 where sink = 'enrichment-data'`)
  expect(await status()).toBe('completed')
  await set('stale_at = now()')
  expect(await status()).toBe('stale')
  await set(`status = 'failed'`)
  expect(await status()).toBe('in_review')
  await world.owner.query(`update lifecycle.review_queue set status = 'decided' where review_id = 'status-review'`)
  expect(await status()).toBe('failed')
})

test('the review queue: risk first, then how long overdue; the order holds from page to page (4.6.1)', async () => {
  const tenant = '0f000000-0000-4000-8000-000000000001'
  const as = person(tenant)
  const rows: [string, string, number][] = [
    ['low', 'low', 5],
    ['medium-late', 'medium', -30],
    ['medium', 'medium', 10],
    ['high', 'high', 10],
    ['low-very-late', 'low', -250],
    ['high-soon', 'high', 1],
  ]
  for (const [id, risk, due] of rows) await world.insert('review_queue', reviewRow(tenant, id, risk, due))
  await world.insert('review_queue', reviewRow(tenant, 'done', 'high', -999, { status: 'decided' }))
  await world.insert(
    'review_queue',
    reviewRow(tenant, 'lease-over', 'low', 90, {
      status: 'claimed',
      claimed_by: 'x',
      lease_until: new Date(now - 1).toISOString(),
    }),
  )
  const ids: string[] = []
  let cursor = ''
  do {
    const { body } = await world.get(`/reviews?limit=3${cursor}`, as)
    ids.push(
      ...body.items.map(
        (item: { review_id: string; priority: number }) => `${item.review_id} ${String(item.priority)}`,
      ),
    )
    cursor = body.next_cursor === null ? '' : `&cursor=${String(body.next_cursor)}`
  } while (cursor !== '')
  expect(ids).toEqual([
    'low-very-late 350',
    'high-soon 300',
    'high 300',
    'medium-late 230',
    'medium 200',
    'low 100',
    'lease-over 100',
  ])
  expect((await world.get('/reviews/lease-over', as)).body).toMatchObject({
    status: 'open',
    claimed_by: null,
    lease_until: null,
  })
  expect((await world.get('/reviews?status=decided', as)).body.items).toMatchObject([{ review_id: 'done' }])
  expect((await world.get('/reviews/high', as)).body).not.toHaveProperty('tenant_id')
})

test('a decision is a command in the tenant of the review, by those who may', async () => {
  const finding = { subject_type: 'finding' }
  await world.insert('review_queue', reviewRow(tenantA, 'own-finding', 'low', 1, finding))
  const path = '/reviews/own-finding/decision'
  const answer = await world.post(path, { decision: 'approve', comment: 'Fine.' })
  expect(answer).toMatchObject({ status: 202, body: { review_id: 'own-finding', position: 'review_events-1@7' } })
  expect(answer.headers.get('position')).toBe('review_events-1@7')
  expect(world.commands.at(-1)).toMatchObject({
    draft: {
      type: 'review_decision_requested',
      tenantId: tenantA,
      organizationId: a,
      actor: { type: 'user', id: ownerA.userId },
      payload: { decision: 'approve', comment: 'Fine.' },
    },
  })
  const count = world.commands.length
  const refused = async (body: unknown, as = ownerA, of = path) => {
    const { status, body: problem } = await world.post(of, body, as)
    return `${String(status)} ${String(problem.code)}`
  }
  expect(await refused({ decision: 'approve' }, person(tenantA, { role: 'member' }))).toBe('403 forbidden')
  expect(await refused({ decision: 'approve' }, ownerB)).toBe('404 not_found')
  expect(await refused({ decision: 'escalate' })).toBe('422 not_an_option')
  expect(await refused({ decision: 'perhaps' })).toBe('422 invalid_field')
  expect(await refused({ decision: 'approve', by: 'x' })).toBe('422 unknown_field')
  await world.insert('review_queue', reviewRow(tenantA, 'closed', 'low', 1, { ...finding, status: 'decided' }))
  await world.insert(
    'review_queue',
    reviewRow(tenantA, 'held', 'low', 1, {
      ...finding,
      status: 'claimed',
      claimed_by: 'somebody',
      lease_until: new Date(now + 60_000).toISOString(),
    }),
  )
  expect(await refused({ decision: 'approve' }, ownerA, '/reviews/closed/decision')).toBe('409 already_decided')
  expect(await refused({ decision: 'approve' }, ownerA, '/reviews/held/decision')).toBe('409 held_by_another')
  expect(world.commands.length).toBe(count)
})

test('claiming and giving back are commands too; who is in the way is told who holds the review', async () => {
  const until = new Date(now + 60_000).toISOString()
  const finding = { subject_type: 'finding' }
  const by = (claimed_by: string, more: object = {}) => ({
    ...finding,
    status: 'claimed',
    claimed_by,
    lease_until: until,
    ...more,
  })
  await world.insert('review_queue', reviewRow(tenantA, 'free', 'low', 1, finding))
  await world.insert('review_queue', reviewRow(tenantA, 'mine', 'low', 1, by(ownerA.userId)))
  await world.insert('review_queue', reviewRow(tenantA, 'theirs', 'low', 1, by('somebody')))
  await world.insert(
    'review_queue',
    reviewRow(tenantA, 'ended', 'low', 1, by('somebody', { lease_until: new Date(now).toISOString() })),
  )
  await world.insert('review_queue', reviewRow(tenantA, 'over', 'low', 1, { ...finding, status: 'expired' }))
  await world.insert('review_queue', reviewRow(tenantB, 'of-b', 'low', 1, finding))
  const ask = async (id: string, what: string, as = ownerA) => {
    const { status, body } = await world.post(`/reviews/${id}/${what}`, undefined, as)
    return [status, body.code ?? body.review_id]
  }
  expect(await ask('free', 'claim')).toEqual([202, 'free'])
  expect(world.commands.at(-1)).toMatchObject({
    draft: {
      type: 'review_claim_requested',
      tenantId: tenantA,
      organizationId: a,
      actor: { type: 'user', id: ownerA.userId },
      payload: { review_id: 'free' },
    },
  })
  expect(await ask('mine', 'claim')).toEqual([202, 'mine'])
  expect(await ask('ended', 'claim')).toEqual([202, 'ended'])
  expect(await ask('mine', 'release')).toEqual([202, 'mine'])
  expect(world.commands.at(-1)).toMatchObject({ draft: { type: 'review_release_requested' } })
  const count = world.commands.length
  expect(await ask('theirs', 'claim')).toEqual([409, 'held_by_another'])
  expect((await world.post('/reviews/theirs/claim', undefined)).body).toMatchObject({
    held_by: 'somebody',
    lease_until: until,
  })
  expect(await ask('theirs', 'release')).toEqual([409, 'held_by_another'])
  expect(await ask('free', 'release')).toEqual([409, 'not_claimed'])
  expect(await ask('over', 'claim')).toEqual([409, 'already_decided'])
  expect(await ask('of-b', 'claim')).toEqual([404, 'not_found'])
  expect(await ask('free', 'claim', person(tenantA, { role: 'member' }))).toEqual([403, 'forbidden'])
  expect(world.commands.length).toBe(count)
})

test('row 41: an id of another tenant is an id that does not exist, to the byte (Q2)', async () => {
  const without = ({ status, body }: { status: number; body: Record<string, unknown> }) => ({
    status,
    ...body,
    request_id: '',
  })
  const unknown = '99999999-9999-4999-8999-999999999999'
  for (const path of [
    '/organizations/ID',
    '/research/ID/results',
    '/research/ID/sessions',
    '/lifecycle/ID',
    '/reviews?organization_id=ID',
  ]) {
    const theirs = await world.get(path.replace('ID', b))
    expect([path, theirs.status]).toEqual([path, 404])
    expect(without(theirs)).toEqual(without(await world.get(path.replace('ID', unknown))))
  }
  expect(without(await world.get(`/reviews/review-${canaryB}`))).toEqual(
    without(await world.get('/reviews/review-none')),
  )
})

test('row 42: a cursor that was edited, borrowed, moved or grown old is bad_cursor', async () => {
  const tenant = '0f000000-0000-4000-8000-000000000002'
  for (const n of [1, 2, 3]) await world.insert('review_queue', reviewRow(tenant, `cursor-${String(n)}`, 'low', n))
  const as = person(tenant)
  const cursor = String((await world.get('/reviews?limit=1', as)).body.next_cursor)
  const code = async (text: string, path = '/reviews?limit=1', who = as) =>
    (await world.get(`${path}&cursor=${encodeURIComponent(text)}`, who)).body.code
  expect((await world.get(`/reviews?limit=1&cursor=${cursor}`, as)).body.items).toMatchObject([
    { review_id: 'cursor-2' },
  ])
  const [content, mac] = cursor.split('.') as [string, string]
  const edited = Buffer.from(Buffer.from(content, 'base64url').toString().replace('cursor-1', 'cursor-9')).toString(
    'base64url',
  )
  for (const text of [
    `${edited}.${mac}`,
    `${content}.${mac.slice(1)}A`,
    content,
    `${content}.`,
    `.${mac}`,
    'junk',
    '%',
    '',
    `${content}.${mac}=`,
  ])
    expect(await code(text)).toBe('bad_cursor')
  expect(await code('x'.repeat(10_000))).toBe('bad_parameter')
  expect(await code(cursor, '/reviews?limit=1', ownerB)).toBe('bad_cursor')
  expect(await code(cursor, '/reviews?limit=1', person(tenant, { userId: tenantB }))).toBe('bad_cursor')
  expect(await code(cursor, '/reviews?limit=1&status=all')).toBe('bad_cursor')
  expect(await code(cursor, '/audit-logs?limit=1')).toBe('bad_cursor')
  expect(await code(cursor, '/reviews?limit=2')).toBeUndefined()
})

test('row 42: a cursor ends with its hour', async () => {
  let time = now
  const clock = { now: () => time, after: () => () => undefined }
  await using aged = await openWorld({ more: { clock } })
  for (const n of [1, 2]) await aged.insert('review_queue', reviewRow(tenantA, `r${String(n)}`, 'low', n))
  const { body } = await aged.get('/reviews?limit=1')
  time += 3_600_000
  expect((await aged.get(`/reviews?limit=1&cursor=${String(body.next_cursor)}`)).status).toBe(200)
  time += 1
  expect((await aged.get(`/reviews?limit=1&cursor=${String(body.next_cursor)}`)).body.code).toBe('bad_cursor')
})

test.each([
  'limit=0',
  'limit=-1',
  'limit=201',
  'limit=1e9',
  'limit=NaN',
  'limit=10%20OR%201=1',
  'limit=1.5',
  'limit=0x10',
  'limit=%201',
  'limit=',
  'limit=1&limit=2',
  'sort=tenant_id',
  'tenant_id=x',
  'status=hidden',
  'organization_id=1',
  'min_position=now',
  'min_position=a-1@2;x',
])('row 43: %s is 400', async (query) => {
  const answer = await world.get(`/reviews?${query}`)
  expect(answer.status).toBe(400)
  expect(answer.body.code).toMatch(/^(bad|unknown|repeated)_parameter$/)
})

test('row 44: what looks like SQL is text', async () => {
  for (const text of ["' or '1'='1", '%', '_', '(a+)+$', '"; drop table x; --', '\\', "review'||'x"]) {
    expect((await world.get(`/reviews/${encodeURIComponent(text)}`)).status).toBe(404)
    expect((await world.get(`/organizations/${encodeURIComponent(text)}`)).status).toBe(404)
  }
  expect((await world.get(`/audit-logs?event_type=${encodeURIComponent("x' or 1=1")}`)).status).toBe(400)
})

test('row 47: reads do not write, whatever is behind them (Q1)', async () => {
  await using broken = await openWorld()
  await broken.owner.query(
    `create function lifecycle.sneaky() returns uuid language plpgsql as $$ begin create table lifecycle.x (); return null; end $$`,
  )
  await broken.owner.query(`grant execute on function lifecycle.sneaky() to lifecycle_api`)
  await broken.owner.query(
    `create or replace function lifecycle.review_priority(risk text, due_at timestamptz, at timestamptz) returns int language plpgsql as $$ begin perform lifecycle.sneaky(); return 1; end $$`,
  )
  await broken.insert('review_queue', reviewRow(tenantA, 'r', 'low', 1))
  expect(await broken.get('/reviews')).toMatchObject({ status: 405, body: { code: 'read_only' } })
  for (const method of ['POST', 'PUT', 'DELETE'])
    expect((await fetch(`${broken.server.url}/api/v1/reviews`, { method })).status).toBe(405)
})

test('row 48: a viewer without a tenant sees nothing (Q1)', async () => {
  await using bare = await openWorld()
  await fill(bare, tenantA, canaryA)
  await bare.insert('organizations', {
    tenant_id: '00000000-0000-0000-0000-000000000000',
    organization_id: organizationOf(tenantB),
    company_name: 'Zero',
    status: 'active',
    owner_user_id: tenantB,
    created_at: new Date(now).toISOString(),
  })
  expect((await bare.get('/organizations', person(tenantB))).body.items).toEqual([])
  const broken = await bare.get('/organizations', person('not-a-uuid'))
  expect(broken.status).toBe(500)
  expect(JSON.stringify(broken.body)).not.toContain(canaryA)
})

test('row 45: a read over its time is 503, and the database serves the next (Q4)', async () => {
  await using slow = await openWorld({ statementTimeoutMs: 100 })
  await slow.insert('review_queue', reviewRow(tenantA, 'r', 'low', 1))
  await slow.owner.query(
    `create or replace function lifecycle.review_priority(risk text, due_at timestamptz, at timestamptz) returns int language sql as 'select 1 from pg_sleep(1)'`,
  )
  const answer = await slow.get('/reviews')
  expect(answer).toMatchObject({ status: 503, body: { code: 'too_expensive' } })
  expect(answer.headers.get('retry-after')).toBe('1')
  expect((await slow.get('/organizations')).status).toBe(200)
})

test('row 45: a busy tenant waits behind itself; another is served (Q4)', async () => {
  await using busy = await openWorld({ poolMax: 2, settings: { readsPerTenant: 1, waitingPerTenant: 2 } })
  await busy.insert('review_queue', reviewRow(tenantA, 'r', 'low', 1))
  await busy.owner.query(
    `create or replace function lifecycle.review_priority(risk text, due_at timestamptz, at timestamptz) returns int language sql as 'select 1 from pg_sleep(0.2)'`,
  )
  const crowd = Array.from({ length: 6 }, () => busy.get('/reviews'))
  await Promise.race(crowd)
  const other = await busy.get('/organizations', ownerB)
  expect(other.status).toBe(200)
  const statuses = (await Promise.all(crowd)).map(({ status }) => status).sort()
  expect(statuses).toEqual([200, 200, 200, 503, 503, 503])
})

test('waiting for a position is bounded too: a tenant that asks for what never comes holds nobody else up (Q4)', async () => {
  let asked = 0
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => (release = resolve))
  await using patient = await openWorld({
    settings: { visibleWaitsPerTenant: 2, waitingPerTenant: 1 },
    more: {
      waitVisible: async (position) => {
        if (position !== 'review_events-0@7') return true
        asked += 1
        await held
        return false
      },
    },
  })
  const never = '/reviews?min_position=review_events-0@7'
  const crowd = Array.from({ length: 6 }, () => patient.get(never, ownerA))
  await expect.poll(() => asked).toBe(2)
  const refused = (await Promise.race(crowd)).body
  expect(refused.code).toBe('too_busy')
  expect((await patient.get('/reviews?min_position=review_events-0@1', ownerB)).status).toBe(200)
  expect((await patient.get('/reviews', ownerA)).status).toBe(200)
  release()
  const codes = (await Promise.all(crowd)).map(({ body }) => String(body.code)).sort()
  expect(codes).toEqual(['not_yet_visible', 'not_yet_visible', 'not_yet_visible', 'too_busy', 'too_busy', 'too_busy'])
})

test('min_position: waits in every projection that is read, and says when it did not come (Q3)', async () => {
  world.visible.asked.length = 0
  expect((await world.get(`/lifecycle/${a}?min_position=client_events-2@41,outbox:17`)).status).toBe(200)
  expect(world.visible.asked).toEqual([
    'client_events-2@41 in organizations within 2000',
    'client_events-2@41 in lifecycle-instances within 2000',
    'outbox:17 in organizations within 2000',
    'outbox:17 in lifecycle-instances within 2000',
  ])
  world.visible.answer = false
  const answer = await world.get('/reviews?min_position=review_events-0@1')
  world.visible.answer = true
  expect(answer).toMatchObject({ status: 504, body: { code: 'not_yet_visible' } })
  expect(answer.headers.get('retry-after')).toBe('1')
})
