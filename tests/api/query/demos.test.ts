import { expect, test } from 'vitest'
import { organizationOf, tenantA, tenantB } from '../http/world.ts'
import { fill, now, openWorld, ownerB } from './world.ts'

const at = (minutes: number): string => new Date(now + minutes * 60_000).toISOString()
const ago = at(-40 * 24 * 60)

test('demos with how they are looked at, their versions and conversations; each tenant sees its own (5.2.6)', async () => {
  await using world = await openWorld()
  await fill(world, tenantA, 'a')
  await fill(world, tenantB, 'b')
  const { status, body } = await world.get('/demos')
  const listed = {
    demo_id: 'demo-a',
    organization_id: organizationOf(tenantA),
    status: 'published',
    version: 2,
    url: 'https://x.example/d/a',
    published_at: at(-10),
    expires_at: at(10_000),
    ended_at: null,
    end_reason: null,
    engaged_at: at(-5),
    engagement: {
      score: 72,
      sessions: 2,
      viewers: 1,
      steps_completed: 3,
      dwell_ms: 94_000,
      cta_clicked: true,
      bots_ignored: 1,
    },
  }
  expect([status, body]).toEqual([200, { items: [listed], next_cursor: null }])
  const whole = await world.get('/demos/demo-b', ownerB)
  expect(whole.body).toMatchObject({
    demo_id: 'demo-b',
    versions: [
      { version: 2, url: 'https://x.example/d/b?version=2', published_at: at(-10), personalization: { headline: 'b' } },
      { version: 1, url: 'https://x.example/d/b?version=1', published_at: ago },
    ],
    messages: [{ role: 'visitor', excerpt: 'Does it work, b?', said_at: at(-6) }],
  })
  expect((await world.get('/demos/demo-b')).status).toBe(404)
  expect(world.visible.asked).toEqual([])
})

test('a demo nobody looked at has nothing but zeros; pages follow one another', async () => {
  await using world = await openWorld()
  await fill(world, tenantA, 'a')
  const ref = { bucket: 'b', key: 'k', version_id: 'v', sha256: 's', bytes: 1 }
  for (const n of [1, 2])
    await world.insert('demos', {
      tenant_id: tenantA,
      organization_id: organizationOf(tenantA),
      demo_id: `more-${String(n)}`,
      status: 'published',
      version: 1,
      qr_ref: ref,
      published_at: at(-100 * n),
      expires_at: at(1),
    })
  const ids: unknown[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const { body } = await world.get(`/demos?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`)
    const page = body as { items: { demo_id: string; engagement: object }[]; next_cursor: string | null }
    ids.push(...page.items.map(({ demo_id }) => demo_id))
    if (page.items[0]?.demo_id === 'more-1')
      expect(new Set(Object.values(page.items[0].engagement))).toEqual(new Set([0, false]))
    cursor = page.next_cursor
  }
  expect(ids).toEqual(['demo-a', 'more-1', 'more-2'])
})

test('the funnel: a demo counts in the month it was first published in, and of its own tenant alone (5.2.7)', async () => {
  await using world = await openWorld()
  await fill(world, tenantA, 'a')
  await fill(world, tenantB, 'b')
  // An NDA of a foreign tenant with the same organization id says nothing here.
  const stranger = { tenant_id: tenantB, organization_id: organizationOf(tenantA) }
  await world.insert('client_milestones', { ...stranger, step: 'contract', reached_at: at(-3), ms: 1 })
  // Nor does one of another organization of the same tenant.
  for (const step of ['nda', 'contract', 'billing'])
    await world.insert('client_milestones', {
      tenant_id: tenantA,
      organization_id: tenantA,
      step,
      reached_at: at(-3),
      ms: 1,
    })
  const { status, body } = await world.get('/funnel')
  const month = { month: ago.slice(0, 7), published: 1, engaged: 1, nda_signed: 1, contract_signed: 0, paid: 0 }
  expect([status, body]).toEqual([
    200,
    {
      items: [
        {
          organization_id: organizationOf(tenantA),
          demo_id: 'demo-a',
          demo_at: ago,
          engaged_at: at(-5),
          nda_at: at(-4),
          signed_at: null,
          paid_at: null,
        },
      ],
      next_cursor: null,
      cohorts: [{ ...month, demo_to_nda: 1 }],
    },
  ])
  // Who sees all tenants sees the same of each.
  const { rows } = await world.owner.query(
    'select tenant_id, signed_at from lifecycle.client_funnel order by tenant_id',
  )
  expect(rows).toEqual([tenantA, tenantB].map((tenant_id) => ({ tenant_id, signed_at: null })))
})

test('of the demos of a month, how many led to a signed NDA; a month ends at midnight UTC (5.2.7)', async () => {
  await using world = await openWorld()
  await fill(world, tenantA, 'a')
  await fill(world, tenantB, 'b')
  const ref = { bucket: 'b', key: 'k', version_id: 'v', sha256: 's', bytes: 1 }
  const published = ['2025-11-30T23:59:59.999Z', '2025-12-01T00:00:00Z', '2025-12-20T12:00:00Z', '2026-01-02T00:00:00Z']
  const signed = [0, 2]
  for (const tenant_id of [tenantA, tenantB])
    for (const [n, published_at] of published.entries()) {
      const organization_id = `0c000000-0000-4000-8000-00000000000${String(n)}`
      const place = { tenant_id, organization_id }
      const times = { published_at, expires_at: at(1) }
      await world.insert('demos', {
        ...place,
        ...times,
        demo_id: `d${String(n)}`,
        status: 'published',
        version: 1,
        qr_ref: ref,
      })
      // The other tenant signs nothing; nor does a signature of the proposal count.
      const step = tenant_id === tenantA && signed.includes(n) ? 'nda' : 'proposal'
      await world.insert('client_milestones', { ...place, step, reached_at: at(-1), ms: 1 })
    }
  const { body } = await world.get('/funnel')
  const cohorts = (body as { cohorts: { month: string; published: number; nda_signed: number; demo_to_nda: number }[] })
    .cohorts
  // The demo that `fill` makes was published 40 days ago, on 6 December, and its NDA is signed.
  expect(
    cohorts.map(({ month, published: all, nda_signed: nda, demo_to_nda: share }) => [month, all, nda, share]),
  ).toEqual([
    ['2026-01', 1, 0, 0],
    ['2025-12', 3, 2, 2 / 3],
    ['2025-11', 1, 1, 1],
  ])
})
