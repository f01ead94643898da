/**
 * Drives the documents on their own topic: requests begin a version, answers and what the signature service tells move
 * it, and time reminds and expires it. Facts the service wrote itself come back here and are ignored.
 */

import { documentEvents, reviewEvents } from '../../schemas/index.ts'
import { defineProcessor } from '../define.ts'
import { removalAnswered, strayFiles } from '../documents/erasure.ts'
import { answeredCall, documentsDue, dueAt, heardOf, requested, stepOf, untouched } from '../documents/flow.ts'
import type { DocumentsSettings } from '../documents/settings.ts'
import { documentsState, noted, nothingYet } from '../documents/state.ts'

export const documentEnvelope = (settings: DocumentsSettings) =>
  defineProcessor({
    name: 'document-envelope',
    reads: documentEvents,
    writes: [documentEvents, reviewEvents],
    state: documentsState,
    timers: [documentsDue],
    handle(state, input, context) {
      const known = state ?? nothingYet
      const active = known.status === 'active'
      switch (input.event_type) {
        case 'document_requested': {
          const once = active ? noted(known, context.eventId) : null
          if (once === null) return { state }
          const wish = { type: input.document_type, inputs: input.inputs, own: input.source === 'documents' }
          return stepOf(settings, requested(settings, untouched(once), wish, context))
        }
        case 'envelope_webhook_received': {
          const once = noted(known, input.delivery_id)
          if (once === null || known.documents.length === 0) return { state }
          const { envelope_id, event, generated_at, recipient = null, reason = null } = input
          const told = { envelope_id, event, generated_at, recipient: cut(recipient), reason: cut(reason) }
          return stepOf(settings, heardOf(settings, untouched(once), told, context))
        }
        case 'call_answered': {
          const draft = untouched(known)
          const moved =
            (active
              ? null
              : (removalAnswered(settings, known, input, context) ?? strayFiles(settings, draft, input, context))) ??
            answeredCall(settings, draft, input, context)
          return moved.state === known ? { state } : stepOf(settings, moved)
        }
        case '$timer':
          return stepOf(settings, dueAt(settings, untouched(known), input.due_at, context))
        default:
          return { state }
      }
    },
  })

/** What people and providers write is cut before it is kept. */
const cut = (text: string | null): string | null => (text === null ? null : text.slice(0, 500).toWellFormed())
