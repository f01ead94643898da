/** Services that read several topics come to the same whatever the order in which the topics are read. */

import { describe, expect, test } from 'vitest'
import { client, erasing, finding, page, researched, written } from '../../processors/demo/scenario-data.ts'
import type { AnyTopic, SagaSettings } from '../../processors/index.ts'
import {
  billingService,
  defineService,
  demoService,
  lifecycleSaga,
  researchService,
  sagaDefaults,
} from '../../processors/index.ts'
import type { BillingState } from '../../processors/billing/state.ts'
import * as money from '../../processors/billing/scenario-data.ts'
import {
  activated,
  created as organization,
  days,
  demo,
  engaged,
  proposalMade,
  signed,
  researchCompleted,
  researchFailed,
  researchInReview,
  seconds,
} from '../../processors/lifecycle-saga/scenario-data.ts'
import { outreachAuth } from '../../processors/outreach-auth/index.ts'
import { outreachBilling } from '../../processors/outreach-billing/index.ts'
import { outreachDemo } from '../../processors/outreach-demo/index.ts'
import { outreachDocument } from '../../processors/outreach-document/index.ts'
import { created as ownerKnown, signedUp } from '../../processors/outreach/scenario-data.ts'
import { created, everything, threeCompetitors } from '../../processors/research/scenario-data.ts'
import type { Told } from '../../processors/scenario.ts'
import { scenarioEvent, servicePlayer } from '../../processors/scenario.ts'
import {
  authEvents,
  billingEvents,
  clientEvents,
  demoEvents,
  documentEvents,
  researchEvents,
  reviewEvents,
  uuidv5,
} from '../../schemas/index.ts'
import type { History } from '../contracts/processor.ts'
import { convergence } from '../contracts/processor.ts'

type Said = History['said'][number]

const elsewhere: readonly Said[] = [
  { topic: authEvents, type: 'email_verified', payload: { user_id: 'u1' }, at: seconds(0) },
  { topic: clientEvents, type: 'client_created', payload: { company_name: 'Acme' }, at: seconds(0) },
  {
    topic: clientEvents,
    type: 'client_profile_updated',
    payload: { fields: { domain: 'acme.test' }, profile_source: 'human', confidence: 1 },
    at: seconds(1),
  },
]

const reaction = (
  cause: Told,
  topic: Told['topic'],
  type: string,
  payload: Readonly<Record<string, unknown>>,
): Told => {
  const id = uuidv5(`reaction to ${cause.event.event_id}`)
  return {
    topic,
    event: scenarioEvent('a', type, payload, cause.event.timestamp + 1_000, id, { type: 'provider', id: 'p' }),
  }
}

/** Providers that know `claims`, and a person who approves. */
const world =
  (claims: readonly unknown[]) =>
  (told: Told): readonly Told[] => {
    const { call_id, provider, operation, attempt, review_id } = told.event
    if (told.event.event_type === 'review_requested')
      return [reaction(told, reviewEvents, 'review_decided', { review_id, decision: 'approve', by: 'h1', ms: 1 })]
    if (told.event.event_type !== 'call_requested') return []
    const output = { searched: true, claims }
    const call = { call_id, provider, operation, attempt }
    return [
      reaction(told, researchEvents, 'call_answered', {
        ...call,
        class: 'ok',
        status: 200,
        output,
        cost_microdollars: 1,
      }),
    ]
  }

describe('research', () => {
  convergence(researchService(), [
    { it: 'a session that ends at once', said: [created as Said, ...elsewhere], reacts: world(everything) },
    { it: 'a session that a person decides', said: [created as Said, ...elsewhere], reacts: world(threeCompetitors) },
    {
      it: 'a client that is lost and deleted meanwhile',
      said: [
        created as Said,
        ...elsewhere,
        {
          topic: clientEvents,
          type: 'stage_changed',
          payload: { from: 'researching', to: 'lost', reason: 'x' },
          at: seconds(2),
        },
        { topic: authEvents, type: 'organization_deleted', payload: { mode: 'close' }, at: seconds(3) },
      ],
      reacts: world(everything),
    },
    {
      it: 'an erasure at any moment',
      said: [
        created as Said,
        ...elsewhere,
        { topic: clientEvents, type: 'client_erased', payload: { mode: 'erase' }, at: seconds(9) },
      ],
      reacts: world(everything),
      statesOnly: true,
    },
  ])
})

