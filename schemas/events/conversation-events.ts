/** Chat: messages, replies, tools, interrupts, escalations. */

import { callEventsKeyedBy, eventTopic } from '../envelope.ts'

export const conversationEvents = eventTopic({
  name: 'conversation_events',
  key: { entity: 'conversation_id' },
  retention: 'forever',
  events: { ...callEventsKeyedBy('conversation_id') },
})
