/** How far the collection of each unpaid invoice has come. */

import { billingEvents } from '../../schemas/index.ts'
import { defineProjection } from '../projection.ts'
import { count, defineTable, instant, nullable, patch, put, text, uuid } from '../table.ts'

export const dunningTable = defineTable('dunning', {
  key: { tenant_id: uuid, invoice_id: text },
  columns: {
    organization_id: uuid,
    /** grace · reminder_1 · reminder_2 · final_notice · restricted · suspended · canceled · recovered · none (not wanted any more) */
    stage: text,
    day: count,
    began_at: instant,
    stage_at: instant,
    ended_at: nullable(instant),
  },
})

export const dunning = defineProjection({
  name: 'dunning',
  reads: billingEvents,
  tables: [dunningTable],
  apply(event) {
    if (event.event_type !== 'dunning_stage_changed') return []
    const key = { tenant_id: event.tenant_id, invoice_id: event.invoice_id }
    const { organization_id, timestamp, from, to: stage, day } = event
    if (from === 'none')
      return [put(dunningTable, key, { organization_id, stage, day, began_at: timestamp, stage_at: timestamp })]
    const over = stage === 'recovered' || stage === 'none' || stage === 'canceled'
    return [patch(dunningTable, key, { stage, day, stage_at: timestamp, ended_at: over ? timestamp : null })]
  },
})
