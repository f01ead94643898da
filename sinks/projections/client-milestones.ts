/** Which steps of its lifecycle each client has finished, and when: what funnels are counted from. */

import { clientEvents } from '../../schemas/index.ts'
import { defineProjection } from '../projection.ts'
import { defineTable, instant, long, put, removeAll, text, uuid } from '../table.ts'

export const clientMilestonesTable = defineTable('client_milestones', {
  key: { tenant_id: uuid, organization_id: uuid, step: text },
  columns: {
    reached_at: instant,
    /** Since the step began. */
    ms: long,
  },
})

export const clientMilestones = defineProjection({
  name: 'client-milestones',
  reads: clientEvents,
  tables: [clientMilestonesTable],
  apply(event) {
    const { tenant_id, organization_id } = event
    switch (event.event_type) {
      case 'step_completed':
        return [
          put(
            clientMilestonesTable,
            { tenant_id, organization_id, step: event.step },
            { reached_at: event.timestamp, ms: event.ms },
          ),
        ]
      case 'client_erased':
        return [removeAll(clientMilestonesTable, { tenant_id, organization_id })]
      default:
        return []
    }
  },
})
