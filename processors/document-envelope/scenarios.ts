/** Numbers in brackets are those of `processors/BEHAVIOURS.md`. */

import type { Scenario } from '../define.ts'
import { last } from '../define.ts'
import {
  answer,
  approved,
  asked,
  asksFor,
  begun,
  called,
  contractSent,
  create,
  days,
  declined,
  drawn,
  ended,
  expired,
  failing,
  fetchCall,
  fetched,
  generated,
  ignored,
  isVoided,
  made,
  ndaSending,
  ndaSent,
  ndaSigned,
  pricingApproved,
  proposalSent,
  ref,
  refused,
  reminder,
  render,
  seconds,
  sent,
  signed,
  told,
  viewed,
  voidCall,
  voided,
  wanted,
} from '../documents/scenario-data.ts'

const order: readonly Scenario[] = [
  {
    it: 'goes from the NDA to the contract, each asked for by the fact of the one before (5.3.2)',
    play: [
      ...contractSent,
      { when: told('e3', 'envelope-completed', {}, seconds(40)), then: [fetchCall('e3')] },
      {
        when: fetched('contract', seconds(41)),
        then: [
          signed('contract', {
            signed_ref: ref('contract-signed'),
            certificate_ref: ref('contract-certificate'),
            signed_at: seconds(40),
            terms: { plan: 'starter', quantity: 10, interval: 'month', currency: 'USD', amount: 64_200 },
          }),
        ],
      },
    ],
  },
  {
    it: 'draws up no price before the NDA is signed, whoever asks (5.3.2)',
    play: [
      ...ndaSent,
      { when: asked('pricing'), then: [ignored('requested before the nda is signed', 'none')] },
      { when: asked('proposal'), then: [ignored('requested before pricing is approved', 'none')] },
      { when: asked('contract'), then: [ignored('requested before the proposal is signed', 'none')] },
    ],
  },
  {
    it: 'refuses inputs that cannot be, with a word',
    play: [
      ...pricingApproved,
      {
        when: asked('pricing', { seats: '4.5' }),
        then: [ignored('requested: seats is a whole number from 1 to 100000', 'approved')],
      },
      {
        when: asked('pricing', { interval: 'week' }),
        then: [ignored('requested: interval is month or year', 'approved')],
      },
    ],
  },
]

const life: readonly Scenario[] = [
  {
    it: 'is viewed, signed by one after the other, and signed once (5.3.1, 5.3.5)',
    play: [
      ...ndaSent,
      { when: told('e1', 'envelope-sent') },
      { when: told('e1', 'envelope-delivered'), then: [viewed({ recipient: 'client' })] },
      { when: told('e1', 'recipient-completed', { recipient: 'client' }) },
      { when: told('e1', 'recipient-completed', { recipient: 'provider' }, seconds(22)) },
      { when: told('e1', 'envelope-completed', {}, seconds(23)), then: [fetchCall('e1')] },
      { when: told('e1', 'envelope-completed', {}, seconds(24)) },
      {
        when: fetched('nda', seconds(25)),
        then: [signed('nda', { signed_at: seconds(23) }), wanted('pricing'), render('pricing')],
      },
    ],
  },
  {
    it: 'is signed once when completed comes before delivered, and twice (5.3.5)',
    play: [
      ...ndaSent,
      { when: told('e1', 'envelope-completed'), then: [fetchCall('e1')] },
      { when: told('e1', 'envelope-delivered') },
      { when: told('e1', 'envelope-completed', {}, seconds(24)) },
      { when: fetched('nda', seconds(25)), then: [signed('nda'), wanted('pricing'), render('pricing')] },
      { when: told('e1', 'envelope-completed', {}, seconds(26)) },
    ],
  },
  {
    it: 'hears of an envelope before it knows its id (5.3.5)',
    play: [
      ...ndaSending,
      { when: told('e1', 'envelope-completed', {}, seconds(6)) },
      { when: told('e9', 'envelope-completed', {}, seconds(6)) },
      { when: made('e1', seconds(7)), then: [sent('e1'), fetchCall('e1')] },
      {
        when: fetched('nda', seconds(8)),
        then: [signed('nda', { signed_at: seconds(6) }), wanted('pricing'), render('pricing')],
      },
    ],
  },
  {
    it: 'is declined once, with the reason (5.3.1, 5.3.8)',
    play: [
      ...contractSent,
      {
        when: told('e3', 'envelope-declined', { reason: 'budget' }, seconds(40)),
        then: [declined({ reason: 'budget' })],
      },
      { when: told('e3', 'envelope-declined', { reason: 'budget' }, seconds(41)) },
      { when: told('e3', 'envelope-completed', {}, seconds(42)), then: [ignored('completed', 'declined')] },
      { when: { advanceTo: days(60) } },
    ],
  },
  {
    it: 'is voided when somebody voids it at the service (5.3.1)',
    play: [...ndaSent, { when: told('e1', 'envelope-voided', { reason: 'a slip' }), then: [voided('nda', 'a slip')] }],
  },
  {
    it: 'ignores and counts what would take a signature back (5.3.1)',
    play: [
      ...ndaSigned,
      { when: told('e1', 'envelope-declined', {}, seconds(40)), then: [ignored('declined', 'signed')] },
      { when: told('e1', 'envelope-voided', {}, seconds(41)), then: [ignored('voided', 'signed')] },
      { when: asked('nda'), then: [ignored('requested', 'signed')] },
    ],
  },
]

