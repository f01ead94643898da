/** NDA, pricing, proposal and contract, from request to signature. */

import { callEvents, eventTopic } from '../envelope.ts'

export const documentEvents = eventTopic({
  name: 'document_events',
  key: 'O',
  retention: 'forever',
  events: { ...callEvents },
})
