/** The organizations a tenant has: one row each. */

import { authEvents } from '../../schemas/index.ts'
import type { Json } from '../../schemas/index.ts'
import { defineProjection } from '../projection.ts'
import { defineTable, instant, nullable, patch, put, remove, text, uuid } from '../table.ts'

export const organizationsTable = defineTable('organizations', {
  key: { tenant_id: uuid, organization_id: uuid },
  columns: {
    company_name: text,
    domain: nullable(text),
    industry: nullable(text),
    owner_user_id: uuid,
    plan_hint: nullable(text),
    /** active · suspended */
    status: text,
    suspended_reason: nullable(text),
    created_at: instant,
  },
})

export const organizations = defineProjection({
  name: 'organizations',
  reads: authEvents,
  tables: [organizationsTable],
  apply(event) {
    const key = { tenant_id: event.tenant_id, organization_id: event.organization_id }
    switch (event.event_type) {
      case 'organization_created':
        return [
          put(organizationsTable, key, {
            company_name: event.company_name,
            domain: event.domain ?? null,
            industry: event.industry ?? null,
            owner_user_id: event.owner_user_id,
            plan_hint: event.plan_hint ?? null,
            status: 'active',
            created_at: event.timestamp,
          }),
        ]
      case 'organization_updated':
        return [patch(organizationsTable, key, changedColumns(event.changed))]
      case 'organization_suspended':
        return [patch(organizationsTable, key, { status: 'suspended', suspended_reason: event.reason })]
      case 'organization_deleted':
        return [remove(organizationsTable, key)]
      default:
        return []
    }
  },
})

/** `changed` is free in form; only these columns follow it, and only with text. */
function changedColumns(changed: Json | undefined): { company_name?: string; domain?: string; industry?: string } {
  if (changed === undefined || changed === null || typeof changed !== 'object' || Array.isArray(changed)) return {}
  const names = ['company_name', 'domain', 'industry'] as const
  const of = changed as Readonly<Record<string, Json>>
  return Object.fromEntries(names.filter((name) => typeof of[name] === 'string').map((name) => [name, of[name]]))
}
