import { reviewEvents } from '../../schemas/index.ts'
import type { Scenario, ScenarioInput } from '../define.ts'

const start = 1_767_225_600_000
const seconds = (n: number): number => start + n * 1_000

const requested = (review_id: string, at: number): ScenarioInput => ({
  topic: reviewEvents,
  type: 'review_requested',
  payload: {
    review_id,
    subject_type: 'finding',
    subject_ref: 's1',
    reason: 'not sure enough of pricing',
    risk: 'medium',
    proposed_action: {},
    options: ['approve', 'reject', 'edit'],
    requester: 'research',
    due_at: at + 1,
  },
  at,
})

const decision = (review_id: string, decision: string, at: number, eventId?: string): ScenarioInput => ({
  topic: reviewEvents,
  type: 'review_decision_requested',
  payload: { review_id, decision, edits: { pricing: { starting_price: 9 } }, comment: 'Seen.' },
  at,
  ...(eventId === undefined ? {} : { eventId }),
})

const decided = (review_id: string, as: string) => ({ type: 'review_decided', payload: { review_id, decision: as } })
const rejected = (reason: string) => ({ type: 'review_decision_rejected', payload: { reason } })

export const scenarios: readonly Scenario[] = [
  {
    it: 'makes a decision a fact: what, by whom, and after what time',
    play: [
      { when: requested('r1', start) },
      {
        when: decision('r1', 'edit', seconds(90)),
        then: [
          {
            type: 'review_decided',
            payload: {
              review_id: 'r1',
              decision: 'edit',
              edits: { pricing: { starting_price: 9 } },
              comment: 'Seen.',
              by: 'user-1',
              ms: 90_000,
            },
          },
        ],
      },
    ],
  },
  {
    it: 'lets the first decision win',
    play: [
      { when: requested('r1', start) },
      { when: decision('r1', 'approve', seconds(1)), then: [decided('r1', 'approve')] },
      { when: decision('r1', 'reject', seconds(2)), then: [rejected('late')] },
    ],
  },
  {
    it: 'judges a command once, however often it is delivered',
    play: [
      { when: requested('r1', start) },
      { when: decision('r1', 'approve', seconds(1), 'same'), then: [decided('r1', 'approve')] },
      { when: decision('r1', 'approve', seconds(1), 'same') },
      { when: decision('nowhere', 'approve', seconds(2), 'lost'), then: [rejected('unknown')] },
      { when: decision('nowhere', 'approve', seconds(2), 'lost') },
    ],
  },
  {
    it: 'lists a review once, and keeps what was decided on it',
    play: [
      { when: requested('r1', start) },
      { when: decision('r1', 'approve', seconds(1)), then: [decided('r1', 'approve')] },
      { when: requested('r1', seconds(2)) },
      { when: decision('r1', 'approve', seconds(3)), then: [rejected('late')] },
    ],
  },
  {
    it: 'leaves an escalated review open for somebody else',
    play: [
      { when: requested('r1', start) },
      {
        when: decision('r1', 'escalate', seconds(1)),
        then: [{ type: 'review_escalated', payload: { review_id: 'r1', to_queue: 'supervisors' } }],
      },
      { when: decision('r1', 'approve', seconds(2)), then: [decided('r1', 'approve')] },
    ],
  },
  {
    it: 'knows no review of another tenant',
    play: [
      { when: requested('r1', start) },
      { when: { ...decision('r1', 'approve', seconds(1)), tenant: 'b' } as ScenarioInput, then: [rejected('unknown')] },
      { when: decision('r1', 'approve', seconds(2)), then: [decided('r1', 'approve')] },
    ],
  },
]
