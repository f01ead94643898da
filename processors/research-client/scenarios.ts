import { clientEvents } from '../../schemas/index.ts'
import type { Scenario, ScenarioInput } from '../define.ts'
import {
  answer,
  asked,
  called,
  completed,
  created,
  days,
  everything,
  everythingRecorded,
  seconds,
  start,
  started,
} from '../research/scenario-data.ts'

const erased: ScenarioInput = { topic: clientEvents, type: 'client_erased', payload: { mode: 'erase' }, at: seconds(1) }

const profile = (fields: Readonly<Record<string, string>>, profile_source: string, at: number): ScenarioInput => ({
  topic: clientEvents,
  type: 'client_profile_updated',
  payload: { fields, profile_source, confidence: 1 },
  at,
})

const letGo = (step: string, at: number): ScenarioInput => ({
  topic: clientEvents,
  type: 'compensation_requested',
  payload: { step, refs: {}, attempt: 1 },
  at,
})
const stale = (age_days: number) => ({ type: 'research_stale', payload: { age_days } })

export const scenarios: readonly Scenario[] = [
  {
    it: 'forgets an erased client: no answer, request or organization brings it back',
    play: [
      { when: created, then: [started, called('answer')] },
      { when: erased },
      { when: answer(seconds(2), everything) },
      { when: asked(seconds(3)) },
      { when: { ...created, at: seconds(4) } as typeof created },
      { when: profile({ domain: 'acme.test' }, 'human', seconds(5)) },
    ],
  },
  {
    it: 'never starts for a client whose erasure is read before its creation',
    play: [{ when: erased }, { when: { ...created, at: start } as typeof created }],
  },
  {
    it: 'uses a corrected profile where the next request leaves it open',
    play: [
      { when: created, then: [started, called('answer')] },
      { when: answer(seconds(1), everything), then: [...everythingRecorded, completed()] },
      { when: profile({ domain: 'acme.test', industry: 'Freight' }, 'human', seconds(2)) },
      {
        when: asked(days(1), { domain: null }),
        then: [started, called('answer', { request: { domain: 'acme.test', industry: 'Freight' } })],
      },
    ],
  },
  {
    it: 'gives up what was found out when the client is let go, and answers once (4.5.5, 4.5.6)',
    play: [
      { when: created, then: [started, called('answer')] },
      { when: answer(seconds(1), everything), then: [...everythingRecorded, completed()] },
      { when: letGo('contract', days(2)) },
      { when: { ...letGo('research', days(3)), eventId: 'same' }, then: [stale(2)] },
      { when: { ...letGo('research', days(3)), eventId: 'same' } },
      { when: letGo('research', days(4)), then: [stale(0)] },
      { when: asked(days(5)), then: [started, called('answer')] },
    ],
  },
  {
    it: 'leaves a session that runs when the client is let go',
    play: [
      { when: created, then: [started, called('answer')] },
      { when: letGo('research', seconds(2)), then: [stale(0)] },
      { when: answer(seconds(3), everything) },
    ],
  },
  {
    it: 'takes no correction from its own findings',
    play: [
      { when: profile({ domain: 'acme.test' }, 'research', start) },
      { when: asked(seconds(1), { domain: null }), then: [started, called('answer', { request: { domain: null } })] },
    ],
  },
]
