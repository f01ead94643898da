/** Billing's lists, and months of recurring revenue out of the points in SQL against the plain reckoning of them. */

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CustomerMonth } from '../../../sinks/index.ts'
import { revenueMonth } from '../../../sinks/index.ts'
import { insertAgents } from '../../contracts/agent-rows.ts'
import { organizationOf, person, tenantA, tenantB } from '../http/world.ts'
import type { World } from './world.ts'
import { fill, openWorld, ownerA, ownerB } from './world.ts'

let world: World

beforeAll(async () => {
  world = await openWorld()
  await fill(world, tenantA, 'a')
  await fill(world, tenantB, 'b')
})
afterAll(() => world[Symbol.asyncDispose]())

const place = (tenant_id: string) => ({ tenant_id, organization_id: organizationOf(tenant_id) })

describe('lists', () => {
  beforeAll(async () => {
    for (const tenant of [tenantA, tenantB])
      for (const n of [1, 2, 3]) {
        const day = `2026-01-0${String(n)}T00:00:00Z`
        const own = { ...place(tenant), invoice_id: `in_${String(n)}` }
        await world.insert('subscriptions', {
          ...place(tenant),
          subscription_id: `sub_${String(n)}`,
          customer_id: 'cus_1',
          plan: 'growth',
          status: n === 3 ? 'canceled' : 'active',
          currency: 'USD',
          mrr: n === 3 ? 0 : 80_000 * n,
          created_at: day,
        })
        await world.insert('invoices', {
          ...own,
          status: 'paid',
          currency: 'USD',
          amount_due: 80_000,
          amount_paid: 80_000,
          due_at: day,
          issued_at: day,
        })
        await world.insert('refunds', {
          ...place(tenant),
          refund_id: `re_${String(n)}`,
          invoice_id: 'in_1',
          currency: 'USD',
          amount: 1_000 * n,
          reason: 'compensation',
          refunded_at: day,
        })
        await world.insert('dunning', {
          ...own,
          stage: n === 1 ? 'grace' : 'recovered',
          day: 0,
          began_at: day,
          stage_at: day,
        })
      }
  })

  test.each(['subscriptions', 'invoices', 'dunning'])('%s: one’s own, newest first, a page at a time', async (list) => {
    const first = await world.get(`/${list}?limit=2`)
    expect(first.status).toBe(200)
    expect(first.body.items).toHaveLength(2)
    const rest = await world.get(`/${list}?limit=2&cursor=${String(first.body.next_cursor)}`)
    expect(rest.body).toMatchObject({ items: [{}], next_cursor: null })
    const all = [...first.body.items, ...rest.body.items]
    expect(new Set(all.map((item: { organization_id: string }) => item.organization_id))).toEqual(
      new Set([organizationOf(tenantA)]),
    )
    expect((await world.get(`/${list}`, ownerB)).body.items).toHaveLength(3)
    expect((await world.get(`/${list}?organization_id=${organizationOf(tenantB)}`)).status).toBe(404)
  })

  test('filters, and money given back', async () => {
    const active = (await world.get('/subscriptions?status=active')).body.items as { mrr: number }[]
    expect(active.map(({ mrr }) => mrr)).toEqual([160_000, 80_000])
    expect((await world.get('/dunning?stage=grace')).body.items).toMatchObject([{ invoice_id: 'in_1' }])
    expect((await world.get('/invoices?status=paid')).body.items).toMatchObject([
      { invoice_id: 'in_3', amount_refunded: 0 },
      { invoice_id: 'in_2', amount_refunded: 0 },
      { invoice_id: 'in_1', amount_refunded: 6_000, amount_due: 80_000 },
    ])
    expect((await world.get('/invoices?status=none')).status).toBe(400)
  })
})

interface Point {
  readonly subscription: string
  readonly at: number
  readonly mrr: number
  readonly cause: string
}

const dayMs = 24 * 60 * 60 * 1000
const first = Date.parse('2025-03-01T00:00:00Z')
const months = Array.from({ length: 11 }, (_, n) => Date.UTC(2025, 1 + n, 1))

/** Points of up to three subscriptions, some of them on the first instant of a month. */
const points = fc.array(
  fc.record({
    subscription: fc.constantFrom('s1', 's2', 's3'),
    at: fc.oneof(
      fc.integer({ min: 0, max: 260 * 24 }).map((hours) => first + (hours * dayMs) / 24),
      fc.constantFrom(...months),
    ),
    mrr: fc.oneof(
      fc.constant(0),
      fc.integer({ min: 1, max: 9 }).map((n) => n * 1_000),
    ),
    cause: fc.constantFrom('terms', 'unpaid', 'voluntary', 'payment_failed'),
  }),
  { maxLength: 14 },
)

