/** Who did what, when: every event of auth_events, newest first, for those who answer for the organization. */

import { z } from 'zod'
import type { Endpoint, UserPrincipal } from '../http/endpoint.ts'
import { endpoint } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'
import { listQuery, pageOf } from './parameters.ts'
import type { Reader } from './reader.ts'
import { instant, list404 } from './responses.ts'

const entry = z.object({
  event_id: z.string(),
  organization_id: z.uuid(),
  event_type: z.string().meta({ example: 'login_succeeded' }),
  occurred_at: instant,
  actor_type: z.string(),
  actor_id: z.string(),
  user_id: z.string().nullable(),
  ip_hash: z.string().nullable(),
  detail: z.record(z.string(), z.unknown()),
})

const auditQuery = listQuery.extend({
  event_type: z
    .string()
    .regex(/^[a-z_]{1,64}$/)
    .optional(),
})

interface Row {
  readonly event_id: string
  /** Event time: whole milliseconds. */
  readonly occurred_at: Date
}

export function auditEndpoints(reader: Reader): readonly Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/audit-logs',
      summary: 'What happened in your organization, newest first',
      tag: 'organizations',
      auth: 'bearer',
      query: auditQuery,
      response: [
        { status: 200, description: 'A page of the log', schema: pageOf(entry) },
        { status: 403, description: '`forbidden`: for agents, owners and admins' },
        ...list404,
      ],
      handler: async ({ principal, query }) => {
        requireResponsible(principal)
        const page = await reader.page<Row>(principal, query, ['audit-logs'], {
          list: 'audit-logs',
          filters: { event_type: query.event_type },
          fetch: async (client, after, limit) =>
            (
              await client.query<Row>(
                `select event_id, organization_id, event_type, occurred_at, actor_type, actor_id, user_id, ip_hash, detail
                 from lifecycle.audit_logs
                 where ($1::text is null or event_type = $1)
                   and ($2::timestamptz is null or occurred_at < $2 or (occurred_at = $2 and event_id > $3))
                 order by occurred_at desc, event_id limit $4`,
                [query.event_type ?? null, after?.[0] ?? null, after?.[1] ?? null, limit],
              )
            ).rows,
          placeOf: ({ occurred_at, event_id }) => [occurred_at.toISOString(), event_id],
        })
        return { status: 200, body: page }
      },
    }),
  ]
}

function requireResponsible({ userType, role }: UserPrincipal): void {
  if (userType !== 'agent' && role !== 'owner' && role !== 'admin')
    throw new ApiProblem(403, 'forbidden', 'The audit log is for agents, owners and admins.')
}
