/** Requirements, asked for and agreed in conversation. */

import { callEvents, eventTopic } from '../envelope.ts'

export const prdEvents = eventTopic({
  name: 'prd_events',
  key: 'O',
  retention: 'forever',
  events: { ...callEvents },
})