/** The plain reckoning: what each subscription counted just before an instant. */
function countedAt(all: readonly Point[], instant: number): { readonly mrr: number; readonly last: readonly Point[] } {
  const last = ['s1', 's2', 's3'].flatMap((name) => {
    const own = all.filter(({ subscription, at }) => subscription === name && at < instant)
    return own.sort((x, y) => x.at - y.at).at(-1) ?? []
  })
  return { mrr: last.reduce((sum, { mrr }) => sum + mrr, 0), last }
}

function monthOf(all: readonly Point[], start: number, end: number): CustomerMonth {
  const ending = countedAt(all, end)
  return {
    starting: countedAt(all, start).mrr,
    ending: ending.mrr,
    knownBefore: all.some(({ mrr, at }) => mrr > 0 && at < start),
    involuntary: ending.last.some(
      ({ mrr, at, cause }) => mrr === 0 && at >= start && ['payment_failed', 'unpaid'].includes(cause),
    ),
  }
}

describe('months', () => {
  test('are what the points say, for each tenant its own; the identity holds (5.4.5)', async () => {
    const sample = fc.sample(points, { numRuns: 40, seed: 20_261_126 })
    for (const [n, drawn] of sample.entries()) {
      // One point for an instant of a subscription: two are ordered by their ids, which says nothing.
      const whole = [...new Map(drawn.map((point) => [`${point.subscription} ${String(point.at)}`, point])).values()]
      const tenant = `0d000000-0000-4000-8000-0000000000${String(n + 10)}`
      for (const [k, { subscription, at, mrr, cause }] of whole.entries())
        await world.insert('mrr_points', {
          ...place(tenant),
          subscription_id: subscription,
          effective_at: new Date(at).toISOString(),
          event_id: `e${String(k)}`,
          currency: 'USD',
          mrr,
          cause,
        })
      const { status, body } = await world.get('/revenue/mrr?from=2025-02&to=2025-12', person(tenant))
      expect(status).toBe(200)
      const shown = (body.months[0]?.months ?? []) as Record<string, number>[]
      expect(shown).toHaveLength(whole.length === 0 ? 0 : months.length)
      shown.forEach((month, m) => {
        const start = months[m]!
        const end = months[m + 1] ?? Date.UTC(2026, 0, 1)
        const expected = revenueMonth([monthOf(whole, start, end)])
        expect(month).toEqual({ month: new Date(start).toISOString().slice(0, 7), ...expected })
        const {
          starting,
          new: fresh,
          reactivation,
          expansion,
          contraction,
          churn,
          ending,
        } = month as never as typeof expected
        expect(ending).toBe(starting + fresh + reactivation + expansion - contraction - churn)
      })
    }
  }, 60_000)

  test('for an agent of two tenants whose organizations have one id are months of two customers (5.4.6)', async () => {
    const [first, second] = ['0e000000-0000-4000-8000-000000000001', '0e000000-0000-4000-8000-000000000002']
    const agent = person(first, { userId: '0e000000-0000-4000-8000-000000000099', userType: 'agent', role: 'member' })
    await insertAgents(world.owner, { [agent.userId]: [agent.userId] })
    for (const tenant of [first, second]) {
      await world.owner.query(
        'insert into auth.client_assignments (tenant_id, user_id, team_id, role, created_at) values ($1, $2, $2, $3, now())',
        [tenant, agent.userId, 'owner'],
      )
      const point = {
        tenant_id: tenant,
        organization_id: organizationOf(first),
        subscription_id: 's1',
        currency: 'USD',
      }
      await world.insert('mrr_points', {
        ...{ ...point, effective_at: '2025-01-10T00:00:00Z', event_id: 'e1', mrr: 5_000, cause: 'activated' },
      })
      const end = { mrr: tenant === first ? 0 : 7_000, cause: tenant === first ? 'voluntary' : 'terms' }
      await world.insert('mrr_points', { ...point, effective_at: '2025-02-10T00:00:00Z', event_id: 'e2', ...end })
    }
    const { status, body } = await world.get('/revenue/mrr?from=2025-02&to=2025-02', agent)
    expect(status).toBe(200)
    expect(body.months).toMatchObject([
      {
        currency: 'USD',
        months: [{ starting: 10_000, churn: 5_000, expansion: 2_000, ending: 7_000, customers_lost: 1 }],
      },
    ])
  })

  test('say what they mean, and nothing where there is nothing', async () => {
    const { body } = await world.get('/revenue/mrr')
    expect(body.months).toEqual([])
    expect(body.definitions).toMatchObject({ identity: expect.stringContaining('ending =') as unknown })
    expect((await world.get('/revenue/mrr?from=2025-13', ownerA)).status).toBe(400)
  })
})
