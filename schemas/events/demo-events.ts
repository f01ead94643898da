/** Demos generated for a prospect, and what its people did with them. */

import { callEvents, eventTopic } from '../envelope.ts'

export const demoEvents = eventTopic({
  name: 'demo_events',
  key: 'O',
  retention: 'forever',
  events: { ...callEvents },
})
