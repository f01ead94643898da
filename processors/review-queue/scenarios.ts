import { reviewEvents } from '../../schemas/index.ts'
import type { Scenario, ScenarioInput } from '../define.ts'

const start = 1_767_225_600_000
const seconds = (n: number): number => start + n * 1_000

const minutes = (n: number): number => start + n * 60_000
const due = minutes(24 * 60)

const requested = (review_id: string, at: number, more: Readonly<Record<string, unknown>> = {}): ScenarioInput => ({
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
    due_at: due,
    ...more,
  },
  at,
})

const by = (person: string, input: ScenarioInput): ScenarioInput => ({ ...input, by: person }) as ScenarioInput
const claim = (review_id: string, at: number, eventId?: string): ScenarioInput => ({
  topic: reviewEvents,
  type: 'review_claim_requested',
  payload: { review_id },
  at,
  ...(eventId === undefined ? {} : { eventId }),
})
const release = (review_id: string, at: number): ScenarioInput => ({
  topic: reviewEvents,
  type: 'review_release_requested',
  payload: { review_id },
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

const claimed = (human_agent_id: string, lease_until: number) => ({
  type: 'review_claimed',
  payload: { human_agent_id, lease_until },
})
const refusedClaim = (payload: Readonly<Record<string, unknown>>) => ({ type: 'review_claim_rejected', payload })
const released = (reason: string) => ({ type: 'review_released', payload: { reason } })
const expired = (review_id: string, fallback: string) => ({ type: 'review_expired', payload: { review_id, fallback } })
const escalated = (review_id: string) => ({
  type: 'review_escalated',
  payload: { review_id, to_queue: 'supervisors' },
})

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
    it: 'lets the first decision win (4.6.1)',
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
  {
    it: 'lends a review to one person for a quarter of an hour, and tells others who holds it (4.6.1)',
    play: [
      { when: requested('r1', start) },
      { when: by('h1', claim('r1', minutes(1))), then: [claimed('h1', minutes(16))] },
      {
        when: by('h2', claim('r1', minutes(2))),
        then: [refusedClaim({ command: 'claim', reason: 'held', held_by: 'h1', lease_until: minutes(16) })],
      },
      { when: by('h2', decision('r1', 'approve', minutes(3))), then: [rejected('not_holder')] },
      { when: by('h2', decision('r1', 'escalate', minutes(3))), then: [rejected('not_holder')] },
      {
        when: by('h2', release('r1', minutes(4))),
        then: [refusedClaim({ command: 'release', reason: 'not_holder', held_by: 'h1' })],
      },
      { when: by('h1', decision('r1', 'approve', minutes(5))), then: [decided('r1', 'approve')] },
      { when: by('h1', claim('r1', minutes(6))), then: [refusedClaim({ command: 'claim', reason: 'late' })] },
      { when: by('h1', release('r1', minutes(6))), then: [refusedClaim({ command: 'release', reason: 'late' })] },
      { when: { advanceTo: minutes(60 * 48) } },
    ],
  },
  {
    it: 'puts a review back into the queue when its lease ends, once (4.6.1)',
    play: [
      { when: requested('r1', start) },
      { when: by('h1', claim('r1', start)), then: [claimed('h1', minutes(15))] },
      { when: { advanceTo: minutes(15) - 1 } },
      { when: { advanceTo: minutes(15) }, then: [released('lease_expired')] },
      { when: { advanceTo: minutes(40) } },
      { when: by('h2', claim('r1', minutes(40))), then: [claimed('h2', minutes(55))] },
      { when: by('h1', decision('r1', 'approve', minutes(41))), then: [rejected('not_holder')] },
    ],
  },
  {
    it: 'ends a lease before a later command is judged',
    play: [
      { when: requested('r1', start) },
      { when: by('h1', claim('r1', start)), then: [claimed('h1', minutes(15))] },
      {
        when: by('h2', decision('r1', 'approve', minutes(15) + 1)),
        then: [released('lease_expired'), decided('r1', 'approve')],
      },
    ],
  },
  {
    it: 'prolongs the lease of who claims again, and gives a review back that is released',
    play: [
      { when: requested('r1', start) },
      { when: by('h1', claim('r1', start)), then: [claimed('h1', minutes(15))] },
      { when: by('h1', claim('r1', minutes(10), 'again')), then: [claimed('h1', minutes(25))] },
      { when: by('h1', claim('r1', minutes(10), 'again')) },
      { when: { advanceTo: minutes(20) } },
      { when: by('h1', release('r1', minutes(21))), then: [released('asked')] },
      { when: by('h1', release('r1', minutes(22))), then: [refusedClaim({ reason: 'not_holder', held_by: null })] },
      { when: by('h2', claim('r1', minutes(22))), then: [claimed('h2', minutes(37))] },
      { when: by('h2', claim('nowhere', minutes(23))), then: [refusedClaim({ reason: 'unknown' })] },
    ],
  },
  {
    it: 'ends the hold of who escalates: the queue above can claim at once',
    play: [
      { when: requested('r1', start) },
      { when: by('h1', claim('r1', start)), then: [claimed('h1', minutes(15))] },
      { when: by('h1', decision('r1', 'escalate', minutes(1))), then: [escalated('r1')] },
      { when: by('s1', claim('r1', minutes(2))), then: [claimed('s1', minutes(17))] },
    ],
  },
  ...(['document', 'refund', 'config', 'prd', 'step'] as const).map((subject_type) => ({
    it: `rejects what is asked about a ${subject_type} when nobody decides in time (4.6.3)`,
    play: [
      { when: requested('r1', start, { subject_type }) },
      { when: { advanceTo: due - 1 } },
      { when: { advanceTo: due }, then: [expired('r1', 'reject')] },
      { when: decision('r1', 'approve', due + 1), then: [rejected('late')] },
      { when: claim('r1', due + 2), then: [refusedClaim({ reason: 'late' })] },
      { when: { advanceTo: due * 2 } },
    ],
  })),
  ...(['agent_interrupt', 'message', 'answer'] as const).map((subject_type) => ({
    it: `escalates an ${subject_type} that nobody decided in time, and leaves it open (4.6.3)`,
    play: [
      { when: requested('r1', start, { subject_type }) },
      { when: { advanceTo: due }, then: [expired('r1', 'escalate'), escalated('r1')] },
      { when: { advanceTo: due * 2 } },
      { when: by('s1', decision('r1', 'approve', due * 2)), then: [decided('r1', 'approve')] },
    ],
  })),
  {
    it: 'lets findings go on unverified, also from under the hands of who holds them (4.6.3)',
    play: [
      { when: requested('r1', start) },
      { when: by('h1', claim('r1', due - 1)), then: [claimed('h1', due - 1 + 15 * 60_000)] },
      { when: { advanceTo: due + 60 * 60_000 }, then: [expired('r1', 'proceed_marked_unverified')] },
      { when: by('h1', decision('r1', 'approve', due + 60 * 60_001)), then: [rejected('late')] },
    ],
  },
  {
    it: 'keeps the times of many reviews with one timer',
    play: [
      { when: requested('late', start, { due_at: minutes(90) }) },
      { when: requested('early', start, { due_at: minutes(30) }) },
      { when: requested('decided', start, { due_at: minutes(20) }) },
      { when: by('h1', claim('late', start)), then: [claimed('h1', minutes(15))] },
      { when: decision('decided', 'reject', minutes(1)), then: [decided('decided', 'reject')] },
      { when: { advanceTo: minutes(29) }, then: [released('lease_expired')] },
      { when: { advanceTo: minutes(60) }, then: [expired('early', 'proceed_marked_unverified')] },
      { when: { advanceTo: minutes(90) }, then: [expired('late', 'proceed_marked_unverified')] },
    ],
  },
]
