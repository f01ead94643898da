/** The payment service tells things late, twice and in any order: the same set of webhooks gives the same state and facts. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { billingService } from '../../processors/index.ts'
import { counts } from '../../processors/billing/mrr.ts'
import type { SubscriptionObject } from '../../processors/billing/objects.ts'
import { mrrOf } from '../../processors/billing/objects.ts'
import type { BillingState } from '../../processors/billing/state.ts'
import type { Told } from '../../processors/scenario.ts'
import { scenarioEvent, servicePlayer } from '../../processors/scenario.ts'
import { billingEvents } from '../../schemas/index.ts'
import { mrr as mrrProjection } from '../../sinks/projections/mrr.ts'
import type { Happened } from './billing-histories.ts'
import { story, told } from './billing-histories.ts'

const tenants = ['a', 'b'] as const

/** Everything arrives at one moment, after it happened: only the order differs. */
function played(happened: readonly Happened[], arrival: number, until = arrival) {
  const player = servicePlayer(billingService())
  const facts: string[] = []
  for (const tenant of tenants)
    for (const [n, { id, type, at, object }] of happened.entries()) {
      const object_id = 'id' in object ? object.id : object.invoice
      const payload = { stripe_event_id: id, type, object_id, created: at, object }
      const by = { type: 'provider', id: 'stripe' } as const
      const event = scenarioEvent(tenant, 'stripe_event_received', payload, arrival, `${tenant}-${n}`, by)
      facts.push(...player.send({ topic: billingEvents, event }).map(said))
    }
  if (until > arrival) facts.push(...player.advanceTo(until).map(said))
  return { states: [...player.states()].sort(([x], [y]) => (x < y ? -1 : 1)), facts: facts.sort() }
}

function said({ topic, event }: Told): string {
  const fields = Object.keys(topic.events[event.event_type]?.fields ?? {})
  return JSON.stringify([event.tenant_id, event.event_type, ...fields.map((name) => event[name] ?? null)])
}

/** Another order, some of it twice. */
const permuted = (hurried: boolean) =>
  story.chain((drawn) => {
    const happened = told({ ...drawn, hurried, months: hurried ? drawn.months.slice(0, 1) : drawn.months })
    const order = fc.array(fc.double({ noNaN: true }), { minLength: happened.length, maxLength: happened.length })
    return fc.record({
      happened: fc.constant(happened),
      other: fc.tuple(order, fc.array(fc.nat(happened.length - 1), { maxLength: 6 })).map(([weights, again]) => {
        const sorted = happened
          .map((each, n) => ({ each, weight: weights[n] ?? 0 }))
          .sort((x, y) => x.weight - y.weight)
        const list = sorted.map(({ each }) => each)
        for (const [n, place] of again.entries()) list.splice((place * 7 + n) % (list.length + 1), 0, happened[place]!)
        return list
      }),
    })
  })

const seed = 20_261_126

test('1,200 histories in another order, with duplicates, give the same state and say the same (5.4.2)', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(permuted(false), ({ happened, other }) => {
      const arrival = happened.at(-1)!.at + 1_000
      const plain = played(happened, arrival)
      for (const fact of plain.facts) seen.add(String((JSON.parse(fact) as string[])[1]))
      const shuffled = played(other, arrival)
      expect(shuffled.facts).toEqual(plain.facts)
      expect(shuffled.states).toEqual(plain.states)
    }),
    { seed, numRuns: 1_200 },
  )
  // The histories are rich enough to be a test of every fact.
  expect([...seen].sort()).toEqual([
    'dunning_stage_changed',
    'invoice_issued',
    'invoice_paid',
    'invoice_uncollectible',
    'invoice_voided',
    'payment_failed',
    'refund_issued',
    'subscription_activated',
    'subscription_canceled',
    'subscription_changed',
    'subscription_created',
  ])
})

test('changes of one second in another order come to the revenue that the payment service says (5.4.4)', () => {
  fc.assert(
    fc.property(permuted(true), ({ happened, other }) => {
      const arrival = happened.at(-1)!.at + 1_000
      const last = happened.findLast(({ object }) => object.object === 'subscription')!.object as SubscriptionObject
      const settled = arrival + 2 * 60 * 60 * 1_000
      for (const { facts } of [played(happened, arrival, settled), played(other, arrival, settled)]) {
        const points = facts.map((fact) => JSON.parse(fact) as [string, string, ...(string | number)[]])
        const changes = points.filter(([tenant, type]) => tenant === 'tenant-a' && type === 'subscription_changed')
        const latest = changes.sort((a, b) => Number(a.at(-1)) - Number(b.at(-1))).at(-1)
        if (latest !== undefined && counts(last.status)) expect(latest[5]).toBe(mrrOf(last))
      }
    }),
    { seed, numRuns: 1_200 },
  )
})

test('what the facts make the revenue to be is what the payment service says it is, after every event (5.4.4)', () => {
  fc.assert(
    fc.property(story, (whole) => {
      const player = servicePlayer(billingService())
      const points: { readonly effective_at: number; readonly mrr: number }[] = []
      const statuses = new Map<string, string>()
      let counted = 0
      for (const [n, { id, type, at, object }] of told(whole).entries()) {
        const object_id = 'id' in object ? object.id : object.invoice
        const payload = { stripe_event_id: id, type, object_id, created: at, object }
        const by = { type: 'provider', id: 'stripe' } as const
        const event = scenarioEvent('a', 'stripe_event_received', payload, at, `e-${n}`, by)
        for (const fact of player.send({ topic: billingEvents, event })) {
          const place = { topic: 'billing_events', partition: 0, offset: 0n }
          for (const change of mrrProjection.apply(fact.event as never, place))
            if (change.op === 'put')
              points.push({ effective_at: Number(change.key['effective_at']), mrr: Number(change.values['mrr']) })
        }
        const [state] = [...player.states().values()] as BillingState[]
        if ('status' in object) statuses.set(object.id, object.status)
        if (object.object === 'subscription') counted = counts(object.status) ? mrrOf(object) : 0
        for (const each of [...(state?.subscriptions ?? []), ...(state?.invoices ?? [])])
          expect(each.status, each.id).toBe(statuses.get(each.id))
        const last = points.reduce((best, each) => (each.effective_at >= best.effective_at ? each : best), {
          effective_at: 0,
          mrr: 0,
        })
        expect(last.mrr).toBe(counted)
      }
    }),
    { seed, numRuns: 300 },
  )
})
