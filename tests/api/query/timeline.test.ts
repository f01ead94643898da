/** The timeline over HTTP: pages, one event whole, chains of causes, the board. Two tenants, always. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AnyEvent } from '../../../schemas/index.ts'
import { erased } from '../../../schemas/index.ts'
import { organizationOf, person, tenantA, tenantB } from '../http/world.ts'
import { eventRow } from './timeline-world.ts'
import type { World } from './world.ts'
import { fill, now, openWorld, ownerB } from './world.ts'

let world: World
const a = organizationOf(tenantA)
const b = organizationOf(tenantB)
const stored = new Map<string, AnyEvent>()

const signup = (tenant: string) => ({
  event_type: 'signup_requested',
  email: 'ada@a.example',
  password_hash_ref: 'ref',
  company_name: 'Acme',
  first_name: 'Ada',
  last_name: erased,
  domain: 'a.example',
  tenant_id: tenant,
})

beforeAll(async () => {
  world = await openWorld({
    more: {
      readEvent: (topic, partition, offset) =>
        Promise.resolve(stored.get(`${topic}-${String(partition)}@${String(offset)}`) ?? null),
    },
  })
  for (const tenant of [tenantA, tenantB]) {
    await fill(world, tenant, tenant === tenantA ? 'mark-a' : 'mark-b')
    const mark = tenant === tenantA ? 'a' : 'b'
    const row = (n: number, topic: string, type: string, cause = '', summary: object = { mark }) =>
      world.insert(`timeline_${topic}`, eventRow(tenant, n, { topic, event_id: `e${String(n)}`, type, cause, summary }))
    await row(1, 'auth_events', 'signup_requested')
    await row(2, 'client_events', 'lifecycle_started', 'e1')
    await row(3, 'client_events', 'stage_changed', 'e2')
    await row(4, 'research_events', 'research_started', 'e2')
    await row(5, 'research_events', 'research_completed', 'e4')
  }
  stored.set('auth_events-0@1', signup(tenantA) as unknown as AnyEvent)
})
afterAll(() => world[Symbol.asyncDispose]())

const ids = (body: { items: readonly { event_id: string }[] }): string[] => body.items.map(({ event_id }) => event_id)

test('over all topics, newest first, a page at a time', async () => {
  const first = (await world.get(`/organizations/${a}/timeline?limit=2`)).body
  expect(ids(first)).toEqual(['e5', 'e4'])
  expect(first.items[0]).toMatchObject({
    topic: 'research_events',
    position: 'research_events-0@5',
    occurred_at: new Date(now + 5_000).toISOString(),
    causation_id: 'e4',
    summary: { mark: 'a' },
  })
  const second = (await world.get(`/organizations/${a}/timeline?limit=2&cursor=${String(first.next_cursor)}`)).body
  expect(ids(second)).toEqual(['e3', 'e2'])
  const third = (await world.get(`/organizations/${a}/timeline?limit=2&cursor=${String(second.next_cursor)}`)).body
  expect(ids(third)).toEqual(['e1'])
  expect(third.next_cursor).toBeNull()
})

test('of one topic, or of one type', async () => {
  expect(ids((await world.get(`/organizations/${a}/timeline?topic=client_events`)).body)).toEqual(['e3', 'e2'])
  expect(ids((await world.get(`/organizations/${a}/timeline?event_type=research_started`)).body)).toEqual(['e4'])
  expect((await world.get(`/organizations/${a}/timeline?topic=nothing_events`)).status).toBe(400)
})

test('a reader waits for every topic that the page shows', async () => {
  world.visible.asked.length = 0
  await world.get(`/organizations/${a}/timeline?topic=crm_events&min_position=crm_events-0@1`)
  expect(world.visible.asked).toEqual(['crm_events-0@1 in timeline-crm-events within 2000'])
  await world.get(`/organizations/${a}/timeline?min_position=crm_events-0@1`)
  expect(world.visible.asked).toHaveLength(1 + 18)
})

test('another tenant’s organization and events do not exist, under the same ids', async () => {
  for (const path of ['', '/e5', '/e5/causes'])
    expect((await world.get(`/organizations/${b}/timeline${path}`)).status, path).toBe(404)
  const own = (await world.get(`/organizations/${b}/timeline`, ownerB)).body
  expect(own.items.map(({ summary }: { summary: { mark: string } }) => summary.mark)).toEqual(Array(5).fill('b'))
  const chain = (await world.get(`/organizations/${b}/timeline/e5/causes`, ownerB)).body
  expect(JSON.stringify(chain)).not.toContain('"mark":"a"')
})

test('one event whole: personal fields for those who answer for the organization, what is erased by name', async () => {
  const whole = (await world.get(`/organizations/${a}/timeline/e1`)).body
  expect(whole).toMatchObject({
    payload: { email: 'ada@a.example', first_name: 'Ada', last_name: null, company_name: 'Acme' },
    hidden: [],
    erased: ['last_name'],
  })
  const member = person(tenantA, { role: 'member' })
  const text = (await world.get(`/organizations/${a}/timeline/e1`, member)).body
  expect(text).toMatchObject({ payload: { company_name: 'Acme' }, hidden: ['email', 'first_name', 'last_name'] })
  expect(JSON.stringify(text)).not.toContain('ada@a.example')
})

test('an event that its topic does not keep any more says so', async () => {
  expect((await world.get(`/organizations/${a}/timeline/e3`)).body).toMatchObject({ payload: null, hidden: [] })
  expect((await world.get(`/organizations/${a}/timeline/none`)).status).toBe(404)
})

test('what led to an event, the nearest first, and what came of it', async () => {
  const up = (await world.get(`/organizations/${a}/timeline/e5/causes`)).body
  expect(up.causes.map(({ event_id }: { event_id: string }) => event_id)).toEqual(['e4', 'e2', 'e1'])
  expect(up.effects).toEqual([])
  const down = (await world.get(`/organizations/${a}/timeline/e1/causes`)).body
  expect(down.causes).toEqual([])
  expect(down.effects.map(({ event_id }: { event_id: string }) => event_id)).toEqual(['e2', 'e3', 'e4', 'e5'])
})

test('a chain that bites its own tail ends', async () => {
  const row = (n: number, cause: string) =>
    eventRow(tenantA, n, { topic: 'crm_events', event_id: `loop${String(n)}`, type: 'x', cause, summary: {} })
  await world.insert('timeline_crm_events', row(11, 'loop12'))
  await world.insert('timeline_crm_events', row(12, 'loop11'))
  const { body } = await world.get(`/organizations/${a}/timeline/loop11/causes`)
  expect(body.causes).toHaveLength(2)
  expect(body.effects).toHaveLength(1)
})

test('the board: one’s own companies with their stage and what waits', async () => {
  const { body } = await world.get('/lifecycle')
  expect(body.items).toMatchObject([
    {
      organization_id: a,
      company_name: 'Company mark-a',
      stage: 'demo',
      status: 'running',
      waiting_reviews: 1,
    },
  ])
  expect((await world.get('/lifecycle?stage=live')).body.items).toEqual([])
  expect((await world.get(`/lifecycle?organization_id=${b}`)).body.items).toEqual([])
  expect((await world.get(`/lifecycle?organization_id=${b}`, ownerB)).body.items).toHaveLength(1)
})
