import type { Scenario } from '../define.ts'
import {
  abortedFor,
  begun,
  completed,
  created,
  day,
  days,
  demo,
  document,
  engaged,
  proposalMade,
  researchCompleted,
  researchDone,
  signed,
  stage,
  stale,
  stepStarted,
  undoing,
  undone,
  until,
} from '../lifecycle-saga/scenario-data.ts'

const voided = (of: string, at: number) => document('document_voided', of, at, { reason: 'compensation' })
const ends = (from_step: string, reason: string) => ({ type: 'compensation_started', payload: { from_step, reason } })

export const scenarios: readonly Scenario[] = [
  { it: 'follows the documents in their order (4.5.8, 4.5.9, 4.5.10)', play: until('contract') },
  {
    it: 'undoes everything in reverse when the contract is declined (4.5.4, 4.5.10)',
    play: [
      ...until('proposal'),
      {
        when: document('document_declined', 'contract', days(6), { reason: 'budget' }),
        then: [ends('contract', 'contract_declined'), undoing('contract')],
      },
      { when: voided('contract', days(6) + 1), then: [undone('contract'), undoing('proposal')] },
      { when: voided('nda', days(6) + 2) },
      { when: voided('proposal', days(6) + 3), then: [undone('proposal'), undoing('pricing')] },
      { when: voided('pricing', days(6) + 3), then: [undone('pricing'), undoing('nda')] },
      { when: voided('nda', days(6) + 4), then: [undone('nda'), undoing('demo')] },
      {
        when: demo('demo_unpublished', days(6) + 5, { reason: 'compensation' }),
        then: [undone('demo'), undoing('research')],
      },
      {
        when: stale(days(6) + 6),
        then: [
          undone('research'),
          ...abortedFor('contract_declined', 'signing', ['contract', 'proposal', 'pricing', 'nda', 'demo', 'research']),
        ],
      },
      { when: signed('contract', days(7)) },
    ],
  },
  ...(
    [
      ['nda', 'demo'],
      ['proposal', 'pricing'],
      ['contract', 'proposal'],
    ] as const
  ).flatMap(([type, before]): Scenario[] => [
    {
      it: `ends when the ${type} is declined, and undoes it first (4.5.8, 4.5.9, 4.5.10)`,
      play: [
        ...until(before),
        {
          when: document('document_declined', type, days(6), { reason: 'budget' }),
          then: [ends(type, `${type}_declined`), undoing(type)],
        },
      ],
    },
    {
      it: `ends when the ${type} runs out, by its own time, and undoes it first (4.5.8, 4.5.9, 4.5.10)`,
      play: [
        ...until(before),
        {
          when: document('document_expired', type, days(6)),
          then: [{ type: 'step_timed_out', payload: { step: type } }, ends(type, `${type}_expired`), undoing(type)],
        },
      ],
    },
    {
      it: `asks a person when the ${type} cannot be made (4.5.8, 4.5.9, 4.5.10)`,
      play: [
        ...until(before),
        {
          when: document('document_generation_failed', type, days(6), { reason: 'exhausted' }),
          then: [
            { type: 'step_failed', payload: { step: type, class: 'exhausted' } },
            { type: 'review_requested', payload: { subject_type: 'step', proposed_action: { retry_step: type } } },
          ],
        },
      ],
    },
  ]),
  {
    it: 'ends when a document runs out, by its own time or by the deadline (4.5.8)',
    play: [
      ...until('demo'),
      {
        when: document('document_expired', 'nda', days(30)),
        then: [{ type: 'step_timed_out', payload: { step: 'nda' } }, ends('nda', 'nda_expired'), undoing('nda')],
      },
      { when: { advanceTo: days(30) + 3_600_000 }, then: [{ type: 'compensation_step_failed' }, undoing('nda', 2)] },
    ],
  },
  {
    it: 'ends when nothing is heard until the deadline (4.5.9)',
    play: [
      ...until('pricing'),
      {
        when: { advanceTo: days(33) },
        then: [
          { type: 'step_timed_out', payload: { step: 'proposal' } },
          ends('proposal', 'proposal_expired'),
          undoing('proposal'),
        ],
      },
    ],
  },
  {
    it: 'asks a person about a compensation that failed five times, and goes on as they decide (4.5.13)',
    play: [
      ...until('demo'),
      {
        when: document('document_declined', 'nda', days(2), { reason: '' }),
        then: [ends('nda', 'nda_declined'), undoing('nda')],
      },
      ...[1, 2, 3, 4].map((attempt) => ({
        when: { advanceTo: days(2) + attempt * 3_600_000 },
        then: [{ type: 'compensation_step_failed', payload: { step: 'nda', attempt } }, undoing('nda', attempt + 1)],
      })),
      {
        when: { advanceTo: days(2) + 5 * 3_600_000 },
        then: [
          { type: 'compensation_step_failed', payload: { attempt: 5 } },
          { type: 'review_requested', payload: { risk: 'high', proposed_action: { undo_step: 'nda' } } },
        ],
      },
      { when: { advanceTo: days(9) } },
      { when: voided('nda', days(10)), then: [undone('nda'), undoing('demo')] },
    ],
  },
  {
    it: 'ends when a person rejects the pricing (4.5.9)',
    play: [
      ...until('nda'),
      {
        when: {
          ...document('document_rejected', 'pricing', days(3)),
          payload: { document_id: 'doc-pricing', reason: 'no' },
        },
        then: [ends('pricing', 'pricing_rejected'), undoing('pricing')],
      },
    ],
  },
  {
    it: 'comes to the same when the documents are read before what led to them',
    play: [
      { when: signed('nda', days(2)) },
      { when: proposalMade(days(3)) },
      { when: created, then: begun },
      { when: researchCompleted(1_767_225_604_000), then: researchDone(4_000) },
      {
        when: engaged(days(1)),
        then: [
          completed('demo', day - 4_000),
          stage('demo', 'negotiating'),
          stepStarted('nda', days(31)),
          completed('nda', day),
          stepStarted('pricing', days(32)),
          completed('pricing', day),
          stepStarted('proposal', days(33)),
        ],
      },
      { when: { advanceTo: days(33) - 1 } },
    ],
  },
]
