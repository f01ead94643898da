/** Services that read several topics come to the same whatever the order in which the topics are read. */

import { describe } from 'vitest'
import { client, erasing, finding, page, researched, written } from '../../processors/demo/scenario-data.ts'
import type { SagaSettings } from '../../processors/index.ts'
import { demoService, lifecycleSaga, researchService, sagaDefaults } from '../../processors/index.ts'
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
import { created, everything, threeCompetitors } from '../../processors/research/scenario-data.ts'
import type { Told } from '../../processors/scenario.ts'
import { scenarioEvent } from '../../processors/scenario.ts'
import { authEvents, clientEvents, demoEvents, researchEvents, reviewEvents, uuidv5 } from '../../schemas/index.ts'
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
