/** Runs against providers that go wrong, with seeds that are fixed; and the judge is shown what it must find, and what it must not. */

import { describe, expect, test } from 'vitest'
import { readProvidersArguments } from '../../deploy/chaos/providers/arguments.ts'
import type { Met } from '../../deploy/chaos/providers/coverage.ts'
import { add, missing, mustMeet, runsToCome } from '../../deploy/chaos/providers/coverage.ts'
import type { CustomerSeen, EnvelopeSeen, Evidence, InvoiceSeen } from '../../deploy/chaos/providers/evidence.ts'
import { others, uses } from '../../deploy/chaos/providers/fates.ts'
import type { ProviderCall } from '../../deploy/chaos/providers/faults.ts'
import { dealt, faultKinds } from '../../deploy/chaos/providers/faults.ts'
import type { Held } from '../../deploy/chaos/providers/held.ts'
import type { CompanyEnd } from '../../deploy/chaos/providers/judge.ts'
import { judge, repeats } from '../../deploy/chaos/providers/judge.ts'
import { planOf } from '../../deploy/chaos/providers/plan.ts'
import { runProviders } from '../../deploy/chaos/providers/run.ts'

async function runWith(...argv: readonly string[]) {
  const options = readProvidersArguments(['--providers', ...argv], 1)
  if (typeof options === 'string') throw new Error(options)
  return runProviders(options)
}

describe('runs', () => {
  // 13 once cancelled what was paid. Their companies use, change their contract, and are not heard: told of in time or too late, paid
  // before, after, or never.
  test('of fixed seeds: nothing is made twice', async () => {
    const report = await runWith('--runs', '3', '--at-once', '3', '--seed', '11')
    expect(report.findings).toEqual([])
    expect(report).toMatchObject({ runs: 3, companies: 9, next_seed: null })
    expect(report.faults).toBeGreaterThan(50)
    expect(Object.values(report.kills).reduce((sum, kills) => sum + kills, 0)).toBeGreaterThan(1)
  }, 900_000)
})

describe('the plan', () => {
  test('follows from the seed; neighbouring seeds come to every fate, and no company twice', () => {
    expect(planOf(7, 3, 2)).toEqual(planOf(7, 3, 2))
    const plans = Array.from({ length: others.length }, (_, index) => planOf(100 + index, 3, 1))
    const fates = new Set(plans.flatMap(({ companies }) => companies.map(({ fate }) => fate)))
    expect(fates).toEqual(new Set([uses, ...others]))
    const domains = plans.flatMap(({ companies }) => companies.map(({ domain }) => domain))
    expect(new Set(domains).size).toBe(domains.length)
    for (const { companies } of plans) expect(new Set(companies.map(({ fate }) => fate)).size).toBe(3)
  })

  test('deals an operation each kind of fault over as many neighbouring seeds as there are, and within one run', () => {
    const bySeed = faultKinds.map((_, seed) => dealt(1_000 + seed, 'stripe.refund', 0))
    const within = faultKinds.map((_, nth) => dealt(1_000, 'stripe.refund', nth))
    for (const kinds of [bySeed, within]) expect(new Set(kinds)).toEqual(new Set(faultKinds))
  })

  test('what was not met is missing from the table of a whole set', () => {
    const met: Met = new Map()
    const every = mustMeet.flatMap((name) =>
      faultKinds.map((fault) => call({ provider: name.split('.')[0]!, operation: name.split('.')[1]!, fault })),
    )
    add(met, every)
    expect(missing(met)).toEqual([])
    const few: Met = new Map()
    add(few, every.slice(1))
    expect(missing(few)).toEqual([`${mustMeet[0]!} has not met ${faultKinds[0]}`])
    const set = { runs: 200, atOnce: 16 }
    expect([runsToCome(set, { runs: 192, met }), runsToCome(set, { runs: 200, met })]).toEqual([8, 0])
    expect([runsToCome(set, { runs: 200, met: few }), runsToCome(set, { runs: 216, met })]).toEqual([16, 0])
    expect(runsToCome({ ...set, runs: 199 }, { runs: 199, met: few })).toBe(0)
  })
})

