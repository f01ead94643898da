/** Numbers in brackets are those of the research behaviours in the service's specification. */

import { authEvents, clientEvents, researchEvents } from '../../schemas/index.ts'
import type { Scenario, ScenarioInput } from '../define.ts'
import { between, last } from '../define.ts'
import {
  answer,
  asked,
  called,
  claim,
  competitor,
  competitorsRecorded,
  completed,
  created,
  days,
  directory,
  everything,
  everythingRecorded,
  identified,
  list,
  news,
  own,
  recorded,
  refusal,
  seconds,
  started,
  threeCompetitors,
  values,
  without,
} from '../research/scenario-data.ts'

const begun = { when: created, then: [started, called('answer')] }
const reviewed = { type: 'review_requested', payload: { subject_type: 'finding', requester: 'research' } }
const callFailed = (more: Readonly<Record<string, unknown>>) => ({ type: 'research_call_failed', payload: more })

const waterfall: readonly Scenario[] = [
  {
    it: 'ends with the first provider when it is sure enough of everything (2)',
    play: [
      begun,
      {
        when: answer(seconds(1), everything),
        then: [
          ...everythingRecorded,
          completed({ findings_count: 7, competitors_count: 3, min_confidence: 0.804, cost: 1_000 }),
        ],
      },
    ],
  },
  {
    it: 'asks the plain search for the one open field, then nobody (2)',
    play: [
      begun,
      {
        when: answer(seconds(1), [...without('pricing'), claim('pricing', [directory])]),
        then: [
          recorded('company_info'),
          ...competitorsRecorded,
          recorded('tech_stack'),
          recorded('volume_prediction'),
          called('search', { provider: 'perplexity', request: { fields: ['pricing'] } }),
        ],
      },
      {
        when: answer(seconds(2), [claim('pricing', [own])]),
        then: [
          recorded('pricing', { confidence_score: 0.72, finding_source: 'perplexity' }),
          completed({ cost: 2_000 }),
        ],
      },
    ],
  },
  {
    it: 'goes down to the scraper for what the searches left open (2)',
    play: [
      begun,
      {
        when: answer(seconds(1), without('tech_stack')),
        then: [...everythingRecorded.filter((e) => e.payload?.['finding_type'] !== 'tech_stack'), called('search')],
      },
      {
        when: answer(seconds(2), []),
        then: [called('scrape', { provider: 'webscraper', request: { fields: ['tech_stack'] } })],
      },
      {
        when: answer(seconds(3), [claim('tech_stack', [own, directory])]),
        then: [recorded('tech_stack', { confidence_score: 0.72, finding_source: 'webscraper' }), completed()],
      },
    ],
  },
  {
    it: 'asks on when there are fewer than three competitors, and finds them (3)',
    play: [
      begun,
      {
        when: answer(seconds(1), [...without('competitor'), competitor('Globex'), competitor('Initech')]),
        then: [
          ...everythingRecorded.filter((e) => !competitorsRecorded.includes(e)),
          called('search', { request: { fields: ['competitor'] } }),
        ],
      },
      {
        when: answer(seconds(2), [competitor('globex'), competitor('Hooli')]),
        then: [...competitorsRecorded, completed({ competitors_count: 3 })],
      },
    ],
  },
  {
    it: 'asks a person when nobody knows three competitors (3)',
    play: [
      begun,
      {
        when: answer(seconds(1), [...without('competitor'), competitor('Globex')]),
        then: [...everythingRecorded.filter((e) => !competitorsRecorded.includes(e)), called('search')],
      },
      { when: answer(seconds(2), []), then: [called('scrape')] },
      { when: answer(seconds(3), []), then: [recorded('competitor'), identified('Globex'), reviewed] },
    ],
  },
  {
    it: 'asks a person about a finding below 0.60, and nobody about one of 0.60 (4.6.2)',
    play: (['a', 'b'] as const).flatMap((tenant) => {
      const of = <T>(input: T): ScenarioInput => ({ ...input, tenant }) as unknown as ScenarioInput
      const price = claim('pricing', [own], values.pricing, tenant === 'a' ? 1 : 0.99)
      return [
        { when: of(created), then: begun.then },
        {
          when: of(answer(seconds(1), [...without('pricing'), price])),
          then: [...everythingRecorded.filter((e) => e.payload?.['finding_type'] !== 'pricing'), called('search')],
        },
        { when: of(answer(seconds(2), [])), then: [called('scrape')] },
        {
          when: of(answer(seconds(3), [])),
          then: [
            recorded('pricing', { confidence_score: tenant === 'a' ? 0.6 : 0.594 }),
            tenant === 'a' ? completed() : reviewed,
          ],
        },
      ]
    }),
  },
  {
    it: 'leaves doubtful competitors out when there are enough good ones',
    play: [
      begun,
      {
        when: answer(seconds(1), [...everything, competitor('Vague', [directory])]),
        then: [...everythingRecorded, completed({ competitors_count: 3 })],
      },
    ],
  },
]

