/** The provider, through the official library, against a service that speaks Stripe's bytes. */

import Stripe from 'stripe'
import { describe, expect, test } from 'vitest'
import { invoicePages } from '../../../connectors/payments/index.ts'
import type { SandboxRule } from '../../../connectors/sandbox/index.ts'
import type { World } from './stripe-world.ts'
import { dayMs, start, subscribed, world } from './stripe-world.ts'

const types = ({ events }: World): unknown[] => events.map(({ payload }) => payload['type'])
const objects = ({ events }: World, type: string): Record<string, unknown>[] =>
  events.filter(({ payload }) => payload['type'] === type).map(({ payload }) => payload['object'] as never)
const pay = (answer: NonNullable<SandboxRule['answer']>, more: Partial<SandboxRule> = {}): SandboxRule => ({
  provider: 'stripe',
  operation: 'pay',
  answer,
  ...more,
})

describe('a life', () => {
  test('a subscription is made, paid and renewed; webhooks say whose it is', async () => {
    const to = await world()
    const { subscription_id, customer_id } = await subscribed(to)
    expect(subscription_id).toMatch(/^sub_[0-9a-f]{24}$/)
    await to.advance(120_000)
    expect(types(to)).toEqual([
      'customer.subscription.created',
      'invoice.created',
      'invoice.finalized',
      'invoice_payment.paid',
      'invoice.paid',
      'customer.subscription.updated',
    ])
    expect(to.events.filter(({ tenantId }) => tenantId === 'tenant-a')).toHaveLength(5)
    expect(to.events[0]).toMatchObject({
      organizationId: 'organization-a',
      objectId: subscription_id,
      relatedIds: [customer_id],
    })
    expect(objects(to, 'customer.subscription.updated')[0]).toMatchObject({
      status: 'active',
      document_id: 'doc1',
      items: [{ unit_amount: 2_000, quantity: 40, interval: 'month' }],
      previous: { status: 'incomplete' },
    })
    await to.advance(31 * dayMs)
    const invoices = objects(to, 'invoice.paid')
    expect(invoices.map(({ amount_paid }) => amount_paid)).toEqual([80_000, 80_000])
    expect(invoices[1]).toMatchObject({ period_start: Date.parse('2026-02-01T00:00:00Z'), attempt_count: 1 })
  })

  test('a declined renewal is tried eight times within two weeks, then it is unpaid (5.4.3)', async () => {
    const to = await world([pay('pays', { times: 1 }), pay('declined')])
    await subscribed(to)
    await to.advance(60 * dayMs)
    const failed = objects(to, 'invoice.payment_failed')
    expect(failed.map(({ attempt_count }) => attempt_count)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(failed.at(-1)).toMatchObject({ next_payment_attempt: null })
    const first = Number(failed[0]?.['next_payment_attempt'])
    expect(Number(failed[6]?.['next_payment_attempt']) - first).toBe(13 * dayMs)
    expect(objects(to, 'customer.subscription.updated').map(({ status }) => status)).toEqual([
      'active',
      'active', // the new period
      'past_due',
      'unpaid',
    ])
  })

  test.each([
    ['uncollectible', 'invoice.marked_uncollectible'],
    ['canceled', 'customer.subscription.deleted'],
  ] as const)('a script may have it %s instead', async (answer, type) => {
    const rule: SandboxRule = { provider: 'stripe', operation: 'give_up', answer }
    const to = await world([pay('pays', { times: 1 }), pay('declined'), rule])
    await subscribed(to)
    await to.advance(60 * dayMs)
    expect(objects(to, type)).toHaveLength(1)
  })

  test('a hard decline is not tried again (5.4.3)', async () => {
    const to = await world([pay('pays', { times: 1 }), pay('hard_declined')])
    await subscribed(to)
    await to.advance(58 * dayMs)
    expect(objects(to, 'invoice.payment_failed')).toMatchObject([{ attempt_count: 1, next_payment_attempt: null }])
  })

  test('a first invoice that nobody pays ends its subscription', async () => {
    const to = await world([pay('never_pays')])
    await subscribed(to)
    await to.advance(2 * dayMs)
    expect(types(to).slice(-2)).toEqual(['customer.subscription.updated', 'invoice.voided'])
    expect(objects(to, 'customer.subscription.updated')).toMatchObject([{ status: 'incomplete_expired' }])
  })

  test('who pays late pays by hand: no attempt of the schedule', async () => {
    const to = await world([pay('pays', { times: 1 }), pay('pays_late', { after_ms: 12 * 60 * 60 * 1000 })])
    await subscribed(to)
    await to.advance(33 * dayMs)
    expect(objects(to, 'invoice.payment_failed')).toHaveLength(1)
    expect(objects(to, 'invoice.paid').at(-1)).toMatchObject({ attempt_count: 1, amount_paid: 80_000 })
    expect(objects(to, 'customer.subscription.updated').at(-1)).toMatchObject({ status: 'active' })
  })

  test('other terms are settled with the next invoice, by what is left of the period', async () => {
    const to = await world()
    const { subscription_id, terms } = await subscribed(to)
    await to.advance(15.5 * dayMs)
    const wanted = { ...terms, subscription_id, quantity: 60, amount: 120_000, document_id: 'doc2' }
    expect(await to.ask('update_subscription', wanted)).toMatchObject({ class: 'ok', output: { status: 'active' } })
    await to.advance(16 * dayMs)
    expect(objects(to, 'customer.subscription.updated')[1]).toMatchObject({
      document_id: 'doc1',
      previous: { items: [{ quantity: 40 }] },
      items: [{ quantity: 60 }],
    })
    expect(objects(to, 'invoice.paid').map(({ amount_paid }) => amount_paid)).toEqual([80_000, 120_000 + 20_000])
  })

  test('it is cancelled and refunded once, and says so (5.4.8)', async () => {
    const to = await world()
    const { subscription_id, invoice_id } = await subscribed(to)
    await to.advance(10 * dayMs)
    const cancel = { subscription_id, reason: 'compensation' }
    expect(await to.ask('cancel_subscription', cancel)).toMatchObject({
      class: 'ok',
      output: { status: 'canceled', ended_at: start + 10 * dayMs },
    })
    expect(await to.ask('cancel_subscription', cancel)).toMatchObject({ class: 'ok', output: { status: 'canceled' } })
    const refund = { invoice_id, amount: 30_000, currency: 'USD', reason: 'compensation' }
    const same = { callId: 'refund-1' }
    const given = await to.ask('refund', refund, same)
    expect(given).toMatchObject({ class: 'ok', output: { amount: 30_000, amount_refunded: 30_000 } })
    expect(await to.ask('refund', refund, same)).toEqual(given)
    expect(await to.ask('refund', { ...refund, amount: 60_000 })).toMatchObject({ class: 'invalid' })
    expect(await to.ask('void_invoice', { invoice_id })).toMatchObject({
      class: 'invalid',
      error: expect.stringContaining('paid') as unknown,
    })
    await to.advance(1_000)
    expect(objects(to, 'customer.subscription.deleted')).toMatchObject([{ cancel_reason: 'compensation' }])
    expect(objects(to, 'charge.refunded')).toMatchObject([{ amount_refunded: 30_000, previously_refunded: 0 }])
    await to.advance(60 * dayMs)
    expect(objects(to, 'invoice.paid')).toHaveLength(1)
  })

  test('an open invoice is voided, and voiding it again is no trouble', async () => {
    const to = await world([pay('never_pays')])
    const { invoice_id } = await subscribed(to)
    expect(await to.ask('void_invoice', { invoice_id })).toMatchObject({ output: { status: 'void', voided_at: start } })
    expect(await to.ask('void_invoice', { invoice_id })).toMatchObject({ output: { status: 'void', voided_at: start } })
  })

  test('the page on which an invoice is paid is told to its tenant alone', async () => {
    const to = await world([pay('never_pays')])
    const { invoice_id } = await subscribed(to)
    const page = invoicePages({ baseUrl: to.sandbox.baseUrls.stripe, apiKey: 'sk_test_1', timeoutMs: 1_000 })
    expect(await page('tenant-a', invoice_id)).toEqual({ pay_url: expect.stringContaining(invoice_id) as unknown })
    expect(await page('tenant-b', invoice_id)).toBeNull()
    expect(await page('tenant-a', 'in_none')).toBeNull()
    const away = invoicePages({ baseUrl: 'http://127.0.0.1:1', apiKey: 'sk_test_1', timeoutMs: 1_000 })
    await expect(away('tenant-a', invoice_id)).rejects.toThrow()
  })

  test('it outlives a restart', async () => {
    const to = await world()
    await subscribed(to)
    await to.restart()
    await to.advance(31 * dayMs + 120_000)
    // A delivery that was on its way comes once more, under its id.
    expect(new Set(to.events.map(({ deliveryId }) => deliveryId)).size).toBe(11)
    expect(new Set(objects(to, 'invoice.paid').map(({ id }) => id)).size).toBe(2)
  })
})

describe('usage', () => {
  test('an identifier counts once (5.4.7)', async () => {
    const to = await world()
    const { customer_id } = await subscribed(to)
    const report = { customer_id, meter: 'messages', quantity: 120, window_start: start, identifier: 't|messages|1' }
    expect(await to.ask('report_usage', report)).toMatchObject({ class: 'ok', output: { identifier: 't|messages|1' } })
    expect(await to.ask('report_usage', report)).toMatchObject({ class: 'ok', output: { identifier: 't|messages|1' } })
    const unnamed = { ...report, identifier: 't|messages|2', customer_id: 'cus_none' }
    expect(await to.ask('report_usage', unnamed)).toMatchObject({ class: 'invalid' })
    const another = new Stripe('sk_test_1', {
      host: '127.0.0.1',
      port: new URL(to.sandbox.url).port,
      protocol: 'http',
      maxNetworkRetries: 0,
    })
    await expect(
      another.rawRequest('POST', '/stripe/v1/billing/meter_events', {
        event_name: 'messages',
        payload: { stripe_customer_id: customer_id, value: '1' },
        identifier: 't|messages|1',
      } as never),
    ).rejects.toMatchObject({ statusCode: 400, code: undefined, message: expect.stringContaining('t|messages|1') })
  })

  test('less than was reported is a negative quantity; a window of 35 days ago is refused (5.4.7)', async () => {
    const to = await world()
    const { customer_id } = await subscribed(to)
    const report = (n: number, quantity: number) =>
      to.ask('report_usage', { customer_id, meter: 'messages', quantity, window_start: start, identifier: `t|${n}` })
    expect(await report(1, 120)).toMatchObject({ class: 'ok' })
    expect(await report(2, -30)).toMatchObject({ class: 'ok' })
    await to.advance(35 * dayMs)
    expect(await report(3, -1)).toMatchObject({ class: 'ok' })
    await to.advance(1_000)
    expect(await report(4, -1)).toMatchObject({ class: 'invalid', status: 400 })
  })
})

describe('keys', () => {
  test('the same call is answered as the first time; other parameters are refused (5.4.1)', async () => {
    const to = await world()
    const same = { callId: 'one' }
    const first = await to.ask('create_customer', { company: 'Acme' }, same)
    expect(await to.ask('create_customer', { company: 'Acme' }, same)).toEqual(first)
    expect(await to.ask('create_customer', { company: 'Globex' }, same)).toMatchObject({
      class: 'invalid',
      status: 400,
    })
    expect(await to.ask('create_customer', { company: 'Acme' })).not.toEqual(first)
  })

  test('a key is known for a day, over a restart too; then it is a new one', async () => {
    const to = await world()
    const same = { callId: 'one' }
    const first = await to.ask('create_customer', { company: 'Acme' }, same)
    await to.advance(dayMs - 1)
    await to.restart()
    expect(await to.ask('create_customer', { company: 'Acme' }, same)).toEqual(first)
    await to.advance(1)
    const anew = await to.ask('create_customer', { company: 'Globex' }, same)
    expect(anew.class).toBe('ok')
    expect(anew.output).not.toEqual(first.output)
    expect(await to.ask('create_customer', { company: 'Globex' }, same)).toEqual(anew)
  })

  test('a call that is still being answered is tried again later', async () => {
    const to = await world([{ provider: 'stripe', operation: 'create_customer', delay_ms: 300, times: 1 }])
    const same = { callId: 'one' }
    const slow = to.ask('create_customer', { company: 'Acme' }, same)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(await to.ask('create_customer', { company: 'Acme' }, same)).toMatchObject({ class: 'retry', status: 409 })
    const first = await slow
    expect(first).toMatchObject({ class: 'ok' })
    await new Promise((resolve) => setTimeout(resolve, 350))
    expect(await to.ask('create_customer', { company: 'Acme' }, same)).toEqual(first)
  })

  test('an answer that was lost is given again (5.4.1)', async () => {
    const to = await world([{ provider: 'stripe', operation: 'create_subscription', truncate_at: 5, times: 1 }])
    const { output } = await to.ask('create_customer', { company: 'Acme' })
    const request = {
      plan: 'growth',
      quantity: 3,
      interval: 'year',
      currency: 'EUR',
      amount: 100,
      document_id: 'd',
      ...(output as object),
    }
    const same = { callId: 'one' }
    expect(await to.ask('create_subscription', request, same)).toMatchObject({ class: 'retry' })
    expect(await to.ask('create_subscription', request, same)).toMatchObject({ class: 'ok' })
    await to.advance(1_000)
    expect(objects(to, 'customer.subscription.created')).toMatchObject([
      { currency: 'eur', items: [{ unit_amount: 100, quantity: 1, interval: 'year' }] },
    ])
  })
})

describe('failures', () => {
  const failing = (rule: Partial<SandboxRule>): SandboxRule => ({
    provider: 'stripe',
    operation: 'create_customer',
    ...rule,
  })
  test.each([
    [
      'a declined card is an answer',
      { status: 402 },
      { class: 'ok', status: 402, output: { declined: 'insufficient_funds' } },
    ],
    [
      'too many calls',
      { status: 429, headers: { 'retry-after': '7' } },
      { class: 'retry', status: 429, retryAfterMs: 7_000 },
    ],
    ['in flight', { status: 409 }, { class: 'retry', status: 409 }],
    ['a wrong key', { status: 401 }, { class: 'auth', status: 401 }],
    ['a forbidden call', { status: 403 }, { class: 'auth', status: 403 }],
    ['a broken service', { status: 500 }, { class: 'retry', status: 500 }],
    ['a service that is away', { status: 503 }, { class: 'retry', status: 503 }],
    ['a bad request', { status: 400 }, { class: 'invalid', status: 400 }],
    ['a closed connection', { reset: true }, { class: 'retry', status: 0 }],
    ['half an answer', { truncate_at: 10 }, { class: 'retry' }],
    ['a page instead of an answer', { status: 502, body: '<html>bad gateway</html>' }, { class: 'retry' }],
    ['an answer that does not come', { delay_ms: 3_000 }, { class: 'retry', status: 0 }],
  ] as const)('%s, after one exchange', async (_, rule, expected) => {
    const to = await world([failing(rule)], 500)
    expect(await to.ask('create_customer', { company: 'Acme' })).toMatchObject(expected)
    const calls = (await (await fetch(`${to.sandbox.url}/sandbox/calls?provider=stripe`)).json()) as { total: number }
    expect(calls.total).toBe(1)
  })

  test('a request that is not whole, an operation that is none, an owner who is gone', async () => {
    const to = await world()
    expect(await to.ask('create_subscription', { plan: 'growth' })).toMatchObject({ class: 'invalid', status: 0 })
    expect(await to.ask('toString', {})).toMatchObject({ class: 'invalid' })
    expect(await to.ask('create_customer', { company: 'Acme' }, { tenantId: 'tenant-c' })).toMatchObject({
      class: 'invalid',
    })
    expect(await to.ask('refund', { invoice_id: 'in_none', amount: 1, reason: 'r' })).toMatchObject({
      class: 'invalid',
    })
  })

  test('a call that is left ends', async () => {
    const to = await world([failing({ delay_ms: 3_000 })])
    const left = new AbortController()
    const call = to.ask('create_customer', { company: 'Acme' }, { signal: left.signal })
    setTimeout(() => left.abort(), 50)
    expect(await call).toMatchObject({ class: 'retry', status: 0 })
  })
})

describe('webhooks', () => {
  const hook = (rule: Partial<SandboxRule>): SandboxRule => ({ provider: 'stripe', operation: 'webhook', ...rule })

  test.each(['wrong', 'stale', 'future'] as const)(
    'with a %s signature are refused, and come again',
    async (signature) => {
      const to = await world([hook({ signature, times: 2 })])
      await subscribed(to)
      await to.advance(5_000)
      expect(to.answers.filter((status) => status === 401)).toHaveLength(2)
      expect(types(to)).toHaveLength(3)
    },
  )

  test('come in another order and twice when a script wants it (5.4.2)', async () => {
    const created = hook({ contains: 'customer.subscription.created', late_ms: 90_000, times: 1 })
    const to = await world([created, hook({ contains: 'invoice.paid', duplicate: 2, times: 1 })])
    await subscribed(to)
    await to.advance(120_000)
    expect(types(to).at(-1)).toBe('customer.subscription.created')
    expect(objects(to, 'invoice.paid')).toHaveLength(3)
    expect(new Set(to.events.map(({ deliveryId }) => deliveryId)).size).toBe(6)
  })

  test('of two tenants say which is which', async () => {
    const to = await world()
    await subscribed(to)
    await subscribed(to, { tenantId: 'tenant-b' })
    await to.advance(1_000)
    expect(new Set(to.events.map(({ tenantId }) => tenantId))).toEqual(new Set(['tenant-a', 'tenant-b']))
  })
})
