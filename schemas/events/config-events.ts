/** Configurations: generated, validated, published, rolled back, applied. */

import { callEvents, eventTopic } from '../envelope.ts'

export const configEvents = eventTopic({
  name: 'config_events',
  key: 'O',
  retention: 'forever',
  events: { ...callEvents },
})
