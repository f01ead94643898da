/** Where each client stands in its lifecycle, and how each step went. */

import { clientEvents } from '../../schemas/index.ts'
import type { EventOf } from '../../schemas/index.ts'
import { defineProjection } from '../projection.ts'
import { count, defineTable, instant, json, long, nullable, patch, put, removeAll, text, uuid } from '../table.ts'
import type { RowChange } from '../table.ts'

export const lifecycleInstancesTable = defineTable('lifecycle_instances', {
  key: { tenant_id: uuid, organization_id: uuid },
  columns: {
    /** The correlation id of everything that belongs to it. */
    lifecycle_id: text,
    template: text,
    template_version: count,
    stage: nullable(text),
    stage_reason: nullable(text),
    stage_at: nullable(instant),
    current_step: nullable(text),
    /** running · compensating · completed · aborted */
    status: text,
    started_at: instant,
    ended_at: nullable(instant),
    ms: nullable(long),
    abort_reason: nullable(text),
    compensated: nullable(json),
  },
})

export const lifecycleStepsTable = defineTable('lifecycle_steps', {
  key: { tenant_id: uuid, organization_id: uuid, step: text },
  columns: {
    /** started · completed · failed · timed_out · compensating · compensation_failed · compensated */
    status: text,
    started_at: instant,
    deadline: instant,
    ended_at: nullable(instant),
    ms: nullable(long),
    failure_class: nullable(text),
    failed_attempts: nullable(count),
  },
})

type ClientEvent = EventOf<typeof clientEvents.events>

export const lifecycleInstances = defineProjection({
  name: 'lifecycle-instances',
  reads: clientEvents,
  tables: [lifecycleInstancesTable, lifecycleStepsTable],
  apply: (event) => [...instanceChanges(event), ...stepChanges(event)],
})

function instanceChanges(event: ClientEvent): readonly RowChange[] {
  const key = { tenant_id: event.tenant_id, organization_id: event.organization_id }
  const change = (
    values: Parameters<typeof patch<typeof lifecycleInstancesTable.key, typeof lifecycleInstancesTable.columns>>[2],
  ) => [patch(lifecycleInstancesTable, key, values)]
  switch (event.event_type) {
    case 'lifecycle_started':
      return [
        put(lifecycleInstancesTable, key, {
          lifecycle_id: event.correlation_id,
          template: event.template,
          template_version: event.version,
          status: 'running',
          started_at: event.timestamp,
        }),
      ]
    case 'stage_changed':
      return change({ stage: event.to, stage_reason: event.reason, stage_at: event.timestamp })
    case 'step_started':
      return change({ current_step: event.step })
    case 'compensation_started':
      return change({ status: 'compensating', abort_reason: event.reason })
    case 'lifecycle_completed':
      return change({ status: 'completed', ended_at: event.timestamp, ms: event.ms })
    case 'lifecycle_aborted':
      return change({
        status: 'aborted',
        ended_at: event.timestamp,
        abort_reason: event.reason,
        compensated: event.compensated,
      })
    case 'client_erased':
      return [removeAll(lifecycleInstancesTable, key), removeAll(lifecycleStepsTable, key)]
    default:
      return []
  }
}

function stepChanges(event: ClientEvent): readonly RowChange[] {
  if (!('step' in event)) return []
  const key = { tenant_id: event.tenant_id, organization_id: event.organization_id, step: event.step }
  switch (event.event_type) {
    case 'step_started':
      return [
        put(lifecycleStepsTable, key, { status: 'started', started_at: event.timestamp, deadline: event.deadline }),
      ]
    case 'step_completed':
      return [patch(lifecycleStepsTable, key, { status: 'completed', ended_at: event.timestamp, ms: event.ms })]
    case 'step_failed':
      return [
        patch(lifecycleStepsTable, key, {
          status: 'failed',
          ended_at: event.timestamp,
          failure_class: event.class,
          failed_attempts: event.attempt,
        }),
      ]
    case 'step_timed_out':
      return [patch(lifecycleStepsTable, key, { status: 'timed_out', ended_at: event.timestamp })]
    case 'compensation_requested':
      return [patch(lifecycleStepsTable, key, { status: 'compensating' })]
    case 'compensation_step_failed':
      return [patch(lifecycleStepsTable, key, { status: 'compensation_failed', failure_class: event.class })]
    case 'compensation_step_done':
      return [patch(lifecycleStepsTable, key, { status: 'compensated' })]
    default:
      return []
  }
}
