/** Quality, service levels, incidents and the health of providers. */

import { callEventsKeyedBy, eventTopic } from '../envelope.ts'

export const monitoringEvents = eventTopic({
  name: 'monitoring_events',
  key: { entity: 'subject' },
  retention: 'forever',
  events: { ...callEventsKeyedBy('subject') },
})
