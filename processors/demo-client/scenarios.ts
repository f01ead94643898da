import type { Scenario, ScenarioInput } from '../define.ts'
import {
  answer,
  asksModel,
  client,
  compensated,
  erasing,
  finding,
  generated,
  made,
  page,
  published,
  refusal,
  removes,
  renders,
  requested,
  researched,
  seconds,
  written,
} from '../demo/scenario-data.ts'

const down = (reason: string) => ({ type: 'demo_unpublished', payload: { reason } })
const later = 14 * 86_400_000
const hour = 3_600_000

export const scenarios: readonly Scenario[] = [
  {
    it: 'waits for the client when research is complete first',
    play: [
      { when: finding('f1', { employees: 120 }) },
      { when: researched(), then: [requested] },
      { when: client, then: [asksModel] },
    ],
  },
  {
    it: 'takes the demo down for compensation, once, and says so when it is gone (4.5.5, 4.5.7)',
    play: [
      ...made,
      { when: { ...compensated(seconds(50)), eventId: 'same' }, then: [removes] },
      { when: { ...compensated(seconds(50)), eventId: 'same' } },
      { when: compensated(seconds(50)) },
      { when: answer(seconds(51), { removed: 2 }), then: [down('compensation')] },
      { when: compensated(seconds(52)), then: [down('compensation')] },
      { when: { advanceTo: seconds(4) + later } },
    ],
  },
  {
    it: 'takes down at once what is published after it was to go',
    play: [
      { when: client },
      { when: finding('f1', { employees: 120 }) },
      { when: researched(), then: [requested, asksModel] },
      { when: compensated(seconds(3)) },
      { when: answer(seconds(4), { json: written, model: 'm' }), then: [renders] },
      {
        when: answer(seconds(5), page()),
        then: [generated(written), published(seconds(5) + later), removes],
      },
      { when: answer(seconds(6), { removed: 2 }), then: [down('compensation')] },
    ],
  },
  {
    it: 'answers at once where there is nothing to take down, and minds its own step alone',
    play: [
      { when: client },
      { when: compensated(seconds(1), 'contract') },
      { when: compensated(seconds(2)), then: [down('compensation')] },
    ],
  },
  {
    it: 'tries again after an hour what could not be removed, and does not say that it is gone before (4.5.7)',
    play: [
      ...made,
      { when: compensated(seconds(50)), then: [removes] },
      {
        when: refusal(seconds(51), { class: 'invalid', status: 400 }),
        then: [{ type: 'demo_removal_failed', payload: { reason: 'invalid', retry_at: seconds(51) + hour } }],
      },
      { when: { advanceTo: seconds(51) + hour - 1 } },
      { when: { advanceTo: seconds(51) + hour }, then: [removes] },
      { when: answer(seconds(60) + hour, { removed: 2 }), then: [down('compensation')] },
    ],
  },
  {
    it: 'says of an erased client that its demo is gone for good, also when it was taken down before (5.0.8)',
    play: [
      ...made,
      { when: compensated(seconds(50)), then: [removes] },
      { when: answer(seconds(51), { removed: 2 }), then: [down('compensation')] },
      { when: erasing(seconds(60)), then: [down('erased')] },
      { when: erasing(seconds(61)) },
      { when: { ...erasing(seconds(62)), tenant: 'b' } as ScenarioInput },
    ],
  },
  {
    it: 'forgets an erased client when its pages are gone, and begins nothing for it again',
    play: [
      ...made,
      { when: erasing(seconds(50)), then: [removes] },
      { when: answer(seconds(51), { removed: 2 }), then: [down('erased')] },
      { when: researched(seconds(60), 's2') },
      { when: client },
      { when: { advanceTo: seconds(4) + later } },
    ],
  },
]
