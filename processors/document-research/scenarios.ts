import type { Expected, Scenario } from '../define.ts'
import {
  begun,
  created,
  drawn,
  engaged,
  fetchCall,
  fetched,
  found,
  generated,
  approved,
  create,
  made,
  ndaSent,
  render,
  researched,
  seconds,
  sent,
  signed,
  told,
  volume,
  wanted,
} from '../documents/scenario-data.ts'

const signedNow = (then: readonly Expected[]): Scenario['play'] => [
  { when: told('e1', 'envelope-completed'), then: [fetchCall('e1')] },
  { when: fetched('nda'), then: [signed('nda'), ...then] },
]
const ndaOnWay: Scenario['play'] = [
  { when: created },
  { when: engaged(), then: [wanted('nda'), render('nda')] },
  { when: drawn('nda'), then: [generated('nda'), approved(), create()] },
  { when: made('e1'), then: [sent('e1')] },
]
const firstOffer = (seats: string, conversations: string): readonly Expected[] => [
  wanted('pricing', { inputs: { seats, conversations, interval: 'month', discount_basis_points: '0' } }),
  render('pricing'),
]

export const scenarios: readonly Scenario[] = [
  {
    it: 'makes the first offer from the predicted volume',
    play: [...ndaSent, ...signedNow(firstOffer('10', '4000'))],
  },
  {
    it: 'takes the surest of several findings, and the last word on each',
    play: [
      { when: found('volume_prediction', { monthly_conversations: 9_000 }, 0.6, 'f1') },
      { when: volume },
      { when: found('volume_prediction', { monthly_conversations: 8_000 }, 0.7, 'f1') },
      { when: researched },
      ...ndaOnWay,
      ...signedNow(firstOffer('10', '4000')),
    ],
  },
  {
    it: 'forgets a finding that was withdrawn, and goes by the number of people',
    play: [
      { when: volume },
      { when: found('company_info', { employees: 120 }) },
      { when: found('volume_prediction', { monthly_conversations: 4_000 }, 0) },
      { when: researched },
      ...ndaOnWay,
      ...signedNow(firstOffer('10', '2000')),
    ],
  },
  {
    it: 'offers the least where nothing usable was found',
    play: [
      { when: found('volume_prediction', { monthly_conversations: 'many' }) },
      { when: found('company_info', null) },
      { when: found('pricing', { starting_price: 49 }) },
      { when: researched },
      ...ndaOnWay,
      ...signedNow(firstOffer('3', '600')),
    ],
  },
  {
    it: 'waits with pricing until research is read',
    play: [
      ...ndaOnWay,
      ...signedNow([]),
      { when: volume },
      { when: researched, then: firstOffer('10', '4000') },
      { when: { ...researched, at: seconds(90) } },
    ],
  },
  { it: 'begins nothing by itself', play: begun.slice(0, 3) },
]