/** Nobody does anything until the envelope runs out. */
const unanswered: Scenario['play'] = [
  { when: { advanceTo: days(4) }, then: [reminder(1, 'client')] },
  { when: { advanceTo: days(8) }, then: [reminder(2, 'client')] },
  { when: { advanceTo: days(15) }, then: [reminder(3, 'client')] },
  { when: { advanceTo: days(31) }, then: [voidCall('e1')] },
]

const clock: readonly Scenario[] = [
  {
    it: 'reminds the next signer in order after 3, 7 and 14 days, and expires after 30 (5.3.1, 5.3.7)',
    play: [
      ...ndaSent,
      { when: { advanceTo: days(3) } },
      { when: { advanceTo: seconds(6) + 3 * 86_400_000 }, then: [reminder(1, 'client')] },
      { when: told('e1', 'recipient-completed', { recipient: 'client' }, days(4)) },
      { when: { advanceTo: days(8) }, then: [reminder(2, 'provider')] },
      { when: { advanceTo: days(29) }, then: [reminder(3, 'provider')] },
      { when: { advanceTo: days(31) }, then: [voidCall('e1')] },
      { when: isVoided(days(31) + 1), then: [expired({ document_type: 'nda' })] },
      { when: told('e1', 'envelope-voided', {}, days(31) + 2) },
      { when: { advanceTo: days(90) } },
    ],
  },
  {
    it: 'reminds nobody once all have signed (5.3.7)',
    play: [...ndaSigned, { when: { advanceTo: days(40) } }],
  },
  {
    it: 'keeps a signature that came just before the expiry',
    play: [
      ...ndaSent,
      ...unanswered,
      { when: ended('completed', days(31) + 1), then: [fetchCall('e1')] },
      { when: told('e1', 'envelope-completed', {}, days(31) + 2) },
      { when: fetched('nda', days(31) + 3), then: [signed('nda'), wanted('pricing'), render('pricing')] },
    ],
  },
  {
    it: 'takes a refusal that came just before the expiry for one',
    play: [
      ...ndaSent,
      ...unanswered,
      { when: told('e1', 'envelope-declined', { reason: 'no' }, days(31) + 1) },
      { when: ended('declined', days(31) + 2), then: [declined({ reason: 'no' })] },
    ],
  },
]

