import type { Scenario } from '../define.ts'
import {
  answer,
  approved,
  asked,
  asksFor,
  begun,
  called,
  compensate,
  contractSent,
  create,
  created,
  days,
  drawn,
  ended,
  engaged,
  erase,
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
  reviewed,
  seconds,
  sent,
  told,
  voidCall,
  voided,
} from '../documents/scenario-data.ts'

const undone: readonly Scenario[] = [
  {
    it: 'voids an envelope that is out, and says so when it is (4.5.5, 4.5.8)',
    play: [
      ...contractSent,
      { when: compensate('contract'), then: [voidCall('e3')] },
      { when: compensate('contract', 2) },
      { when: isVoided(), then: [voided('contract')] },
      { when: compensate('contract', 3, seconds(103)), then: [voided('contract')] },
      { when: told('e3', 'envelope-voided', {}, seconds(104)) },
    ],
  },
  {
    it: 'voids an envelope that is made after the void was asked',
    play: [
      ...ndaSending,
      { when: compensate('nda') },
      { when: made('e1', seconds(101)), then: [sent('e1'), voidCall('e1')] },
      { when: isVoided(), then: [voided('nda')] },
    ],
  },
  {
    it: 'asks again for an envelope whose making is in doubt, then voids it',
    play: [
      ...ndaSending,
      { when: refused('retry', 0), then: [called('create_envelope', { attempt: 2 })] },
      { when: compensate('nda') },
      { when: refused('auth', 401, seconds(101)), then: [called('create_envelope', { attempt: 3 })] },
      { when: made('e1', seconds(102)), then: [sent('e1'), voidCall('e1')] },
      { when: isVoided(), then: [voided('nda')] },
    ],
  },
  {
    it: 'has nothing to void when no envelope was made',
    play: [
      ...ndaSending,
      { when: compensate('nda') },
      { when: refused('invalid', 400, seconds(101)), then: [voided('nda')] },
    ],
  },
  {
    it: 'keeps trying to void while the service refuses or is away',
    play: [
      ...ndaSent,
      { when: compensate('nda'), then: [voidCall('e1')] },
      {
        when: refused('auth', 401, seconds(101)),
        then: [called('void_envelope', { attempt: 2, not_before: seconds(3_701) })],
      },
      { when: refused('retry', 503, seconds(4_000)), then: [called('void_envelope', { attempt: 3 })] },
      { when: isVoided(), then: [voided('nda')] },
    ],
  },
  {
    it: 'has done with an envelope that cannot be voided, and tells a person',
    play: [
      ...ndaSent,
      { when: compensate('nda'), then: [voidCall('e1')] },
      ...failing('void_envelope', { as: 'retry', status: 503 }, [
        asksFor('the envelope could not be voided: void it at the signature service', { envelope_id: 'e1' }),
        voided('nda'),
      ]),
      { when: told('e1', 'envelope-completed', {}, days(3)), then: [ignored('completed', 'voided')] },
    ],
  },
  {
    it: 'takes an envelope that the service does not know for over',
    play: [
      ...ndaSent,
      { when: compensate('nda'), then: [voidCall('e1')] },
      { when: refused('invalid', 404, seconds(101)), then: [voided('nda')] },
    ],
  },
  {
    it: 'tells a person when all had signed before the void: nothing is signed any more',
    play: [
      ...contractSent,
      { when: compensate('contract'), then: [voidCall('e3')] },
      { when: told('e3', 'envelope-completed', {}, seconds(101)) },
      { when: ended('completed', seconds(102)), then: [reviewed, voided('contract')] },
      { when: told('e3', 'envelope-completed', {}, seconds(103)), then: [ignored('completed', 'voided')] },
    ],
  },
  {
    it: 'takes back a signed document, an approved price and a draft without asking anybody (4.5.9)',
    play: [
      ...proposalSent.slice(0, -2),
      { when: compensate('proposal'), then: [voided('proposal')] },
      { when: compensate('pricing'), then: [voided('pricing')] },
      { when: compensate('nda'), then: [voided('nda')] },
      { when: asked('pricing'), then: [ignored('requested before the nda is signed', 'voided')] },
    ],
  },
  {
    it: 'drops the signed file of a document that was taken back meanwhile',
    play: [
      ...ndaSent,
      { when: told('e1', 'envelope-completed'), then: [fetchCall('e1')] },
      { when: compensate('nda'), then: [voided('nda')] },
      { when: fetched('nda', seconds(101)) },
    ],
  },
  {
    it: 'answers for a step that has no document, and begins none later',
    play: [
      { when: created },
      { when: compensate('nda'), then: [voided('nda')] },
      { when: engaged(seconds(110)) },
      { when: compensate('research') },
    ],
  },
]

const removed = (keys: readonly string[]) => called('remove', { provider: 'rendering', request: { keys } })

const gone: readonly Scenario[] = [
  {
    it: 'voids, removes and forgets an erased client; late events start nothing',
    play: [
      ...proposalSent,
      {
        when: erase(),
        then: [
          voided('nda', 'erased'),
          voided('pricing', 'erased'),
          voidCall('e2'),
          removed(['nda', 'nda-signed', 'nda-certificate', 'pricing', 'proposal']),
        ],
      },
      { when: answer(null, seconds(201)) },
      { when: engaged(seconds(210), 'd9') },
      { when: asked('nda', {}, seconds(211)) },
      { when: created },
      { when: compensate('nda', 1, seconds(212)) },
      { when: told('e1', 'envelope-completed', {}, seconds(213)) },
    ],
  },
  {
    it: 'voids an envelope that is made after its client is gone',
    play: [
      ...ndaSending,
      { when: erase(), then: [removed(['nda'])] },
      { when: refused('retry', 503, seconds(201)), then: [called('remove', { attempt: 2 })] },
      { when: answer(null, seconds(202)) },
    ],
  },
  {
    it: 'removes a file that is drawn up after its client is gone',
    play: [
      ...begun,
      { when: erase() },
      { when: drawn('nda', seconds(201)), then: [voided('nda', 'erased'), removed(['nda'])] },
      {
        when: refused('auth', 401, seconds(202)),
        then: [called('remove', { attempt: 2, not_before: seconds(3_802) })],
      },
      { when: answer(null, seconds(4_000)) },
    ],
  },
  {
    it: 'removes a signed file that is fetched after its client is gone',
    play: [
      ...ndaSent,
      { when: told('e1', 'envelope-completed'), then: [fetchCall('e1')] },
      { when: erase(), then: [removed(['nda'])] },
    ],
  },
]

export const scenarios: readonly Scenario[] = [
  ...undone,
  ...gone,
  {
    it: 'knows a price that is not asked for yet',
    play: [...pricingApproved.slice(0, 1), { when: ndaSigned[1]!.when }],
  },
  {
    it: 'keeps a ref as it was told, and nothing more',
    play: [
      ...begun,
      {
        when: answer({ ref: { ...ref('nda'), more: 1 } }),
        then: [generated('nda', { ref: ref('nda') }), approved(), create()],
      },
    ],
  },
]
