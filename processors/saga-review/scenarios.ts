import { reviewEvents } from '../../schemas/index.ts'
import type { Scenario, ScenarioInput } from '../define.ts'
import { last } from '../define.ts'
import {
  begun,
  completed,
  created,
  day,
  days,
  demo,
  document,
  engaged,
  stage,
  stepStarted,
  undoing,
  until,
  personAsked,
  researchCompleted,
  researchFailed,
  researchInReview,
  seconds,
  researchDone,
  stepFailed,
} from '../lifecycle-saga/scenario-data.ts'

const asked = { type: 'review_requested', payload: { requester: 'lifecycle-saga' } }
const decided = (decision: string, at: number) =>
  ({
    topic: reviewEvents,
    type: 'review_decided',
    payload: {
      review_id: last('review_requested', 'review_id'),
      decision,
      edits: null,
      comment: null,
      by: 'h1',
      ms: 1,
    },
    at,
  }) satisfies ScenarioInput

const expired = (fallback: string, at: number) =>
  ({
    topic: reviewEvents,
    type: 'review_expired',
    payload: { review_id: last('review_requested', 'review_id'), fallback },
    at,
  }) satisfies ScenarioInput

const ofAnother = (input: ReturnType<typeof decided> | ReturnType<typeof expired>): ScenarioInput => ({
  ...input,
  payload: { ...input.payload, review_id: 'r-another' },
})

export const scenarios: readonly Scenario[] = [
  {
    it: 'lets research wait for a person: no deadline, no second review',
    play: [
      { when: created, then: begun },
      { when: researchInReview(seconds(20)) },
      { when: { advanceTo: seconds(3_600) } },
      { when: researchCompleted(seconds(4_000)), then: researchDone(4_000_000) },
    ],
  },
  {
    it: 'asks for research once more when a person approves, against a new deadline (4.5.6)',
    play: [
      { when: created, then: begun },
      { when: researchFailed(seconds(10)), then: [stepFailed(1), personAsked] },
      {
        when: decided('approve', seconds(100)),
        then: [
          { type: 'step_started', payload: { step: 'research', deadline: seconds(400) } },
          {
            type: 'research_requested',
            payload: { company_name: 'Acme', domain: 'acme.example', reason: 'review_approved' },
          },
        ],
      },
      { when: decided('approve', seconds(101)) },
      { when: researchFailed(seconds(110)), then: [stepFailed(2), personAsked] },
    ],
  },
  {
    it: 'takes nobody else’s review for its own, decided or expired',
    play: [
      { when: created, then: begun },
      { when: researchFailed(seconds(10)), then: [stepFailed(1), personAsked] },
      { when: ofAnother(decided('reject', seconds(100))) },
      { when: ofAnother(expired('reject', seconds(101))) },
      { when: decided('approve', seconds(102)), then: [{ type: 'step_started' }, { type: 'research_requested' }] },
    ],
  },
  {
    it: 'ends the lifecycle when a person rejects (4.5.6)',
    play: [
      { when: created, then: begun },
      { when: { advanceTo: seconds(300) }, then: [{ type: 'step_timed_out' }, personAsked] },
      {
        when: decided('reject', seconds(400)),
        then: [
          { type: 'lifecycle_aborted', payload: { reason: 'research_rejected', compensated: [] } },
          { type: 'stage_changed', payload: { from: 'researching', to: 'lost' } },
        ],
      },
      { when: researchCompleted(seconds(500)) },
    ],
  },
  {
    it: 'asks for the demo once more when a person approves, and for a document likewise',
    play: [
      ...until('research'),
      { when: demo('demo_generation_failed', seconds(30), { reason: 'x' }), then: [{ type: 'step_failed' }, asked] },
      {
        when: decided('approve', seconds(40)),
        then: [
          stepStarted('demo', seconds(40) + 14 * day),
          { type: 'demo_requested', payload: { research_session_id: 's1' } },
        ],
      },
      {
        when: engaged(seconds(50)),
        then: [completed('demo', 46_000), stage('demo', 'negotiating'), { type: 'step_started' }],
      },
      {
        when: document('document_generation_failed', 'nda', seconds(60), { reason: 'x' }),
        then: [{ type: 'step_failed', payload: { step: 'nda' } }, asked],
      },
      {
        when: decided('approve', seconds(70)),
        then: [
          stepStarted('nda', seconds(70) + 30 * day),
          { type: 'document_requested', payload: { document_type: 'nda' } },
        ],
      },
    ],
  },
  {
    it: 'leaves what could not be undone as it is when a person says so (4.5.13)',
    play: [
      ...until('demo'),
      {
        when: document('document_declined', 'nda', days(2), { reason: '' }),
        then: [{ type: 'compensation_started' }, undoing('nda')],
      },
      ...[1, 2, 3, 4, 5].map((attempt) => ({
        when: { advanceTo: days(2) + attempt * 3_600_000 },
        then: [{ type: 'compensation_step_failed' }, attempt < 5 ? undoing('nda', attempt + 1) : asked],
      })),
      { when: decided('reject', days(3)), then: [undoing('demo')] },
    ],
  },
  {
    it: 'comes to the same when the review is read before the client',
    play: [
      { when: researchInReview(seconds(20)) },
      { when: created, then: begun },
      { when: { advanceTo: seconds(3_600) } },
    ],
  },
  {
    it: 'ends the lifecycle when nobody answers its question in time',
    play: [
      { when: created, then: begun },
      {
        when: researchFailed(seconds(10)),
        then: [stepFailed(1), { ...personAsked, payload: { ...personAsked.payload, subject_type: 'step' } }],
      },
      { when: expired('escalate', seconds(86_410)) },
      {
        when: expired('reject', seconds(86_410)),
        then: [
          { type: 'lifecycle_aborted', payload: { reason: 'review_expired', compensated: [] } },
          { type: 'stage_changed', payload: { from: 'researching', to: 'lost', reason: 'review_expired' } },
        ],
      },
      { when: decided('approve', seconds(86_420)) },
    ],
  },
  {
    it: 'goes on waiting when the review of research expires: research itself says what comes of it',
    play: [
      { when: created, then: begun },
      { when: researchInReview(seconds(20)) },
      {
        when: {
          topic: reviewEvents,
          type: 'review_expired',
          payload: { review_id: 'r-research', fallback: 'proceed_marked_unverified' },
          at: seconds(86_420),
        },
      },
      { when: researchCompleted(seconds(86_420)), then: researchDone(86_420_000) },
    ],
  },
]
