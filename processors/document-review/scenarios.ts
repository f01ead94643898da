import type { Scenario } from '../define.ts'
import { last } from '../define.ts'
import {
  approved,
  asked,
  asksFor,
  compensate,
  create,
  days,
  drawn,
  failing,
  fetchCall,
  fetched,
  generated,
  ndaSent,
  pricingApproved,
  proposalSent,
  render,
  reviewDecided,
  reviewed,
  reviewExpired,
  seconds,
  signed,
  told,
  voided,
  wanted,
} from '../documents/scenario-data.ts'

/** A discount of 25 % waits for a person. */
const discounted: Scenario['play'] = [
  ...pricingApproved,
  { when: asked('pricing', { discount_basis_points: '2500' }), then: [render('pricing', 2)] },
  {
    when: drawn('pricing2', seconds(51)),
    then: [generated('pricing', { version: 2, discount_basis_points: 2_500, amount: 48_150 }), reviewed],
  },
]

/** All have signed, and the file could not be fetched. */
const unfetched: Scenario['play'] = [
  ...ndaSent,
  { when: told('e1', 'envelope-completed'), then: [fetchCall('e1')] },
  ...failing('fetch_signed', { as: 'retry', status: 503 }, [
    asksFor('all have signed, and the signed file could not be fetched: approve to try again'),
  ]),
]

export const scenarios: readonly Scenario[] = [
  {
    it: 'asks a person about a discount above 20 %; approved, the proposal follows without a second question (5.3.1, 5.3.3)',
    play: [
      ...discounted,
      {
        when: reviewDecided('approve'),
        then: [approved('h1', { version: 2 }), wanted('proposal'), render('proposal', 2)],
      },
      {
        when: drawn('proposal2', seconds(62)),
        then: [generated('proposal', { discount_basis_points: 2_500 }), approved(), create(2)],
      },
    ],
  },
  {
    it: 'does not ask about exactly 20 % (5.3.3)',
    play: [
      ...pricingApproved,
      { when: asked('pricing', { discount_basis_points: '2000' }), then: [render('pricing', 2)] },
      {
        when: drawn('p', seconds(51)),
        then: [generated('pricing'), approved(), wanted('proposal'), render('proposal', 2)],
      },
    ],
  },
  {
    it: 'asks a person about a margin below the floor (5.3.3)',
    play: [
      ...pricingApproved,
      { when: asked('pricing', { seats: '3', conversations: '1000' }), then: [render('pricing', 2)] },
      {
        when: drawn('p', seconds(51)),
        then: [
          generated('pricing', { margin_basis_points: 6_530 }),
          approved(),
          wanted('proposal'),
          render('proposal', 2),
        ],
      },
      {
        when: asked('pricing', { seats: '1', conversations: '1000', discount_basis_points: '1900' }, seconds(52)),
        then: [render('pricing', 3)],
      },
      { when: drawn('p3', seconds(53)), then: [generated('pricing', { margin_basis_points: 3_197 }), reviewed] },
    ],
  },
  {
    it: 'asks a person about an amount above the limit (5.3.3)',
    play: [
      ...pricingApproved,
      { when: asked('pricing', { seats: '8000' }), then: [render('pricing', 2)] },
      { when: drawn('p', seconds(51)), then: [generated('pricing', { quantity: 8_000 }), reviewed] },
    ],
  },
  {
    it: 'ends a document that was rejected, and one that nobody decided on (4.6.3)',
    play: [
      ...discounted,
      { when: reviewExpired('escalate') },
      {
        when: reviewExpired('reject'),
        then: [{ type: 'document_rejected', payload: { reason: 'nobody decided in time' } }],
      },
      { when: reviewDecided('approve') },
      { when: asked('pricing', {}, seconds(70)), then: [render('pricing', 3)] },
    ],
  },
  {
    it: "rejects in a person's name",
    play: [
      ...discounted,
      { when: reviewDecided('reject'), then: [{ type: 'document_rejected', payload: { reason: 'rejected by h1' } }] },
    ],
  },
  {
    it: 'draws up what a person wrote, approved by them',
    play: [
      ...discounted,
      { when: reviewDecided('escalate') },
      { when: reviewDecided('edit', { discount_basis_points: 2_200 }), then: [render('pricing', 3)] },
      {
        when: drawn('pricing3', seconds(61)),
        then: [
          generated('pricing', { version: 3, discount_basis_points: 2_200 }),
          approved('h1'),
          wanted('proposal'),
          render('proposal', 2),
        ],
      },
    ],
  },
  {
    it: 'decides nothing about a document that was taken back or replaced',
    play: [
      ...discounted,
      { when: compensate('pricing'), then: [voided('pricing')] },
      { when: reviewDecided('approve') },
      { when: reviewDecided('approve', null, 'another') },
    ],
  },
  {
    it: 'fetches a signed file anew when a person says so, and when nobody says anything (5.3.9)',
    play: [
      ...unfetched,
      { when: reviewDecided('escalate', null, last('review_requested', 'review_id'), days(3)) },
      { when: reviewExpired('reject', days(4)), then: [fetchCall('e1')] },
      { when: reviewDecided('approve', null, last('review_requested', 'review_id'), days(4)) },
      { when: fetched('nda', days(5)), then: [signed('nda'), wanted('pricing'), render('pricing')] },
    ],
  },
  {
    it: 'fetches a signed file anew that a person asks for, and lets one go that a person gives up',
    play: [
      ...unfetched,
      {
        when: reviewDecided('approve', null, last('review_requested', 'review_id'), days(3)),
        then: [fetchCall('e1')],
      },
      ...failing('fetch_signed', { as: 'retry', status: 503, since: days(3) }, [reviewed]),
      {
        when: reviewDecided('reject', null, last('review_requested', 'review_id'), days(7)),
        then: [{ type: 'document_generation_failed', payload: { document_type: 'nda', reason: 'rejected by h1' } }],
      },
    ],
  },
  {
    it: 'leaves what was not put to a person alone',
    play: [...proposalSent, { when: reviewDecided('approve', null, 'another') }],
  },
]
