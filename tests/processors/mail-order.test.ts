/** The mail service tells what became of a message late, twice and in any order: the reader is written to, or not, all the same. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sendGridWebhooks } from '../../api/webhooks/send-grid.ts'
import type { WebhookEvent } from '../../api/webhooks/verifier.ts'
import { communicationService } from '../../processors/index.ts'
import { scenarioEvent, scenarioTenants, servicePlayer } from '../../processors/scenario.ts'
import { communicationEvents } from '../../schemas/index.ts'

const start = 1_767_225_600_000
const tenants = ['a', 'b'] as const
type Tenant = (typeof tenants)[number]

const fates = {
  read: ['processed', 'delivered', 'open', 'click', 'open'],
  late: ['processed', 'deferred', 'deferred', 'delivered'],
  blocked: ['processed', 'bounce:blocked'],
  bounced: ['processed', 'bounce:bounce', 'dropped'],
  'spam, though read': ['processed', 'delivered', 'open', 'spamreport', 'click'],
} as const
type Fate = keyof typeof fates

/** As the bytes of a delivery say it. */
function told(fate: Fate, tenant: Tenant, message: number) {
  return fates[fate].map((what, n) => {
    const [event = '', type = null] = what.split(':')
    const { tenantId: tenant_id, organizationId: organization_id } = scenarioTenants[tenant]
    const ours = { tenant_id, organization_id, contact_id: 'u1', message_id: `m${message}` }
    return {
      event,
      type,
      timestamp: start / 1000 + n,
      sg_event_id: `${tenant} ${message} ${n}`,
      email: 'x@y.example',
      ...ours,
    }
  })
}
type Wire = ReturnType<typeof told>[number]

/** Deliveries of some events each, as bytes; then what becomes of a message of each purpose. */
function played(deliveries: readonly (readonly Wire[])[]) {
  const player = servicePlayer(communicationService())
  const say = (tenant: Tenant, type: string, payload: Readonly<Record<string, unknown>>, id: string, at = start) =>
    player.send({
      topic: communicationEvents,
      event: scenarioEvent(tenant, type, payload, at, `${tenant} ${id}`, { type: 'provider', id: 'p' }),
    })
  for (const tenant of tenants)
    say(tenant, 'contact_preference_changed', { contact_id: 'u1', channel: 'email', subscribed: true, preference_source: 'preference_page' }, 'wish') // prettier-ignore
  for (const [n, events] of deliveries.entries())
    for (const { type, payload, tenantId } of sendGridWebhooks.read(
      Buffer.from(JSON.stringify(events)),
    ) as WebhookEvent[]) {
      const tenant = tenants.find((each) => scenarioTenants[each].tenantId === tenantId)!
      say(tenant, type, payload, `${n} ${String(payload['provider_event_id'])}`, start + 1_000)
    }
  const states = [...player.states()].sort(([x], [y]) => (x < y ? -1 : 1))
  const becomes = tenants.flatMap((tenant) =>
    (['transactional', 'campaign'] as const).map((purpose) => {
      const letter = { template: 'invoice', data_ref: null, to: 'x@y.example', data: {}, channel: 'email' }
      const message = { ...letter, contact_id: 'u1', message_id: purpose, dedupe_key: purpose, purpose }
      const [first] = say(tenant, 'message_requested', message, purpose, start + 2_000)
      return `${purpose} ${String(first?.event['reason'] ?? first?.event.event_type)}`
    }),
  )
  return { states, becomes }
}

const fate = fc.constantFrom(...(Object.keys(fates) as Fate[]))
/** In another order, some of it twice, in deliveries of any size. */
const permuted = fc.record({ a: fc.array(fate, { maxLength: 3 }), b: fc.array(fate, { maxLength: 2 }) }).chain((of) => {
  const happened = tenants.flatMap((tenant) => of[tenant].flatMap((one, n) => told(one, tenant, n)))
  const again = fc.subarray(happened)
  const weights = fc.array(fc.double({ noNaN: true }), { minLength: 60, maxLength: 60 })
  const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 60, maxLength: 60 })
  return fc.record({ happened: fc.constant(happened), again, weights, sizes })
})

test('1,500 histories in another order, in other deliveries and with duplicates, leave the same said and done', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(permuted, ({ happened, again, weights, sizes }) => {
      const plain = played(happened.map((event) => [event]))
      for (const outcome of plain.becomes) seen.add(outcome)
      const order = [...happened, ...again]
        .map((event, n) => ({ event, weight: weights[n] ?? n }))
        .sort((x, y) => x.weight - y.weight)
        .map(({ event }) => event)
      const deliveries: Wire[][] = []
      for (const size of sizes) if (order.length > 0) deliveries.push(order.splice(0, size))
      expect(played(deliveries)).toEqual(plain)
    }),
    { seed: 20_261_127, numRuns: 1_500 },
  )
  // The histories are rich enough to end in every way.
  expect([...seen].sort()).toEqual([
    'campaign call_requested',
    'campaign hard_bounce',
    'campaign unsubscribed',
    'transactional call_requested',
    'transactional hard_bounce',
  ])
})
