import { authEvents, reviewEvents } from '../../schemas/index.ts'
import type { Scenario, ScenarioInput } from '../define.ts'
import { last } from '../define.ts'
import {
  begun,
  created,
  days,
  deadline,
  document,
  personAsked,
  researchCompleted,
  researchFailed,
  seconds,
  researchDone,
  signed,
  stepFailed,
  undoing,
  until,
} from '../lifecycle-saga/scenario-data.ts'

const decided = (decision: string, at: number): ScenarioInput => ({
  topic: reviewEvents,
  type: 'review_decided',
  payload: { review_id: last('review_requested', 'review_id'), decision, edits: null, comment: null, by: 'h1', ms: 1 },
  at,
})
const timedOut = [{ type: 'step_timed_out', payload: { step: 'research' } }, personAsked]

const deleted = (at: number): ScenarioInput => ({
  topic: authEvents,
  type: 'organization_deleted',
  payload: { mode: 'close' },
  at,
})
const gone = { type: 'client_erased', payload: { mode: 'close' } }
const leaves = (from: string, to: string, compensated: readonly string[] = []) => [
  { type: 'lifecycle_aborted', payload: { reason: 'organization_deleted', compensated } },
  { type: 'stage_changed', payload: { from, to, reason: 'organization_deleted' } },
  gone,
]

const closing: readonly Scenario[] = [
  {
    it: 'ends with its organization: no deadline fires, no fact is taken, and nothing begins again (5.0.8)',
    play: [
      ...until('demo'),
      { when: { ...created, tenant: 'b' }, then: begun },
      { when: deleted(days(2)), then: leaves('negotiating', 'lost') },
      { when: deleted(days(3)) },
      { when: signed('nda', days(3)) },
      { when: { ...created, at: days(4) } },
      { when: { ...researchCompleted(seconds(4)), tenant: 'b' }, then: researchDone(4_000) },
      { when: { advanceTo: days(13) } },
    ],
  },
  {
    it: 'stops undoing step by step when its organization is deleted: every service drops what it has (5.0.8)',
    play: [
      ...until('demo'),
      {
        when: document('document_declined', 'nda', days(2), { reason: '' }),
        then: [{ type: 'compensation_started' }, undoing('nda')],
      },
      {
        when: document('document_voided', 'nda', days(2) + 1, { reason: 'compensation' }),
        then: [{ type: 'compensation_step_done' }, undoing('demo')],
      },
      { when: deleted(days(2) + 2), then: leaves('negotiating', 'lost', ['nda']) },
      { when: { advanceTo: days(9) } },
    ],
  },
  {
    it: 'takes a paying client that deletes its organization for churned (5.0.8)',
    play: [...until('billing'), { when: deleted(days(7)), then: leaves('scoping', 'churned') }],
  },
  {
    it: 'tells of the erasure alone where the lifecycle was over (5.0.8)',
    play: [
      { when: created, then: begun },
      { when: { advanceTo: deadline }, then: timedOut },
      {
        when: decided('reject', seconds(400)),
        then: [{ type: 'lifecycle_aborted', payload: { reason: 'research_rejected' } }, { type: 'stage_changed' }],
      },
      { when: deleted(days(1)), then: [gone] },
    ],
  },
]

export const scenarios: readonly Scenario[] = [
  ...closing,
  {
    it: 'begins the lifecycle of a new client with research, once (4.5.1)',
    play: [
      { when: { ...created, eventId: 'one-and-the-same' }, then: begun },
      { when: { ...created, eventId: 'one-and-the-same' } },
    ],
  },
  {
    it: 'asks a person when research is not done in time, once (4.5.6)',
    play: [
      { when: created, then: begun },
      { when: { advanceTo: deadline - 1 } },
      { when: { advanceTo: deadline }, then: timedOut },
      { when: { advanceTo: seconds(900) } },
    ],
  },
  {
    it: 'asks nobody when research was done in time (4.5.6)',
    play: [
      { when: created, then: begun },
      { when: researchCompleted(seconds(4)), then: researchDone(4_000) },
      { when: { advanceTo: seconds(900) } },
    ],
  },
  {
    it: 'fires the deadline before a later fact, and still takes it',
    play: [
      { when: created, then: begun },
      { when: researchCompleted(seconds(400)), then: [...timedOut, ...researchDone(400_000)] },
    ],
  },
  {
    it: 'comes to the same when research is read before the client',
    play: [
      { when: researchCompleted(seconds(4)) },
      { when: created, then: [...begun, ...researchDone(4_000)] },
      { when: { advanceTo: seconds(900) } },
    ],
  },
  {
    it: 'applies early facts in the order they happened',
    play: [
      { when: researchCompleted(seconds(40)) },
      { when: researchFailed(seconds(4)) },
      { when: created, then: [...begun, stepFailed(1), personAsked, ...researchDone(40_000)] },
    ],
  },
]
