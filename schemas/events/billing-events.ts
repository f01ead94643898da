/** Subscriptions, invoices, dunning and usage. */

import { callEvents, eventTopic } from '../envelope.ts'

export const billingEvents = eventTopic({
  name: 'billing_events',
  key: 'O',
  retention: 'forever',
  events: { ...callEvents },
})