/** The first answer, then empty ones down to the end. */
const onlyKnowing = (
  it: string,
  claims: Parameters<typeof answer>[1],
  then: Scenario['play'][number]['then'],
): Scenario => ({
  it,
  play: [
    { when: asked(seconds(0), { depth: 'quick' }), then: [started, called('answer')] },
    { when: answer(seconds(1), [...threeCompetitors, ...claims]), then: [...competitorsRecorded, called('search')] },
    { when: answer(seconds(2), []), then: [called('scrape')] },
    { when: answer(seconds(3), []), ...(then === undefined ? {} : { then }) },
  ],
})

const confidence: readonly Scenario[] = [
  onlyKnowing(
    'believes an own site alone 0.6: not settled, not doubtful (4)',
    [claim('company_info', [own])],
    [recorded('company_info', { confidence_score: 0.6 }), completed({ min_confidence: 0.6 })],
  ),
  onlyKnowing(
    'joins news and a directory to 0.65 (4)',
    [claim('company_info', [news, directory])],
    [recorded('company_info', { confidence_score: 0.65 }), completed({ min_confidence: 0.65 })],
  ),
  onlyKnowing(
    'weighs a source by how well it matches (4)',
    [claim('company_info', [own], values.company_info, 0.5)],
    [recorded('company_info', { confidence_score: 0.3 }), reviewed],
  ),
  onlyKnowing(
    'counts two pages of one host once (4)',
    [claim('company_info', [directory, { ...directory, url: `${directory.url}/more` }])],
    [recorded('company_info', { confidence_score: 0.3 }), reviewed],
  ),
  onlyKnowing(
    'keeps the better founded of two contradicting values, less half of the other (4)',
    [
      claim('company_info', [list], { ...values.company_info, founded: 1980 }),
      claim('company_info', [own, directory, news], { ...values.company_info, founded: 2011 }, 0.8),
    ],
    // 1 - (1-0.48)(1-0.24)(1-0.4) = 0.7629, less 0.3 / 2
    [recorded('company_info', { data: { founded: 2011 }, confidence_score: 0.6129 }), completed()],
  ),
  onlyKnowing(
    'asks a person below 0.60 and waits (4)',
    [claim('company_info', [directory])],
    [
      recorded('company_info', { confidence_score: 0.3 }),
      {
        type: 'review_requested',
        payload: {
          subject_type: 'finding',
          subject_ref: last('research_started', 'research_session_id'),
          reason: 'not sure enough of company_info',
          options: ['approve', 'reject', 'edit'],
          proposed_action: { company_name: 'Acme', domain: 'acme.example' },
          due_at: seconds(3) + 24 * 60 * 60 * 1_000,
        },
      },
    ],
  ),
  {
    it: 'believes no more than 0.3 of what was answered without searching (8)',
    play: [
      begun,
      {
        when: answer(seconds(1), [], {
          output: { searched: false, claims: everything.map((known) => ({ ...known, sources: [] })) },
        }),
        then: [
          called('search', {
            request: { fields: ['company_info', 'competitor', 'pricing', 'tech_stack', 'volume_prediction'] },
          }),
        ],
      },
      { when: answer(seconds(2), []), then: [called('scrape')] },
      {
        when: answer(seconds(3), []),
        then: [
          ...everythingRecorded.map((e) =>
            e.type === 'finding_recorded' ? { ...e, payload: { ...e.payload, confidence_score: between(0, 0.3) } } : e,
          ),
          reviewed,
        ],
      },
    ],
  },
]