const envelope = (more: Partial<EnvelopeSeen> = {}): EnvelopeSeen => ({
  envelopeId: 'e1',
  transactionId: 't1',
  createdAt: 1,
  status: 'completed',
  organizationId: 'organization-a',
  documentId: 'd1',
  version: 1,
  domain: 'a.example',
  ...more,
})
const invoice = (more: Partial<InvoiceSeen> = {}): InvoiceSeen => ({
  ...{ id: 'in_1', subscription: 'sub_1', reason: 'subscription_create', status: 'paid', periodStart: 1 },
  ...{ due: 900, paid: 900, refunded: 0, refundIds: [] },
  ...more,
})
const customer = (more: Partial<CustomerSeen> = {}): CustomerSeen => ({
  id: 'cus_1',
  organizationId: 'organization-a',
  domain: 'a.example',
  subscriptions: [{ id: 'sub_1', status: 'active', documentId: 'd1' }],
  invoices: [invoice()],
  ...more,
})
const call = (more: Partial<ProviderCall> = {}): ProviderCall => ({
  ...{ n: 1, at: 1, run: 1, provider: 'stripe', operation: 'create_customer', companies: ['a.example'], key: 'k1' },
  ...{ fingerprint: 'f1', report: null, fault: null, status: 200, replayed: false, killed: null },
  ...more,
})
const ofB = customer({
  id: 'cus_2',
  organizationId: 'organization-b',
  domain: 'b.example',
  subscriptions: [{ id: 'sub_2', status: 'active', documentId: 'd2' }],
  invoices: [invoice({ id: 'in_2', subscription: 'sub_2' })],
})
const good: Evidence = {
  envelopes: [
    envelope(),
    envelope({
      envelopeId: 'e2',
      transactionId: 't2',
      documentId: 'd2',
      organizationId: 'organization-b',
      domain: 'b.example',
    }),
  ],
  customers: [customer(), ofB],
  meterEvents: [{ identifier: 'm1', meter: 'messages', customerId: 'cus_1', value: 7 }],
  imported: [{ insertId: 'i1', event: 'demo_viewed' }],
  mails: [],
  calls: [call(), call({ n: 2 }), call({ n: 3, key: 'k2', fingerprint: 'f2', companies: ['b.example'] })],
}
const end = (more: Partial<CompanyEnd> = {}): CompanyEnd => ({
  ...{ domain: 'a.example', organizationId: 'organization-a', wanted: ['paid'], came: 'paid', used: { messages: 7 } },
  ...more,
})
const ends = [end(), end({ domain: 'b.example', organizationId: 'organization-b', used: {} })]
const held: Held = {
  withheld: new Set(),
  envelopes: new Map([
    ['d1 v1', 'e1'],
    ['d2 v1', 'e2'],
  ]),
  subscriptions: new Map([
    ['sub_1', 'active of cus_1'],
    ['sub_2', 'active of cus_2'],
  ]),
  invoices: new Map([
    ['in_1', 'paid, 900 paid, 0 given back'],
    ['in_2', 'paid, 900 paid, 0 given back'],
  ]),
}

