import type { Scenario } from '../define.ts'
import {
  abortedFor,
  begun,
  completed,
  created,
  day,
  days,
  demo,
  engaged,
  researchCompleted,
  researchDone,
  seconds,
  stage,
  stale,
  stepStarted,
  undoing,
  undone,
  until,
} from '../lifecycle-saga/scenario-data.ts'

const negotiating = (ms: number, due: number) => [
  completed('demo', ms),
  stage('demo', 'negotiating'),
  stepStarted('nda', due),
]
const timedOut = { type: 'step_timed_out', payload: { step: 'demo' } }
const gone = (at: number) => demo('demo_unpublished', at, { reason: 'compensation' })

export const scenarios: readonly Scenario[] = [
  {
    it: 'goes on to the NDA when the demo engages, once (4.5.7)',
    play: [...until('demo'), { when: engaged(days(2)) }, { when: demo('demo_expired', days(3)) }],
  },
  {
    it: 'waits once more when the demo ran out, and goes on when the prospect comes after all (4.5.7)',
    play: [
      ...until('research'),
      { when: demo('demo_expired', days(14)), then: [timedOut] },
      { when: demo('demo_expired', days(15)) },
      { when: engaged(days(20)), then: negotiating(20 * day - 4_000, days(50)) },
      { when: { advanceTo: days(40) } },
    ],
  },
  {
    it: 'lets the prospect go when nobody comes: what was done is undone, the last first (4.5.4, 4.5.5, 4.5.7)',
    play: [
      ...until('research'),
      { when: { advanceTo: seconds(4) + 14 * day }, then: [timedOut] },
      {
        when: { advanceTo: seconds(4) + 28 * day },
        then: [
          { type: 'compensation_started', payload: { from_step: 'demo', reason: 'no_engagement' } },
          undoing('demo'),
        ],
      },
      { when: { ...gone(seconds(5) + 28 * day), eventId: 'gone' }, then: [undone('demo'), undoing('research')] },
      { when: { ...gone(seconds(5) + 28 * day), eventId: 'gone' } },
      {
        when: stale(seconds(6) + 28 * day),
        then: [undone('research'), ...abortedFor('no_engagement', 'demo', ['demo', 'research'])],
      },
      { when: engaged(days(30)) },
      { when: { advanceTo: days(60) } },
    ],
  },
  {
    it: 'asks a person when no demo could be made (4.5.7)',
    play: [
      ...until('research'),
      {
        when: demo('demo_generation_failed', seconds(30), { reason: 'exhausted' }),
        then: [
          { type: 'step_failed', payload: { step: 'demo', class: 'exhausted', attempt: 1 } },
          { type: 'review_requested', payload: { proposed_action: { retry_step: 'demo' } } },
        ],
      },
      { when: { advanceTo: days(20) } },
    ],
  },
  {
    it: 'takes a demo that engaged before its step had begun',
    play: [
      { when: engaged(seconds(60)) },
      { when: created, then: begun },
      {
        when: researchCompleted(seconds(4)),
        then: [...researchDone(4_000), ...negotiating(56_000, seconds(60) + 30 * day)],
      },
    ],
  },
]