const failures: readonly Scenario[] = [
  {
    it: 'waits as long as the provider asks, and says so (6)',
    play: [
      begun,
      {
        when: refusal(seconds(1), 'retry', seconds(8)),
        then: [
          callFailed({ provider: 'perplexity', class: 'retry', attempt: 1, retry_at: seconds(8) }),
          called('answer', { call_id: last('call_requested', 'call_id'), attempt: 2, not_before: seconds(8) }),
        ],
      },
    ],
  },
  {
    it: 'waits by its own backoff when the provider says nothing (6)',
    play: [
      begun,
      {
        when: refusal(seconds(1), 'retry'),
        then: [
          callFailed({ attempt: 1 }),
          called('answer', { attempt: 2, not_before: between(seconds(1.5), seconds(2)) }),
        ],
      },
      {
        when: refusal(seconds(2), 'retry'),
        then: [
          callFailed({ attempt: 2 }),
          called('answer', { attempt: 3, not_before: between(seconds(3), seconds(4)) }),
        ],
      },
    ],
  },
  {
    it: 'leaves a provider after three failures, and fails when nobody is left (6)',
    play: [
      begun,
      ...(['answer', 'search', 'scrape'] as const).flatMap((operation, rung) => [
        {
          when: refusal(seconds(rung * 10 + 1), 'retry'),
          then: [callFailed({ attempt: 1 }), called(operation, { attempt: 2 })],
        },
        {
          when: refusal(seconds(rung * 10 + 4), 'retry'),
          then: [callFailed({ attempt: 2 }), called(operation, { attempt: 3 })],
        },
        {
          when: refusal(seconds(rung * 10 + 9), 'retry'),
          then: [
            callFailed({ class: 'retry', attempt: 3, retry_at: null }),
            operation === 'scrape'
              ? { type: 'research_failed', payload: { reason: 'exhausted' } }
              : called(operation === 'answer' ? 'search' : 'scrape', {
                  attempt: 1,
                  not_before: seconds(rung * 10 + 9),
                }),
          ],
        },
      ]),
    ],
  },
  {
    it: 'goes to the next provider at once when the quota is used up or the key refused',
    play: [
      begun,
      {
        when: refusal(seconds(1), 'quota'),
        then: [callFailed({ class: 'quota' }), called('scrape', { not_before: seconds(1) })],
      },
      { when: refusal(seconds(2), 'auth'), then: [callFailed({ class: 'auth' }), { type: 'research_failed' }] },
    ],
  },
  {
    it: 'asks differently at once when a question was refused as invalid',
    play: [begun, { when: refusal(seconds(1), 'invalid'), then: [callFailed({ class: 'invalid' }), called('search')] }],
  },
  {
    it: 'takes an answer it cannot read for an invalid one',
    play: [
      begun,
      { when: answer(seconds(1), [], { output: 'hello' }), then: [callFailed({ class: 'invalid' }), called('search')] },
    ],
  },
  {
    it: 'goes on with what one provider knew when the others fail',
    play: [
      begun,
      {
        when: answer(seconds(1), [...without('pricing'), claim('pricing', [own])]),
        then: [...everythingRecorded.filter((e) => e.payload?.['finding_type'] !== 'pricing'), called('search')],
      },
      { when: refusal(seconds(2), 'auth'), then: [callFailed({ class: 'auth' }), called('scrape')] },
      {
        when: refusal(seconds(3), 'invalid'),
        then: [callFailed({ class: 'invalid' }), recorded('pricing', { confidence_score: 0.6 }), completed()],
      },
    ],
  },
]

const done = { when: answer(seconds(1), everything), then: [...everythingRecorded, completed()] }

const order: readonly Scenario[] = [
  {
    it: 'answers the same question within seven days from what it knows, calling nobody (7)',
    play: [
      begun,
      done,
      { when: asked(days(6)), then: [started, ...everythingRecorded, completed({ cost: 0, findings_count: 7 })] },
    ],
  },
  {
    it: 'asks again after seven days (7)',
    play: [begun, done, { when: asked(days(8)), then: [started, called('answer')] }],
  },
  {
    it: 'asks again at once about another company (7)',
    play: [
      begun,
      done,
      {
        when: asked(days(1), { domain: 'acme.test' }),
        then: [started, called('answer', { request: { domain: 'acme.test' } })],
      },
    ],
  },
  {
    it: 'asks again at once when told to look deeper (7)',
    play: [begun, done, { when: asked(days(1), { depth: 'deep' }), then: [started, called('answer')] }],
  },
  {
    it: 'asks only for what it does not know surely any more (7)',
    play: [
      { when: asked(seconds(0), { depth: 'quick' }), then: [started, called('answer')] },
      {
        when: answer(seconds(1), [claim('company_info'), ...threeCompetitors]),
        then: [recorded('company_info'), ...competitorsRecorded, completed({ findings_count: 4 })],
      },
      {
        when: asked(days(1)),
        then: [
          started,
          recorded('company_info'),
          ...competitorsRecorded,
          called('answer', { request: { fields: ['pricing', 'tech_stack', 'volume_prediction'] } }),
        ],
      },
    ],
  },
  {
    it: 'lets a request join the session that runs, and another question wait for its end',
    play: [
      begun,
      { when: asked(seconds(1)) },
      { when: asked(seconds(2), { company_name: 'Umbrella', domain: 'umbrella.example' }) },
      {
        when: answer(seconds(3), everything),
        then: [
          ...everythingRecorded,
          completed(),
          started,
          called('answer', { request: { company_name: 'Umbrella', domain: 'umbrella.example' } }),
        ],
      },
    ],
  },
  {
    it: 'ignores an answer that is not to its call, that comes twice or late, and its own facts',
    play: [
      begun,
      { when: answer(seconds(1), everything, { call_id: 'another' }) },
      { when: answer(seconds(1), everything, { attempt: 2 }) },
      done,
      { when: answer(seconds(2), everything) },
      {
        when: {
          topic: researchEvents,
          type: 'research_completed',
          payload: { research_session_id: 'x', findings_count: 0, competitors_count: 0, min_confidence: 0, cost: 0 },
          at: seconds(3),
        },
      },
    ],
  },
  {
    it: 'passes over an event type it does not know',
    play: [begun, { when: { topic: researchEvents, type: 'moon_phase_changed', payload: {}, at: seconds(1) } }, done],
  },
  {
    it: 'keeps two tenants with the same ids apart',
    play: [
      begun,
      { when: { ...created, tenant: 'b' } as typeof created, then: [started, called('answer')] },
      done,
      {
        when: { ...answer(seconds(2), []), tenant: 'b' } as typeof created,
        then: [called('search')],
      },
    ],
  },
]

