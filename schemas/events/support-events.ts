/** Tickets and their service-level clocks. */

import { callEventsKeyedBy, eventTopic } from '../envelope.ts'

export const supportEvents = eventTopic({
  name: 'support_events',
  key: { entity: 'ticket_id' },
  retention: 'forever',
  events: { ...callEventsKeyedBy('ticket_id') },
})
