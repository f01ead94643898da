import type { Scenario } from '../define.ts'
import {
  begun,
  created,
  personAsked,
  researchCompleted,
  researchFailed,
  seconds,
  researchDone,
  stepFailed,
} from '../lifecycle-saga/scenario-data.ts'

export const scenarios: readonly Scenario[] = [
  {
    it: 'completes the step with the time it took, and once (4.5.6)',
    play: [
      { when: created, then: begun },
      { when: researchCompleted(seconds(4)), then: researchDone(4_000) },
      { when: researchCompleted(seconds(90)) },
      { when: researchFailed(seconds(95)) },
    ],
  },
  {
    it: 'asks a person when research failed, and waits without a deadline (4.5.6)',
    play: [
      { when: created, then: begun },
      { when: researchFailed(seconds(10)), then: [stepFailed(1), personAsked] },
      { when: researchFailed(seconds(11)) },
      { when: { advanceTo: seconds(900) } },
      { when: researchCompleted(seconds(1_000)), then: researchDone(1_000_000) },
    ],
  },
  {
    it: 'keeps two tenants with the same ids apart',
    play: [
      { when: created, then: begun },
      { when: { ...created, tenant: 'b' }, then: begun },
      { when: researchCompleted(seconds(4)), then: researchDone(4_000) },
      {
        when: { advanceTo: seconds(301) },
        then: [{ type: 'step_timed_out' }, personAsked],
      },
    ],
  },
]
