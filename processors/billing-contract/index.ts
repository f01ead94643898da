/** A signed contract with terms is ordered, once: its document is what tells a second delivery from another contract. */

import { billingEvents, documentEvents } from '../../schemas/index.ts'
import { billingState, nothingYet } from '../billing/state.ts'
import { defineProcessor, emit } from '../define.ts'

const remembered = 20

export const billingContract = () =>
  defineProcessor({
    name: 'billing-contract',
    reads: documentEvents,
    writes: [billingEvents],
    state: billingState,
    handle(state, input) {
      if (input.event_type !== 'document_signed' || input.document_type !== 'contract') return { state }
      const known = state ?? nothingYet
      const { document_id, terms, signed_at } = input
      if (terms == null || known.status === 'erased' || known.contracts.includes(document_id)) return { state }
      return {
        state: { ...known, contracts: [...known.contracts, document_id].slice(-remembered) },
        emit: [emit(billingEvents, 'subscription_requested', { document_id, ...terms, start: signed_at })],
      }
    },
  })