describe('lifecycle-saga', () => {
  const history = (it: string, ...said: readonly unknown[]): History => ({
    it,
    said: [organization, ...said] as Said[],
  })
  convergence(lifecycleSaga(), [
    history('research that completes', researchCompleted(seconds(4))),
    history(
      'research that waits for a person, then completes',
      researchInReview(seconds(2)),
      researchCompleted(seconds(40)),
    ),
    history(
      'research that fails, and completes when asked again',
      researchFailed(seconds(4)),
      researchCompleted(seconds(40)),
    ),
    history('research that a person rejects', researchInReview(seconds(2)), researchFailed(seconds(40))),
    {
      ...history(
        'an organization that is deleted at any moment',
        ...[researchCompleted(seconds(4)), engaged(days(1)), signed('nda', days(2))],
        { topic: authEvents, type: 'organization_deleted', payload: { mode: 'close' }, at: days(2) },
      ),
      statesOnly: true,
    },
  ])

  // No deadline passes before what would have met it is read: the engine reads what is older first.
  const year = 365 * 24 * 3_600_000
  const patient = Object.fromEntries(Object.keys(sagaDefaults.withinMs).map((step) => [step, year]))
  convergence(lifecycleSaga({ ...sagaDefaults, withinMs: patient as SagaSettings['withinMs'] }), [
    history(
      'the whole way to the first payment (SG1)',
      researchCompleted(seconds(4)),
      engaged(days(1)),
      ...[signed('nda', days(2)), proposalMade(days(3)), signed('proposal', days(4)), signed('contract', days(5))],
      activated(days(6)),
    ),
    history(
      'facts that come twice, and facts about steps that are over (SG2)',
      ...[researchCompleted(seconds(4)), researchCompleted(seconds(5)), engaged(days(1)), engaged(days(1))],
      ...[signed('nda', days(2)), signed('nda', days(3)), demo('demo_expired', days(14))],
    ),
  ])
})

describe('demo', () => {
  /** A model and a renderer that answer at once. */
  const world = (told: Told): readonly Told[] => {
    const { call_id, provider, operation, attempt } = told.event
    if (told.event.event_type !== 'call_requested') return []
    const output = provider === 'llm' ? { json: written, model: 'm' } : { ...page(), removed: 2 }
    const call = { call_id, provider, operation, attempt, class: 'ok', status: 200, output, cost_microdollars: 1 }
    return [reaction(told, demoEvents, 'call_answered', { ...call, sandbox: 'sandbox' })]
  }
  const said = [client, finding('f1', { employees: 120 }), finding('f2', { founded: 1990 }), researched()].map(
    (input) => ({ ...input, at: seconds(2) }) as Said, // when a demo is made follows from when the last of them came
  )
  convergence(demoService(), [
    { it: 'a demo of what was found', said, reacts: world },
    { it: 'an erasure at any moment', said: [...said, erasing(seconds(9)) as Said], reacts: world, statesOnly: true },
  ])
})

