/** Signatures as the service makes them, and every way in which they can be wrong; numbers in brackets are rows of the list of bad inputs. */

import { createHmac } from 'node:crypto'
import Stripe from 'stripe'
import { describe, expect, test } from 'vitest'
import { stripeWebhooks } from '../../../api/webhooks/stripe.ts'
import type { WebhookEvent } from '../../../api/webhooks/verifier.ts'
import { readObject } from '../../../processors/billing/objects.ts'
import { billingEvents } from '../../../schemas/index.ts'

const webhooks = stripeWebhooks('2026-10-28.endive')
const now = Date.parse('2026-01-01T00:00:00Z')
const at = now / 1000
const secret = 'whsec_new'
const former = 'whsec_old'
const raw = Buffer.from('{"id":"evt_1"}')
const sign = (t: number | string, with_ = secret, body = raw): string =>
  createHmac('sha256', with_).update(`${t}.`).update(body).digest('hex')
const verify = (header: string | undefined, body = raw, secrets: readonly string[] = [secret, former]) =>
  webhooks.verify(header === undefined ? {} : { 'stripe-signature': header }, body, secrets, now)

describe('a signature', () => {
  test('of the official library holds', () => {
    const header = Stripe.webhooks.generateTestHeaderString({ payload: raw.toString(), secret, timestamp: at })
    expect(verify(header)).toBe('ok')
  })

  const good = sign(at)
  const cases: readonly (readonly [string, string | undefined, 'ok' | 400 | 401])[] = [
    ['holds at the edge of its time', `t=${at - 300},v1=${sign(at - 300)}`, 'ok'],
    ['holds at the edge of its time, from ahead', `t=${at + 300},v1=${sign(at + 300)}`, 'ok'],
    ['301 s old (23)', `t=${at - 301},v1=${sign(at - 301)}`, 401],
    ['301 s ahead (23)', `t=${at + 301},v1=${sign(at + 301)}`, 401],
    ['of the former secret holds during a rotation', `t=${at},v1=${sign(at, former)}`, 'ok'],
    ['one of several holds', `t=${at},v1=${'0'.repeat(64)},v1=${good}`, 'ok'],
    ['ten, the last of them right', `t=${at},${`v1=${'0'.repeat(64)},`.repeat(9)}v1=${good}`, 'ok'],
    ['eleven, one of them right', `t=${at},${`v1=${'0'.repeat(64)},`.repeat(10)}v1=${good}`, 400],
    ['fifty, one of them right (23)', `t=${at},${`v1=${'0'.repeat(64)},`.repeat(49)}v1=${good}`, 400],
    ['two times (23)', `t=${at},t=${at},v1=${good}`, 401],
    ['two times, one of them old', `t=${at - 9_999},t=${at},v1=${good}`, 401],
    ['no time', `v1=${good}`, 401],
    ['a time that is none', `t=now,v1=${sign('now')}`, 401],
    ['of an older scheme alone (23)', `t=${at},v0=${good}`, 401],
    ['by another secret', `t=${at},v1=${sign(at, 'whsec_other')}`, 401],
    ['over other bytes (22)', `t=${at},v1=${sign(at, secret, Buffer.from('{"id":"evt_2"}'))}`, 401],
    ['over another time', `t=${at},v1=${sign(at - 1)}`, 401],
    ['cut short (21)', `t=${at},v1=${good.slice(0, 63)}`, 401],
    ['not in hex (21)', `t=${at},v1=${good.slice(0, 63)}z`, 401],
    ['the right digest and one byte (21)', `t=${at},v1=${good}00`, 401],
    ['SHA-1 alone (21)', `sha1=${createHmac('sha1', secret).update(raw).digest('hex')}`, 401],
    ['all zeros', `t=${at},v1=${'0'.repeat(64)}`, 401],
    ['no header (21)', undefined, 401],
    ['an empty header (21)', '', 401],
    ['a header without end', `t=${at},v1=${good},${'x'.repeat(5_000)}`, 400],
  ]
  test.each(cases)('signature: %s (5.4.9)', (_, header, expected) => {
    expect(verify(header)).toEqual(expected === 'ok' ? 'ok' : { status: expected })
  })

  test('holds for nobody where no secret is configured', () => {
    expect(verify(`t=${at},v1=${sign(at, '')}`, raw, [])).toEqual({ status: 401 })
  })
})

