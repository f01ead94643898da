import { reviewEvents } from '../../schemas/index.ts'
import type { Scenario, ScenarioInput } from '../define.ts'
import { last } from '../define.ts'
import {
  answer,
  asked,
  called,
  claim,
  competitor,
  completed,
  created,
  days,
  directory,
  list,
  everythingRecorded,
  identified,
  recorded,
  seconds,
  started,
  without,
} from '../research/scenario-data.ts'

const reviewed = { type: 'review_requested' }

const decided = (
  decision: string,
  edits: unknown = null,
  review_id: unknown = last('review_requested', 'review_id'),
): ScenarioInput => ({
  topic: reviewEvents,
  type: 'review_decided',
  payload: { review_id, decision, edits, comment: null, by: 'h1', ms: 60_000 },
  at: seconds(60),
})

const expired = (fallback: string): ScenarioInput => ({
  topic: reviewEvents,
  type: 'review_expired',
  payload: { review_id: last('review_requested', 'review_id'), fallback },
  at: days(1),
})

/** Everything is sure but the company itself; the session waits for a person. */
const doubtfulCompany: Scenario['play'] = [
  { when: created, then: [started, called('answer')] },
  {
    when: answer(seconds(1), [...without('company_info'), claim('company_info', [directory])]),
    then: [...everythingRecorded.slice(1), called('search')],
  },
  { when: answer(seconds(2), []), then: [called('scrape')] },
  { when: answer(seconds(3), []), then: [recorded('company_info', { confidence_score: 0.3 }), reviewed] },
]

/** Two competitors only, one of them doubtful, in a quick research that knows nothing else. */
const doubtfulCompetitors: Scenario['play'] = [
  { when: asked(seconds(0), { depth: 'quick' }), then: [started, called('answer')] },
  {
    when: answer(seconds(1), [claim('company_info'), competitor('Globex'), competitor('Vague', [directory])]),
    then: [recorded('company_info'), called('search')],
  },
  { when: answer(seconds(2), []), then: [called('scrape')] },
  {
    when: answer(seconds(3), []),
    then: [recorded('competitor'), identified('Globex'), recorded('competitor'), identified('Vague'), reviewed],
  },
]

/** Nothing is known of the company but a rumour. */
const rumour: Scenario['play'] = [
  { when: asked(seconds(0), { depth: 'quick' }), then: [started, called('answer')] },
  { when: answer(seconds(1), [claim('company_info', [directory])]), then: [called('search')] },
  { when: answer(seconds(2), []), then: [called('scrape')] },
  { when: answer(seconds(3), []), then: [recorded('company_info'), reviewed] },
]

export const scenarios: readonly Scenario[] = [
  {
    it: 'completes with the findings as they are when a person approves',
    play: [
      ...doubtfulCompany,
      { when: decided('approve'), then: [completed({ findings_count: 7, competitors_count: 3, min_confidence: 0.3 })] },
      { when: decided('approve') },
    ],
  },
  {
    it: 'replaces a finding by what a person wrote, certain, and completes (9)',
    play: [
      ...doubtfulCompany,
      {
        when: decided('edit', { company_info: { summary: 'Acme moves heavy things.' } }),
        then: [
          recorded('company_info', {
            finding_id: last('finding_recorded', 'finding_id'),
            finding_source: 'human',
            confidence_score: 1,
            data: { summary: 'Acme moves heavy things.', employees: 120 },
          }),
          completed({ findings_count: 7, min_confidence: 0.804 }),
        ],
      },
    ],
  },
  {
    it: 'takes the whole list of competitors from a person, and withdraws what is not on it (9)',
    play: [
      ...doubtfulCompetitors,
      {
        when: decided('edit', {
          competitor: [{ name: 'Globex Inc.' }, { name: 'Initech', url: 'https://initech.example' }],
        }),
        then: [
          recorded('competitor', { data: { name: 'Globex Inc.' }, confidence_score: 1 }),
          identified('Globex Inc.'),
          recorded('competitor', { data: { name: 'Initech' }, confidence_score: 1, finding_source: 'human' }),
          identified('Initech'),
          recorded('competitor', { data: { name: 'Vague' }, confidence_score: 0, finding_source: 'human' }),
          completed({ findings_count: 3, competitors_count: 2, min_confidence: 0.804 }),
        ],
      },
    ],
  },
  {
    it: 'completes with what is left when a person rejects the doubtful findings',
    play: [
      ...doubtfulCompany,
      {
        when: decided('reject'),
        then: [
          recorded('company_info', { confidence_score: 0, finding_source: 'human' }),
          completed({ findings_count: 6, competitors_count: 3, min_confidence: 0.804 }),
        ],
      },
    ],
  },
  {
    it: 'fails when a person rejects all there is',
    play: [
      ...rumour,
      {
        when: decided('reject'),
        then: [
          recorded('company_info', { confidence_score: 0 }),
          { type: 'research_failed', payload: { reason: 'rejected' } },
        ],
      },
    ],
  },
  {
    it: 'uses what a person wrote again, without asking anybody (7)',
    play: [
      ...doubtfulCompany,
      { when: decided('edit', { company_info: { summary: 'Acme.' } }), then: [recorded('company_info'), completed()] },
      {
        when: asked(seconds(120)),
        then: [
          started,
          recorded('company_info', { finding_source: 'human', confidence_score: 1 }),
          ...everythingRecorded.slice(1),
          completed({ cost: 0, findings_count: 7 }),
        ],
      },
    ],
  },
  {
    it: 'is not moved by a decision on another review, nor by an escalation',
    play: [
      ...doubtfulCompany,
      { when: decided('approve', null, 'another') },
      { when: decided('escalate') },
      { when: decided('approve'), then: [completed()] },
    ],
  },
  {
    it: 'goes on with what nobody confirmed in time, believed no more than what nobody looked up (4.6.3)',
    play: [
      { when: created, then: [started, called('answer')] },
      {
        when: answer(seconds(1), [...without('company_info'), claim('company_info', [directory, list])]),
        then: [...everythingRecorded.slice(1), called('search')],
      },
      { when: answer(seconds(2), []), then: [called('scrape')] },
      { when: answer(seconds(3), []), then: [recorded('company_info', { confidence_score: 0.51 }), reviewed] },
      {
        when: expired('proceed_marked_unverified'),
        then: [
          recorded('company_info', { finding_id: last('finding_recorded', 'finding_id'), confidence_score: 0 }),
          recorded('company_info', {
            finding_id: last('finding_recorded', 'finding_id'),
            confidence_score: 0.3,
            finding_source: 'perplexity',
          }),
          completed({ findings_count: 7, competitors_count: 3, min_confidence: 0.3 }),
        ],
      },
      { when: decided('approve') },
    ],
  },
  {
    it: 'leaves sure findings sure when the doubtful ones go on unverified',
    play: [
      ...doubtfulCompetitors,
      {
        when: expired('proceed_marked_unverified'),
        then: [completed({ findings_count: 3, competitors_count: 2, min_confidence: 0.3 })],
      },
    ],
  },
  {
    it: 'acts on the fallback that the queue declares: reject withdraws, escalate waits on',
    play: [
      ...doubtfulCompany,
      { when: expired('escalate') },
      {
        when: expired('reject'),
        then: [recorded('company_info', { confidence_score: 0, finding_source: 'human' }), completed()],
      },
    ],
  },
]