const changes: readonly Scenario[] = [
  {
    it: 'voids the old envelope first, then draws up and sends the new version (5.3.4)',
    play: [
      ...proposalSent,
      { when: asked('proposal', { seats: '20' }), then: [voidCall('e2')] },
      { when: isVoided(seconds(51)), then: [render('proposal', 2)] },
      { when: told('e2', 'envelope-voided', {}, seconds(52)) },
      { when: told('e2', 'envelope-completed', {}, seconds(52)), then: [ignored('completed', 'draft')] },
      {
        when: drawn('proposal2', seconds(53)),
        then: [generated('proposal', { version: 2, quantity: 20 }), approved(), create(2)],
      },
      { when: made('e2b', seconds(54)), then: [sent('e2b', { version: 2 })] },
    ],
  },
  {
    it: 'waits for an envelope that is being made before it replaces it (5.3.4)',
    play: [
      ...proposalSent.slice(0, -1),
      { when: asked('proposal', { seats: '20' }) },
      { when: asked('proposal', { seats: '30' }, seconds(51)) },
      { when: made('e2', seconds(52)), then: [sent('e2'), voidCall('e2')] },
      { when: isVoided(seconds(53)), then: [render('proposal', 2)] },
      { when: drawn('proposal2', seconds(54)), then: [generated('proposal', { quantity: 30 }), approved(), create(2)] },
    ],
  },
  {
    it: 'sends a new proposal when the price was negotiated anew (5.3.4)',
    play: [
      ...proposalSent,
      { when: asked('pricing', { seats: '20' }), then: [render('pricing', 2)] },
      {
        when: drawn('pricing2', seconds(51)),
        then: [generated('pricing', { version: 2 }), approved(), wanted('proposal'), voidCall('e2')],
      },
      { when: isVoided(seconds(52)), then: [render('proposal', 2)] },
    ],
  },
  {
    it: 'draws up anew what is being drawn up; the answer to the first draft is late',
    play: [
      ...pricingApproved.slice(0, -1),
      { when: asked('pricing', { seats: '20' }), then: [render('pricing', 2)] },
      {
        when: drawn('pricing2', seconds(51)),
        then: [generated('pricing', { version: 2, quantity: 20 }), approved(), wanted('proposal'), render('proposal')],
      },
    ],
  },
  {
    it: 'keeps a signature that came before the change',
    play: [
      ...proposalSent,
      { when: asked('proposal', { seats: '20' }), then: [voidCall('e2')] },
      { when: told('e2', 'envelope-completed', {}, seconds(51)) },
      { when: ended('completed', seconds(52)), then: [fetchCall('e2')] },
      { when: asked('proposal', { seats: '30' }, seconds(53)), then: [ignored('requested', 'completed')] },
      {
        when: fetched('proposal', seconds(54)),
        then: [signed('proposal', { version: 1 }), wanted('contract'), render('contract')],
      },
    ],
  },
  {
    it: 'may be asked for again once it has ended',
    play: [
      ...ndaSent,
      { when: told('e1', 'envelope-declined', { reason: 'no' }), then: [declined()] },
      { when: asked('nda'), then: [render('nda', 2)] },
    ],
  },
]