const metadata = (tenant: string) => ({
  tenant_id: tenant,
  organization_id: 'o1',
  document_id: 'doc1',
  plan: 'growth',
})
const item = (quantity: number) => ({
  id: 'si_1',
  quantity,
  current_period_start: 100,
  current_period_end: 200,
  price: { unit_amount: 2_000, recurring: { interval: 'month', interval_count: 1, usage_type: 'licensed' } },
})
const subscription = {
  object: 'subscription',
  id: 'sub_1',
  customer: 'cus_1',
  status: 'active',
  currency: 'usd',
  items: { data: [item(40)] },
  discounts: [
    'di_1',
    { coupon: { percent_off: 25, duration: 'forever' } },
    { coupon: { percent_off: 50, duration: 'once' } },
  ],
  ended_at: null,
  cancellation_details: { comment: 'they were rude to Ada', reason: 'cancellation_requested' },
  default_payment_method: { card: { last4: '4242' } },
}
const read = (raw: Buffer): readonly WebhookEvent[] => webhooks.read(raw) as readonly WebhookEvent[]
const event = (type: string, object: unknown, previous_attributes?: unknown) =>
  Buffer.from(
    JSON.stringify({ id: 'evt_1', object: 'event', type, created: 50, data: { object, previous_attributes } }),
  )