describe('billing', () => {
  const outputs: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
    create_customer: { customer_id: 'cus_1' },
    create_subscription: { subscription_id: 'sub_1', status: 'incomplete', invoice_id: 'in_1' },
    cancel_subscription: { status: 'canceled', ended_at: money.days(2) },
    refund: { refund_id: 're_1', amount: 75_000, amount_refunded: 75_000 },
    report_usage: {},
  }
  /** A payment service that does what it is asked, and tells of it. */
  const service = (told: Told): readonly Told[] => {
    if (told.event.event_type !== 'call_requested') return []
    const { call_id, provider, operation, attempt } = told.event
    const call = { call_id, provider, operation, attempt, class: 'ok', status: 200, cost_microdollars: 0 }
    const output = outputs[String(operation)] ?? {}
    const answered = reaction(told, billingEvents, 'call_answered', { ...call, output, sandbox: 'sandbox' })
    if (operation !== 'create_subscription') return [answered]
    const active = money.subscription('active', { previous: { status: 'incomplete' } })
    const told2 = [
      money.webhook('invoice.paid', money.invoice('paid'), money.seconds(50)),
      money.webhook('customer.subscription.updated', active, money.seconds(51)),
    ] as Said[]
    return [answered, ...told2.map(({ type, payload }, n) => reactionAt(told, type, payload, n))]
  }
  const reactionAt = (cause: Told, type: string, payload: Readonly<Record<string, unknown>>, n: number): Told => {
    const id = uuidv5(`webhook ${n} after ${cause.event.event_id}`)
    const by = { type: 'provider', id: 'stripe' } as const
    return {
      topic: billingEvents,
      event: scenarioEvent('a', type, payload, cause.event.timestamp + 60_000 + n, id, by),
    }
  }
  const contract = [money.clientCreated(), money.signed(money.start)] as Said[]
  const used = [money.usage(money.start, 120), money.usage(money.start, 7, money.start + 3_600_000)] as Said[]
  convergence(billingService(), [
    { it: 'a contract that is set up', said: contract, reacts: service },
    // When a report is made depends on when the customer was known.
    { it: 'a contract that is set up and used', said: [...contract, ...used], reacts: service, statesOnly: true },
    {
      it: 'an erasure at any moment',
      said: [
        ...contract,
        ...used,
        { topic: clientEvents, type: 'client_erased', payload: { mode: 'erase' }, at: money.days(2) },
      ],
      reacts: service,
      statesOnly: true,
    },
  ])

  test('a wish to take everything back, at any moment, leaves nothing running and no money kept (4.5.11)', () => {
    for (let moment = 0; moment < 14; moment++) {
      const player = servicePlayer(billingService())
      const queue = [...contract].map(({ topic, type, payload, at }, n) => ({
        topic,
        event: scenarioEvent('a', type, payload, at, `said-${n}`, { type: 'user', id: 'user-1' }),
      })) as Told[]
      const wish = money.compensation(money.seconds(moment === 0 ? 0 : 30)) as Said
      const by = { type: 'system', id: 'saga' } as const
      const compensation = {
        topic: wish.topic,
        event: scenarioEvent('a', wish.type, wish.payload, wish.at, 'wish', by),
      }
      let asked = false
      for (let turn = 0; queue.length > 0 || !asked; turn++) {
        asked ||= turn >= moment || queue.length === 0
        const next = asked && turn === moment ? compensation : (queue.shift() ?? compensation)
        for (const said of player.step(next)) queue.push(said, ...service(said))
      }
      const [state] = [...player.states().values()] as BillingState[]
      expect(state?.jobs, `moment ${moment}`).toEqual([])
      expect(state?.orders.map(({ status }) => status)).toEqual(['compensated'])
      for (const { cancel, canceled_told } of state?.subscriptions ?? []) {
        expect([cancel, canceled_told], `moment ${moment}`).toEqual(['done', true])
        for (const invoice of state?.invoices ?? []) expect(invoice.refund, `moment ${moment}`).toBe('done')
      }
    }
  })
})

describe('outreach', () => {
  const ref = { bucket: 'b', key: 'k', version_id: 'v', sha256: 's', bytes: 1 }
  const at = seconds(5)
  const url = 'https://demo.example/d/b1c5'
  const of = (topic: AnyTopic, type: string, payload: Readonly<Record<string, unknown>>): Said => ({
    topic,
    type,
    payload,
    at,
  })
  const due = { version: 1, envelope_id: 'env1', recipients: [{ role: 'client', order: 1 }], expires_at: days(30) }
  // Whoever is known when, the owner gets the same messages.
  const readers = [outreachAuth(), outreachDemo(), outreachDocument(), outreachBilling()]
  convergence(defineService('outreach', readers), [
    {
      it: 'a demo, a document and an unpaid invoice before the owner is known',
      said: [
        { ...(signedUp as Said), at },
        { ...(ownerKnown as Said), at },
        of(demoEvents, 'demo_published', {
          demo_id: 'd1',
          version: 1,
          share_token: 't',
          url,
          qr_ref: ref,
          expires_at: at,
        }),
        of(documentEvents, 'envelope_sent', { document_id: 'doc1', ...due }),
        of(billingEvents, 'payment_failed', { invoice_id: 'in_1', attempt_count: 1, hard: true }),
        of(billingEvents, 'dunning_stage_changed', { invoice_id: 'in_1', from: 'grace', to: 'reminder_1', day: 3 }),
      ],
    },
  ])
})
