/** Numbers in brackets are those of `processors/BEHAVIOURS.md`. */

import {
  answer,
  called,
  clientCreated,
  fact,
  live,
  refusal,
  seconds,
  signed,
  start,
  terms,
} from '../billing/scenario-data.ts'
import type { Scenario } from '../define.ts'

export const scenarios: readonly Scenario[] = [
  { it: 'sets up one customer and one subscription for a signed contract (5.4.1)', play: live },
  {
    it: 'orders a contract once, however often its signature is told (5.4.1)',
    play: [...live, { when: signed(seconds(10)) }, { when: signed(seconds(11), { envelope_id: 'env2' }) }],
  },
  {
    it: 'takes no other document for a contract, and none without terms',
    play: [
      { when: clientCreated() },
      { when: signed(start, { document_type: 'nda' }) },
      { when: signed(start, { document_type: 'proposal', document_id: 'doc2' }) },
      { when: signed(start, { terms: null }) },
    ],
  },
  {
    it: "waits for the client's name before it makes a customer",
    play: [
      { when: signed(start), then: [fact('subscription_requested')] },
      { when: clientCreated(seconds(1)), then: [called('create_customer', { company: 'Acme' })] },
    ],
  },
  {
    it: 'changes the running subscription when another contract is signed (5.4.5)',
    play: [
      ...live,
      {
        when: signed(seconds(10), { document_id: 'doc2', terms: { ...terms, quantity: 60, amount: 120_000 } }),
        then: [
          fact('subscription_requested', { document_id: 'doc2' }),
          called('update_subscription', { subscription_id: 'sub_1', quantity: 60, amount: 120_000 }),
        ],
      },
      { when: answer(seconds(11), { subscription_id: 'sub_1', status: 'active' }) },
    ],
  },
  {
    it: 'says that nothing could be set up when the customer is refused',
    play: [
      { when: clientCreated() },
      { when: signed(start), then: [fact('subscription_requested'), called('create_customer')] },
      {
        when: refusal(seconds(1), 'auth'),
        then: [fact('subscription_failed', { document_id: 'doc1', reason: 'auth' })],
      },
    ],
  },
]
