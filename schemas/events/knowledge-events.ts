/** Knowledge sources, what was indexed of them, and what was retrieved. */

import { callEventsKeyedBy, eventTopic } from '../envelope.ts'

export const knowledgeEvents = eventTopic({
  name: 'knowledge_events',
  key: { entity: 'source_id' },
  retention: 'forever',
  events: { ...callEventsKeyedBy('source_id') },
})
