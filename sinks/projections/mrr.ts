/**
 * What each subscription counted from when on: one point for every fact that says so, never changed. Months and movements
 * follow from the points alone (`sinks/revenue.ts`), in whatever order the facts were told.
 */

import { billingEvents } from '../../schemas/index.ts'
import { defineProjection } from '../projection.ts'
import { defineTable, instant, long, put, text, uuid } from '../table.ts'

export const mrrPointsTable = defineTable('mrr_points', {
  key: { tenant_id: uuid, subscription_id: text, effective_at: instant, event_id: text },
  columns: {
    organization_id: uuid,
    currency: text,
    /** Of one month, in minor units, from then on. */
    mrr: long,
    /** activated · terms · unpaid · paused · resumed · voluntary · payment_failed · compensation · never_paid */
    cause: text,
  },
  appendOnly: true,
})

export const mrr = defineProjection({
  name: 'mrr',
  reads: billingEvents,
  tables: [mrrPointsTable],
  apply(event) {
    const from = 'effective_at' in event ? (event.effective_at ?? event.timestamp) : 0
    switch (event.event_type) {
      case 'subscription_activated':
        return [point(event, from, event.mrr, 'activated')]
      case 'subscription_changed':
        return [point(event, from, event.new_mrr, event.reason ?? 'terms')]
      case 'subscription_canceled':
        return [point(event, from, 0, event.reason)]
      default:
        return []
    }
  },
})

interface Told {
  readonly tenant_id: string
  readonly organization_id: string
  readonly event_id: string
  readonly subscription_id: string
  readonly currency: string
}

const point = (event: Told, effective_at: number, amount: number, cause: string) =>
  put(
    mrrPointsTable,
    {
      tenant_id: event.tenant_id,
      subscription_id: event.subscription_id,
      effective_at,
      event_id: event.event_id,
    },
    { organization_id: event.organization_id, currency: event.currency, mrr: amount, cause },
  )
