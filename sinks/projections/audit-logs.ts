/** Every event of auth_events as one row that is never changed: who did what, when, from where. */

import { authEvents, impersonalPayload } from '../../schemas/index.ts'
import type { Json } from '../../schemas/index.ts'
import { defineProjection } from '../projection.ts'
import { defineTable, instant, json, nullable, put, text, uuid } from '../table.ts'

export const auditLogsTable = defineTable('audit_logs', {
  key: { tenant_id: uuid, event_id: text },
  columns: {
    organization_id: uuid,
    event_type: text,
    occurred_at: instant,
    actor_type: text,
    actor_id: text,
    /** The person the event is about, where it names one. */
    user_id: nullable(text),
    ip_hash: nullable(text),
    /** The payload without its personal fields. */
    detail: json,
  },
  appendOnly: true,
})

export const auditLogs = defineProjection({
  name: 'audit-logs',
  reads: authEvents,
  tables: [auditLogsTable],
  apply(event) {
    const detail = impersonalPayload(authEvents.events[event.event_type], event)
    return [
      put(
        auditLogsTable,
        { tenant_id: event.tenant_id, event_id: event.event_id },
        {
          organization_id: event.organization_id,
          event_type: event.event_type,
          occurred_at: event.timestamp,
          actor_type: event.actor.type,
          actor_id: event.actor.id,
          user_id: textOr(detail['user_id']),
          ip_hash: textOr(detail['ip_hash']),
          detail,
        },
      ),
    ]
  },
})

const textOr = (value: Json | undefined): string | null => (typeof value === 'string' ? value : null)
