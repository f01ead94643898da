/** Usage, KPIs, revenue movements, cohorts, funnels and forecasts. */

import { callEvents, eventTopic } from '../envelope.ts'

export const analyticsEvents = eventTopic({
  name: 'analytics_events',
  key: 'O',
  retention: 'forever',
  events: { ...callEvents },
})