const staged = (to: string, at: number): ScenarioInput => ({
  topic: clientEvents,
  type: 'stage_changed',
  payload: { from: 'researching', to, reason: 'as it went' },
  at,
})
const stale = { type: 'research_stale', payload: { age_days: 90 } }
const refreshed = [
  stale,
  { type: 'research_requested', payload: { company_name: 'Acme', domain: 'acme.example', reason: 'stale' } },
  started,
  called('answer'),
]
/** When research that completed a second after the given day is old. */
const old = (day: number): number => days(day + 90) + 1_000

const age: readonly Scenario[] = [
  {
    it: 'says after 90 days that research is old, once, and researches an active client again (7)',
    play: [
      begun,
      done,
      { when: staged('live', days(20)) },
      { when: { advanceTo: old(0) - 1 } },
      { when: { advanceTo: old(0) }, then: refreshed },
      { when: { advanceTo: old(100) } },
    ],
  },
  {
    it: 'counts the 90 days anew from a refresh (7)',
    play: [
      begun,
      done,
      { when: { advanceTo: old(0) }, then: refreshed },
      { when: answer(old(0) + 1_000, everything), then: [...everythingRecorded, completed({ findings_count: 7 })] },
      { when: { advanceTo: old(90) } },
      { when: { advanceTo: old(90) + 1_000 }, then: refreshed },
    ],
  },
  {
    it: 'counts from the newest session, also from one that asked nobody (7)',
    play: [
      begun,
      done,
      { when: asked(days(6)), then: [started, ...everythingRecorded, completed({ cost: 0 })] },
      { when: { advanceTo: old(5) } },
      { when: { advanceTo: days(96) }, then: refreshed },
    ],
  },
  ...(['suspended', 'churned', 'lost'] as const).map((stage) => ({
    it: `only says that research is old when the client is ${stage} (7)`,
    play: [
      begun,
      done,
      { when: staged('live', days(20)) },
      { when: staged(stage, days(30)) },
      { when: { advanceTo: old(0) }, then: [stale] },
      { when: staged('live', old(1)) },
      { when: { advanceTo: old(200) } },
    ],
  })),
  {
    it: 'only says that research is old when the organization was deleted (7)',
    play: [
      begun,
      done,
      { when: { topic: authEvents, type: 'organization_deleted', payload: { mode: 'close' }, at: days(30) } },
      { when: staged('live', days(31)) },
      { when: { advanceTo: old(0) }, then: [stale] },
    ],
  },
  {
    it: 'says nothing of an erased client, nor of research that failed',
    play: [
      begun,
      done,
      { when: asked(days(50)), then: [started, called('answer')] },
      { when: refusal(days(50), 'quota'), then: [callFailed({ class: 'quota' }), called('scrape')] },
      { when: refusal(days(50), 'auth'), then: [callFailed({ class: 'auth' }), { type: 'research_failed' }] },
      { when: { advanceTo: old(1) } },
      { when: asked(old(1)), then: [started, called('answer')] },
      { when: answer(old(1), everything), then: [...everythingRecorded, completed()] },
      { when: { topic: clientEvents, type: 'client_erased', payload: { mode: 'erase' }, at: old(2) } },
      { when: { advanceTo: old(400) } },
    ],
  },
]

export const scenarios: readonly Scenario[] = [...waterfall, ...confidence, ...failures, ...order, ...age]
