/** Who belongs to an organization, and as what. */

import { authEvents } from '../../schemas/index.ts'
import { defineProjection } from '../projection.ts'
import { defineTable, instant, patch, put, remove, removeAll, text, uuid } from '../table.ts'

export const teamMembershipsTable = defineTable('team_memberships', {
  key: { tenant_id: uuid, organization_id: uuid, user_id: uuid },
  columns: {
    /** owner · admin · member */
    role: text,
    joined_at: instant,
  },
})

export const teamMemberships = defineProjection({
  name: 'team-memberships',
  reads: authEvents,
  tables: [teamMembershipsTable],
  apply(event) {
    const of = { tenant_id: event.tenant_id, organization_id: event.organization_id }
    switch (event.event_type) {
      case 'organization_created':
        return [
          put(
            teamMembershipsTable,
            { ...of, user_id: event.owner_user_id },
            { role: 'owner', joined_at: event.timestamp },
          ),
        ]
      case 'member_added':
        return [
          put(
            teamMembershipsTable,
            { ...of, user_id: event.user_id },
            { role: event.role, joined_at: event.timestamp },
          ),
        ]
      case 'member_role_changed':
        return [patch(teamMembershipsTable, { ...of, user_id: event.user_id }, { role: event.new_role })]
      case 'member_removed':
        return [remove(teamMembershipsTable, { ...of, user_id: event.user_id })]
      case 'organization_deleted':
        return [removeAll(teamMembershipsTable, of)]
      default:
        return []
    }
  },
})
