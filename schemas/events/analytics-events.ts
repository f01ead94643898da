/** Usage, KPIs, revenue movements, cohorts, funnels and forecasts. */

import { callEvents, event, eventTopic } from '../envelope.ts'
import { double, instant, long, oneOf } from '../fields.ts'

export const usageMeters = ['messages', 'voice_minutes', 'tokens', 'documents'] as const

export const analyticsEvents = eventTopic({
  name: 'analytics_events',
  key: 'O',
  retention: 'forever',
  events: {
    /** What was used of one meter in one window. Said again with another quantity it corrects what was said before. */
    usage_aggregated: event(
      {
        meter: oneOf(...usageMeters),
        window_start: instant(),
        window_end: instant(),
        quantity: long(),
        unit_cost: double(),
      },
      'internal',
      {
        meter: 'messages',
        window_start: 1_767_312_000_000,
        window_end: 1_767_315_600_000,
        quantity: 1_200,
        unit_cost: 0.002,
      },
    ),
    ...callEvents,
  },
})
