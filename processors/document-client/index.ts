/** What becomes of a client: whom documents are for, a step of the lifecycle undone, a client forgotten for good. */

import { clientEvents, documentEvents, reviewEvents } from '../../schemas/index.ts'
import { defineProcessor } from '../define.ts'
import { erased } from '../documents/erasure.ts'
import { caughtUp, stepOf, undone, untouched } from '../documents/flow.ts'
import type { DocumentsSettings } from '../documents/settings.ts'
import { documentTypes, documentsState, noted, nothingYet } from '../documents/state.ts'

export const documentClient = (settings: DocumentsSettings) =>
  defineProcessor({
    name: 'document-client',
    reads: clientEvents,
    writes: [documentEvents, reviewEvents],
    state: documentsState,
    handle(state, input, context) {
      const known = state ?? nothingYet
      if (known.status === 'erased') return { state }
      switch (input.event_type) {
        case 'client_created': {
          const now = untouched({ ...known, company: companyOf(input) })
          return stepOf(settings, caughtUp(settings, now, 'nda', 'demo_engaged'))
        }
        case 'compensation_requested': {
          const type = documentTypes.find((one) => one === input.step)
          const once = type === undefined ? null : noted(known, context.eventId)
          if (type === undefined || once === null) return { state }
          const closing = { why: 'compensation', reason: 'compensation' } as const
          return stepOf(settings, undone(settings, untouched(once), type, closing, context))
        }
        case 'client_erased':
          return stepOf(settings, erased(settings, untouched(known), context))
        default:
          return { state }
      }
    },
  })

const unprintable = /[\p{Cc}\u2028\u2029\ufeff]/gu

/** A company as it is kept: what people write about it is cut to what a document needs. */
function companyOf(told: {
  readonly company_name: string
  readonly domain?: string | null
  readonly industry?: string | null
}) {
  const cut = (text: string): string => text.slice(0, 200).toWellFormed().replace(unprintable, ' ').trim()
  return {
    company_name: cut(told.company_name),
    domain: told.domain == null ? null : cut(told.domain),
    industry: told.industry == null ? null : cut(told.industry),
  }
}
