/** Phone calls, turn by turn. The call pair names the phone call `voice_call_id`, because its `call_id` is the outside call. */

import { callEventsKeyedBy, eventTopic } from '../envelope.ts'

export const voiceEvents = eventTopic({
  name: 'voice_events',
  key: { entity: 'voice_call_id', orEntity: 'call_id' },
  retention: '7d',
  events: { ...callEventsKeyedBy('voice_call_id') },
})
