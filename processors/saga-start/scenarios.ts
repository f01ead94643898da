import type { Scenario } from '../define.ts'
import {
  begun,
  created,
  deadline,
  personAsked,
  researchCompleted,
  researchFailed,
  seconds,
  researchDone,
  stepFailed,
} from '../lifecycle-saga/scenario-data.ts'

const timedOut = [{ type: 'step_timed_out', payload: { step: 'research' } }, personAsked]

export const scenarios: readonly Scenario[] = [
  {
    it: 'begins the lifecycle of a new client with research, once',
    play: [
      { when: { ...created, eventId: 'one-and-the-same' }, then: begun },
      { when: { ...created, eventId: 'one-and-the-same' } },
    ],
  },
  {
    it: 'asks a person when research is not done in time, once',
    play: [
      { when: created, then: begun },
      { when: { advanceTo: deadline - 1 } },
      { when: { advanceTo: deadline }, then: timedOut },
      { when: { advanceTo: seconds(900) } },
    ],
  },
  {
    it: 'asks nobody when research was done in time',
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