describe('what travels', () => {
  test.each([
    ['month', 1, 12_000],
    ['month', 3, 4_000],
    ['year', 1, 1_000],
  ])('an amount off every invoice, by the month: every %s × %i (5.4.4)', (interval, interval_count, amount) => {
    const price = { unit_amount: 120_000, recurring: { interval, interval_count, usage_type: 'licensed' } }
    const discounts = [{ coupon: { amount_off: 12_000, duration: 'forever' } }]
    const object = {
      ...subscription,
      items: { data: [{ ...item(1), price }] },
      discounts,
      metadata: metadata('tenant-a'),
    }
    const [told] = read(event('customer.subscription.updated', object))
    expect(readObject(told?.payload['object'])).toMatchObject({ discount: { percent: 0, amount } })
  })

  test.each(['tenant-a', 'tenant-b'])('of a subscription of %s: what decides, and nothing of a person', (tenant) => {
    const raw = event(
      'customer.subscription.updated',
      { ...subscription, metadata: metadata(tenant) },
      { status: 'incomplete', items: { data: [item(30)] } },
    )
    const [told] = read(raw)
    expect(told).toMatchObject({
      deliveryId: 'evt_1',
      topic: billingEvents,
      type: 'stripe_event_received',
      tenantId: tenant,
      organizationId: 'o1',
      objectId: 'sub_1',
      relatedIds: ['cus_1'],
      payload: { stripe_event_id: 'evt_1', object_id: 'sub_1', created: 50_000 },
    })
    expect(readObject(told?.payload['object'])).toEqual({
      object: 'subscription',
      id: 'sub_1',
      customer: 'cus_1',
      status: 'active',
      currency: 'usd',
      plan: 'growth',
      document_id: 'doc1',
      items: [{ unit_amount: 2_000, quantity: 40, interval: 'month', interval_count: 1, metered: false }],
      discount: { percent: 25, amount: 0 },
      period_start: 100_000,
      period_end: 200_000,
      ended_at: null,
      cancel_reason: 'cancellation_requested',
      previous: {
        status: 'incomplete',
        items: [{ unit_amount: 2_000, quantity: 30, interval: 'month', interval_count: 1, metered: false }],
      },
    })
    expect(JSON.stringify(told)).not.toMatch(/4242|rude/)
  })

  test('of an invoice: its subscription and metadata from its parent', () => {
    const invoice = {
      object: 'invoice',
      id: 'in_1',
      customer: { id: 'cus_1', email: 'ada@acme.example' },
      customer_email: 'ada@acme.example',
      status: 'open',
      currency: 'usd',
      amount_due: 80_000,
      amount_paid: 0,
      attempt_count: 2,
      next_payment_attempt: 300,
      created: 90,
      due_date: null,
      lines: { data: [{ period: { start: 100, end: 200 } }, { period: { start: 50, end: 100 } }] },
      parent: { subscription_details: { subscription: 'sub_1', metadata: metadata('tenant-a') } },
      status_transitions: { finalized_at: 95, paid_at: null, voided_at: null, marked_uncollectible_at: null },
      payments: {
        data: [
          {
            payment: { payment_intent: { last_payment_error: { code: 'card_declined', decline_code: 'stolen_card' } } },
          },
        ],
      },
    }
    const [told] = read(event('invoice.payment_failed', invoice))
    expect(told).toMatchObject({
      tenantId: 'tenant-a',
      organizationId: 'o1',
      objectId: 'in_1',
      relatedIds: ['cus_1', 'sub_1'],
    })
    expect(readObject(told?.payload['object'])).toEqual({
      object: 'invoice',
      id: 'in_1',
      subscription: 'sub_1',
      status: 'open',
      currency: 'usd',
      amount_due: 80_000,
      amount_paid: 0,
      attempt_count: 2,
      next_payment_attempt: 300_000,
      decline_code: 'stolen_card',
      due_at: 95_000,
      period_start: 100_000,
      period_end: 200_000,
      finalized_at: 95_000,
      paid_at: null,
      voided_at: null,
      uncollectible_at: null,
    })
    expect(JSON.stringify(told)).not.toContain('ada@')
  })

  test('of a refund: the total after it and before it; it waits for its customer', () => {
    const charge = {
      object: 'charge',
      id: 'ch_1',
      customer: 'cus_1',
      payment_intent: 'pi_1',
      currency: 'usd',
      amount_refunded: 9,
      metadata: {},
    }
    const [told] = read(event('charge.refunded', charge, { amount_refunded: 4 }))
    expect(told).toMatchObject({ tenantId: null, organizationId: null, objectId: 'ch_1', relatedIds: ['cus_1'] })
    expect(told?.payload['object']).toEqual({
      object: 'charge',
      id: 'ch_1',
      payment_intent: 'pi_1',
      currency: 'usd',
      amount_refunded: 9,
      previously_refunded: 4,
    })
  })

  test('an object of another release is refused, so that it comes again; one of the same release is read (invariant 4)', () => {
    const of = (api_version: string | null, type = 'invoice.paid') =>
      Buffer.from(JSON.stringify({ id: 'evt_1', type, created: at, api_version, data: { object: {} } }))
    expect(() => webhooks.read(of('2024-06-20'))).toThrow(
      'The endpoint at Stripe is of API version 2024-06-20; make one of 2026-10-28.endive',
    )
    expect(() => webhooks.read(of('2026-09-30.dahlia'))).toThrow('2026-09-30.dahlia')
    for (const alike of ['2026-11-25.endive', null])
      expect(webhooks.read(of(alike))).toEqual([
        { deliveryId: 'evt_1', unusable: 'the object of invoice.paid is not whole' },
      ])
    expect(webhooks.read(of('2024-06-20', 'customer.created'))).toEqual([])
  })

  test('nothing of an event of another kind', () => {
    expect(webhooks.read(event('customer.created', { object: 'customer', id: 'cus_1' }))).toEqual([])
  })

  test.each([
    ['no JSON', Buffer.from('<html>')],
    ['no event', Buffer.from('{"object":"list"}')],
    ['an object of another kind', event('invoice.paid', { object: 'customer', id: 'cus_1' })],
    ['an object that is not whole', event('customer.subscription.updated', { ...subscription, items: undefined })],
    ['a text without end', event('customer.subscription.updated', { ...subscription, id: 'x'.repeat(300) })],
    [
      'items without end',
      event('customer.subscription.updated', {
        ...subscription,
        items: { data: Array.from({ length: 21 }, () => item(1)) },
      }),
    ],
  ])('%s is set aside, with a reason', (_, body) => {
    expect(webhooks.read(body)).toEqual([
      {
        deliveryId: expect.any(String) as unknown,
        unusable: expect.stringMatching(/^(not an event|the object of)/) as unknown,
      },
    ])
  })
})