describe('the judge', () => {
  test('finds nothing where everything was made once, for two tenants', () => {
    expect(judge(good, ends, held)).toEqual([])
  })

  const replaced = (status: EnvelopeSeen['status']): Evidence['envelopes'] => [
    ...good.envelopes,
    envelope({ envelopeId: 'e3', transactionId: 't3', documentId: 'd3', status }),
    envelope({ envelopeId: 'e4', transactionId: 't4', documentId: 'd3', version: 2 }),
  ]
  const made = call({ n: 5, provider: 'docusign', operation: 'create_envelope', key: 't4', status: 201 })
  const ended = (n: number): ProviderCall =>
    call({ n, provider: 'docusign', operation: 'void_envelope', key: 'PUT /envelopes/e3 f', status: 200 })

  test('a version that follows one that has ended is none of its findings (PF1)', () => {
    const evidence = { ...good, envelopes: replaced('voided'), calls: [...good.calls, ended(4), made] }
    expect(judge(evidence, ends, null)).toEqual([])
  })

  test.each<readonly [string, Partial<Evidence>, RegExp]>([
    [
      'a second envelope for a version',
      { envelopes: [...good.envelopes, envelope({ envelopeId: 'e9', transactionId: 't9' })] },
      /^PF1 2 envelopes for d1 v1: e1, e9$/,
    ],
    [
      'a version beside one that is live',
      { envelopes: replaced('sent') },
      /^PF1 envelope of d3 v1 is sent, and v2 was made$/,
    ],
    [
      'a version before the one before has ended',
      { envelopes: replaced('voided'), calls: [...good.calls, made, ended(6)] },
      /^PF1 envelope of d3 v2 was made while v1 was live$/,
    ],
    [
      'a second customer',
      { customers: [...good.customers, customer({ id: 'cus_9', subscriptions: [], invoices: [] })] },
      /^PF2 2 customers for/,
    ],
    [
      'a second subscription for a contract',
      {
        customers: [
          ofB,
          customer({
            subscriptions: [...customer().subscriptions, { id: 'sub_9', status: 'canceled', documentId: 'd1' }],
          }),
        ],
      },
      /^PF2 2 subscriptions for contract d1: sub_1, sub_9$/,
    ],
    [
      'two subscriptions that run',
      {
        customers: [
          ofB,
          customer({
            subscriptions: [...customer().subscriptions, { id: 'sub_9', status: 'active', documentId: 'd9' }],
          }),
        ],
      },
      /^PF2 2 subscriptions run at once$/,
    ],
    [
      'a second invoice for a period',
      { customers: [ofB, customer({ invoices: [invoice(), invoice({ id: 'in_9' })] })] },
      /^PF3 2 invoices for sub_1 from 1$/,
    ],
    [
      'an invoice paid twice',
      { customers: [ofB, customer({ invoices: [invoice({ paid: 1_800 })] })] },
      /^PF3 in_1: 1800 paid of 900$/,
    ],
    [
      'a second refund',
      { customers: [ofB, customer({ invoices: [invoice({ refunded: 900, refundIds: ['re_1', 're_2'] })] })] },
      /^PF3 in_1: given back 2 times$/,
    ],
    [
      'more given back than was paid',
      { customers: [ofB, customer({ invoices: [invoice({ refunded: 901, refundIds: ['re_1'] })] })] },
      /^PF3 in_1: 901 given back of 900$/,
    ],
    [
      'usage counted twice',
      { meterEvents: [...good.meterEvents, { ...good.meterEvents[0]!, identifier: 'm2' }] },
      /^PF4 14 messages counted, 7 used$/,
    ],
    ['usage that is not counted', { meterEvents: [] }, /^PF4 0 messages counted, 7 used$/],
    [
      'a key used for something else',
      { calls: [...good.calls, call({ n: 9, fingerprint: 'f9' })] },
      /^PF5 stripe create_customer k1 was used for 2 different requests$/,
    ],
    [
      'an analytics event held twice',
      { imported: [...good.imported, ...good.imported] },
      /^PF6 \$insert_id i1 is held 2 times/,
    ],
    [
      'an envelope voided twice',
      { envelopes: replaced('voided'), calls: [...good.calls, ended(3), ended(4), made] },
      /^PF7 \/envelopes\/e3 was voided 2 times$/,
    ],
    [
      'an envelope that is live in the end',
      { envelopes: [envelope({ status: 'sent' })] },
      /^PF8 envelope e1 is sent in the end$/,
    ],
    ['a paying company without a subscription', { customers: [ofB] }, /^PF8 paid, and 0 subscriptions run/],
  ])('finds %s', (_, change, words) => {
    const found = judge({ ...good, ...change }, ends, null).map((finding) => finding.words)
    expect(
      found.some((line) => words.test(line)),
      found.join('\n'),
    ).toBe(true)
  })

  test.each<readonly [string, Partial<CompanyEnd>, RegExp]>([
    ['another end', { came: 'payment_failed' }, /^PF8 came to payment_failed; wanted paid$/],
    [
      'a subscription that nobody wants',
      { came: 'payment_failed', wanted: ['payment_failed'] },
      /^PF8 payment_failed, and subscription sub_1 runs$/,
    ],
    [
      'money that is not given back',
      { came: 'payment_failed', wanted: ['payment_failed'] },
      /^PF8 invoice in_1 was paid and nothing is given back$/,
    ],
  ])('finds %s', (_, change, words) => {
    const found = judge(good, [end(change)], null).map((finding) => finding.words)
    expect(
      found.some((line) => words.test(line)),
      found.join('\n'),
    ).toBe(true)
  })

  test('takes money for rightly kept where a person was to give it back, and did not', () => {
    const gone = { ...customer(), subscriptions: [{ id: 'sub_1', status: 'canceled', documentId: 'd1' }] }
    const evidence = { ...good, customers: [gone, ofB] }
    const failed = [end({ came: 'payment_failed', wanted: ['payment_failed'] })]
    const ofRefund = (withheld: ReadonlySet<string>) =>
      judge(evidence, failed, { ...held, withheld }).filter(({ words }) => words.includes('nothing is given back'))
    expect(ofRefund(new Set())).toHaveLength(1)
    expect(ofRefund(new Set(['in_1']))).toEqual([])
  })

  test.each<readonly [string, Partial<Held>, RegExp]>([
    [
      'an envelope we do not know',
      { envelopes: new Map([['d1 v1', 'e1']]) },
      /^PF9 envelope of d2 v1: e2 there, nothing here$/,
    ],
    [
      'another status',
      { subscriptions: new Map([...held.subscriptions, ['sub_1', 'canceled of cus_1']]) },
      /^PF9 subscription sub_1: active of cus_1 there, canceled of cus_1 here$/,
    ],
    [
      'a row of nobody',
      { invoices: new Map([...held.invoices, ['in_9', 'open, 0 paid, 0 given back']]) },
      /^PF9 invoices in_9: nothing there, a row here$/,
    ],
  ])('finds %s in our rows (PF9)', (_, change, words) => {
    const found = judge(good, ends, { ...held, ...change }).map((finding) => finding.words)
    expect(
      found.some((line) => words.test(line)),
      found.join('\n'),
    ).toBe(true)
  })

  test('counts what may happen again, and finds nothing in it', () => {
    const mail = { to: 'ada@a.example', subject: 'Your demo', text: 'It is here.' }
    const asked = call({ provider: 'openai', operation: 'respond', fingerprint: 'q' })
    const evidence = { ...good, mails: [mail, mail, { ...mail, to: 'bob@b.example' }], calls: [asked, asked, asked] }
    expect(judge(evidence, ends, held)).toEqual([])
    expect(repeats(evidence)).toEqual({ mails: 1, questions: 2 })
  })
})

describe('its command line', () => {
  test('has defaults', () => {
    expect(readProvidersArguments(['--providers'], 5)).toEqual({
      ...{ program: 'providers', runs: 200, seed: 5, kills: 1, companies: 3, atOnce: 16, season: 32, minutes: 150 },
      ...{ keep: false, json: null },
    })
    expect(readProvidersArguments(['--providers', '--kills', '0', '--runs', '3', '--keep'], 5)).toMatchObject({
      ...{ runs: 3, kills: 0, keep: true },
    })
  })
  test.each([
    [['--providers', '--runs', '0'], '--runs: 0 is given; wanted a whole number from 1'],
    [['--providers', '--runs', 'all'], '--runs: all is given; wanted a whole number from 1'],
    [['--providers', '--companies', '11'], '--companies: 11 is given; wanted at most 10'],
    [['--providers', '--copies', '3'], "Unknown option '--copies'"],
  ])('%j is one line', (argv, line) => {
    expect(readProvidersArguments(argv, 5)).toContain(line)
  })
})
