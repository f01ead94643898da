/**
 * A person decided on a document that policy alone may not approve.
 *   approve  it stands, and goes on
 *   edit     a new version with the person's figures, approved by them
 *   reject   it ends; so does one that nobody decided on in time: money is never approved by silence
 *
 * Or on a signed file that could not be fetched: it is tried for again unless somebody lets it go; silence loses no signature.
 */

import { documentEvents, reviewEvents } from '../../schemas/index.ts'
import { defineProcessor } from '../define.ts'
import { rejected } from '../documents/document.ts'
import { fetchDecided } from '../documents/envelope.ts'
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
          if (document.status === 'completed') {
            const letGo = input.decision === 'reject' ? `rejected by ${input.by}` : null
            return stepOf(
              settings,
              placed(settings, untouched(state), fetchDecided({ settings, state, context }, document, letGo)),
            )
          }
          const decision = { kind: input.decision, by: input.by, edits: input.edits }
          return stepOf(settings, decided(settings, untouched(state), document, decision, context))
        }
        case 'review_expired': {
          const document = waitingFor(state, input.review_id)
          if (state === null || document === undefined || input.fallback === 'escalate') return { state }
          if (document.status === 'completed')
            return stepOf(
              settings,
              placed(settings, untouched(state), fetchDecided({ settings, state, context }, document, null)),
            )
          return stepOf(settings, placed(settings, untouched(state), rejected(document, 'nobody decided in time')))
        }
        default:
          return { state }
      }
    },
  })

const waitingFor = (state: DocumentsState | null, reviewId: string) =>
  state?.documents.find(
    ({ status, review_id }) => (status === 'approval' || status === 'completed') && review_id === reviewId,
  )
