/**
 * A person decided on a document that policy alone may not approve.
 *   approve  it stands, and goes on
 *   edit     a new version with the person's figures, approved by them
 *   reject   it ends; so does one that nobody decided on in time: money is never approved by silence
 */

import { documentEvents, reviewEvents } from '../../schemas/index.ts'
import { defineProcessor } from '../define.ts'
import { rejected } from '../documents/document.ts'
import { decided, placed, stepOf, untouched } from '../documents/flow.ts'
import type { DocumentsSettings } from '../documents/settings.ts'
import type { DocumentsState } from '../documents/state.ts'
import { documentsState } from '../documents/state.ts'

export const documentReview = (settings: DocumentsSettings) =>
  defineProcessor({
    name: 'document-review',
    reads: reviewEvents,
    writes: [documentEvents, reviewEvents],
    state: documentsState,
    handle(state, input, context) {
      switch (input.event_type) {
        case 'review_decided': {
          const document = waitingFor(state, input.review_id)
          if (state === null || document === undefined || input.decision === 'escalate') return { state }
          const decision = { kind: input.decision, by: input.by, edits: input.edits }
          return stepOf(settings, decided(settings, untouched(state), document, decision, context))
        }
        case 'review_expired': {
          const document = waitingFor(state, input.review_id)
          if (state === null || document === undefined || input.fallback === 'escalate') return { state }
          return stepOf(settings, placed(settings, untouched(state), rejected(document, 'nobody decided in time')))
        }
        default:
          return { state }
      }
    },
  })

const waitingFor = (state: DocumentsState | null, reviewId: string) =>
  state?.documents.find(({ status, review_id }) => status === 'approval' && review_id === reviewId)
