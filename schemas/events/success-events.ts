/** Health, churn risk, calls to action, reviews and renewals. */

import { callEvents, eventTopic } from '../envelope.ts'

export const successEvents = eventTopic({
  name: 'success_events',
  key: 'O',
  retention: 'forever',
  events: { ...callEvents },
})