const failures: readonly Scenario[] = [
  {
    it: 'tries to draw up again, then says that it cannot',
    play: [
      ...begun,
      ...[2, 3, 4, 5].map((attempt) => ({
        when: refused('retry', 503, seconds(attempt)),
        then: [called('document', { attempt })],
      })),
      {
        when: refused('retry', 503, seconds(6)),
        then: [{ type: 'document_generation_failed', payload: { reason: 'exhausted' } }],
      },
      { when: asked('nda'), then: [render('nda', 2)] },
    ],
  },
  {
    it: 'says that it cannot when it is refused',
    play: [
      ...begun,
      { when: refused('quota', 402), then: [{ type: 'document_generation_failed', payload: { reason: 'quota' } }] },
    ],
  },
  {
    it: 'takes an answer without a file for a refusal',
    play: [
      ...begun,
      { when: answer({}), then: [{ type: 'document_generation_failed', payload: { reason: 'invalid' } }] },
    ],
  },
  {
    it: 'asks for a lost answer under the same transaction id until it is told (5.3.6)',
    play: [
      ...ndaSending,
      ...[2, 3, 4, 5, 6, 7].map((attempt) => ({
        when: refused('retry', 0, seconds(attempt)),
        then: [
          called('create_envelope', {
            attempt,
            call_id: last('call_requested', 'call_id'),
            request: { transaction_id: last('call_requested', 'call_id') },
            ...(attempt > 5 ? { not_before: seconds(attempt) + 3_600_000 } : {}),
          }),
        ],
      })),
      { when: made('e1', seconds(9)), then: [sent('e1')] },
    ],
  },
  {
    it: 'says that an envelope cannot be made when it is refused',
    play: [
      ...ndaSending,
      { when: refused('auth', 401), then: [{ type: 'document_generation_failed', payload: { reason: 'auth' } }] },
    ],
  },
  {
    it: 'asks for the signed file until it is there (5.3.9)',
    play: [
      ...ndaSent,
      { when: told('e1', 'envelope-completed'), then: [fetchCall('e1')] },
      {
        when: refused('invalid', 404, seconds(21)),
        then: [called('fetch_signed', { attempt: 2, not_before: seconds(3_621) })],
      },
      { when: fetched('nda', seconds(4_000)), then: [signed('nda'), wanted('pricing'), render('pricing')] },
    ],
  },
]

const stays =
  'the envelope may be live, though the signature service never said so: void it there before there is another one'
const hangs = 'the envelope could not be voided: void it at the signature service'

const lost = { as: 'retry', status: 0 } as const

const endless: readonly Scenario[] = [
  {
    it: 'gives up an envelope whose making stays in doubt, and tells a person which one to void (5.3.6)',
    play: [
      ...ndaSending,
      { when: told('e1', 'envelope-sent', {}, seconds(100)) },
      ...failing('create_envelope', lost, [
        asksFor(stays, { transaction_id: last('call_requested', 'call_id'), envelopes_told_of: ['e1'] }),
        { type: 'document_generation_failed', payload: { reason: 'exhausted' } },
      ]),
      { when: { advanceTo: days(60) } },
    ],
  },
  {
    it: 'gives up an envelope that the service never took, and asks nobody',
    play: [
      ...ndaSending,
      ...failing('create_envelope', { as: 'retry', status: 429 }, [
        { type: 'document_generation_failed', payload: { reason: 'exhausted' } },
      ]),
    ],
  },
  {
    it: 'draws up no new version of an envelope that may be live, and tells a person (5.3.4)',
    play: [
      ...ndaSending,
      { when: asked('nda') },
      ...failing('create_envelope', lost, [asksFor(stays), { type: 'document_generation_failed' }]),
    ],
  },
  {
    it: 'stays with the old version when its envelope cannot be voided, and tells a person (5.3.4)',
    play: [
      ...proposalSent,
      { when: asked('proposal', { seats: '20' }), then: [voidCall('e2')] },
      ...failing('void_envelope', { as: 'auth', status: 401 }, [asksFor(hangs, { envelope_id: 'e2' })]),
      { when: told('e2', 'envelope-completed', {}, days(2.5)), then: [fetchCall('e2')] },
    ],
  },
  {
    it: 'expires an envelope that cannot be voided, and tells a person (5.3.7)',
    play: [
      ...ndaSent,
      ...unanswered,
      ...failing('void_envelope', { as: 'retry', status: 503, since: days(31) }, [
        asksFor(hangs),
        expired({ document_type: 'nda' }),
      ]),
      { when: { advanceTo: days(90) } },
    ],
  },
]

export const scenarios: readonly Scenario[] = [...order, ...life, ...clock, ...changes, ...failures, ...endless]
