/** What is kept in step with the CRM, both ways. */

import { callEvents, eventTopic } from '../envelope.ts'

export const crmEvents = eventTopic({
  name: 'crm_events',
  key: 'O',
  retention: 'forever',
  events: { ...callEvents },
})
