import type { Scenario } from '../define.ts'
import { begun, created, engaged, ndaSigned, render, seconds, wanted } from '../documents/scenario-data.ts'

export const scenarios: readonly Scenario[] = [
  { it: 'asks for the NDA when somebody takes an interest in the demo (5.2.5, 4.5.1)', play: begun },
  {
    it: 'asks for it once, whatever demo is looked at later',
    play: [...begun, { when: engaged(seconds(9), 'd2') }],
  },
  { it: 'asks for nothing once the NDA is signed', play: [...ndaSigned, { when: engaged(seconds(40), 'd3') }] },
  {
    it: 'waits until it knows whom the NDA is for',
    play: [{ when: engaged() }, { when: created, then: [wanted('nda', { reason: 'demo_engaged' }), render('nda')] }],
  },
]
