/** Documents that wait for a signature of the client's: told of when they are sent, and when the reminder is due. */

import { communicationEvents, documentEvents } from '../../schemas/index.ts'
import { defineProcessor } from '../define.ts'
import type { OutreachState } from '../outreach/state.ts'
import { nothingYet, outreachState } from '../outreach/state.ts'
import { dayOf, write } from '../outreach/write.ts'

const documentsKept = 30

const names: Readonly<Record<string, string>> = {
  nda: 'non-disclosure agreement',
  pricing: 'price sheet',
  proposal: 'proposal',
  contract: 'contract',
}

export const outreachDocument = () =>
  defineProcessor({
    name: 'outreach-document',
    reads: documentEvents,
    writes: [communicationEvents],
    state: outreachState,
    handle(state, input, context) {
      if (state?.closed === true) return { state }
      const known = state ?? nothingYet
      switch (input.event_type) {
        case 'document_generated': {
          const { document_id, document_type } = input
          return { state: noted(known, { document_id, document_type, envelope_id: envelopeOf(known, document_id) }) }
        }
        case 'envelope_sent': {
          const { document_id, envelope_id, expires_at } = input
          const next = noted(known, { document_id, document_type: typeOf(known, document_id), envelope_id })
          if (!input.recipients.some(({ role }) => role === 'client')) return { state: next }
          const data = { document: nameOf(next, document_id), expires: dayOf(expires_at) }
          const key = `document:${envelope_id}`
          return write(next, { key, template: 'document_to_sign', purpose: 'transactional', data }, context)
        }
        case 'reminder_due': {
          const { document_id, n, recipient } = input
          const envelope_id = envelopeOf(known, document_id)
          if (recipient !== 'client' || envelope_id === '') return { state }
          const key = `document_reminder:${envelope_id}:${String(n)}`
          const data = { document: nameOf(known, document_id) }
          return write(known, { key, template: 'document_reminder', purpose: 'transactional', data }, context)
        }
        case 'document_signed':
        case 'document_declined':
        case 'document_voided':
        case 'document_expired': {
          const { document_id } = input
          if (envelopeOf(known, document_id) === '') return { state }
          return { state: noted(known, { document_id, document_type: typeOf(known, document_id), envelope_id: '' }) }
        }
        default:
          return { state }
      }
    },
  })

type Document = OutreachState['documents'][number]

const find = ({ documents }: OutreachState, id: string): Document | undefined =>
  documents.find(({ document_id }) => document_id === id)
const typeOf = (state: OutreachState, id: string): string => find(state, id)?.document_type ?? ''
/** The envelope that is open; empty when there is none. */
const envelopeOf = (state: OutreachState, id: string): string => find(state, id)?.envelope_id ?? ''
const nameOf = (state: OutreachState, id: string): string => names[typeOf(state, id)] ?? 'document'

function noted(state: OutreachState, document: Document): OutreachState {
  const others = state.documents.filter(({ document_id }) => document_id !== document.document_id)
  return { ...state, documents: [...others, document].slice(-documentsKept) }
}
