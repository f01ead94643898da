/** Service 3, sales documents: NDA, pricing, proposal and contract, drawn up, approved, sent and signed. */

import { defineService } from '../define.ts'
import { documentClient } from '../document-client/index.ts'
import { documentDemo } from '../document-demo/index.ts'
import { documentEnvelope } from '../document-envelope/index.ts'
import { documentResearch } from '../document-research/index.ts'
import { documentReview } from '../document-review/index.ts'
import type { DocumentsSettings } from './settings.ts'
import { documentsDefaults } from './settings.ts'

export { documentsDefaults } from './settings.ts'
export type { DocumentsSettings } from './settings.ts'

export const documentsService = (settings: DocumentsSettings = documentsDefaults) =>
  defineService('documents', [
    documentResearch(settings),
    documentDemo(settings),
    documentClient(settings),
    documentEnvelope(settings),
    documentReview(settings),
  ])
