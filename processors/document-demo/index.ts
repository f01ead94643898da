/** Somebody takes an interest in the demo: the NDA is asked for, once. */

import { demoEvents, documentEvents } from '../../schemas/index.ts'
import { defineProcessor } from '../define.ts'
import { stepOf, turnOf, untouched } from '../documents/flow.ts'
import type { DocumentsSettings } from '../documents/settings.ts'
import { documentOf, documentsState, noted, nothingYet } from '../documents/state.ts'

export const documentDemo = (settings: DocumentsSettings) =>
  defineProcessor({
    name: 'document-demo',
    reads: demoEvents,
    writes: [documentEvents],
    state: documentsState,
    handle(state, input) {
      const known = state ?? nothingYet
      if (input.event_type !== 'demo_engaged' || known.status === 'erased') return { state }
      // The first interest counts, of whatever demo.
      const first = noted(known, 'engaged')
      if (first === null || documentOf(known, 'nda') !== undefined) return { state }
      return stepOf(settings, turnOf(settings, untouched(first), 'nda', 'demo_engaged'))
    },
  })
