/** Organizations the asker may see: a client its own, an agent those assigned. */

import { z } from 'zod'
import type { Endpoint } from '../http/endpoint.ts'
import { endpoint } from '../http/endpoint.ts'
import { listQuery, pageOf, readQuery } from './parameters.ts'
import type { OrganizationRow, Reader } from './reader.ts'
import { visibleOrganization } from './reader.ts'
import { instant, list404, read404 } from './responses.ts'

const projections = ['organizations']

const organization = z.object({
  tenant_id: z.uuid(),
  organization_id: z.uuid(),
  company_name: z.string().meta({ example: 'Acme' }),
  domain: z.string().nullable(),
  industry: z.string().nullable(),
  plan_hint: z.string().nullable(),
  status: z.enum(['active', 'suspended']),
  suspended_reason: z.string().nullable(),
  owner_user_id: z.uuid(),
  created_at: instant,
})

export function organizationEndpoints(reader: Reader): readonly Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/organizations',
      summary: 'Organizations you may see',
      tag: 'organizations',
      auth: 'any',
      scope: 'read',
      query: listQuery,
      response: [{ status: 200, description: 'In order of their id', schema: pageOf(organization) }, ...list404],
      handler: async ({ principal, query }) => ({
        status: 200,
        body: await reader.page<OrganizationRow>(principal, query, projections, {
          list: 'organizations',
          fetch: async (client, after, limit) =>
            (
              await client.query<OrganizationRow>(
                `select tenant_id, organization_id, company_name, domain, industry, plan_hint, status, suspended_reason,
                   owner_user_id, created_at
                 from lifecycle.organizations where organization_id > $1 order by organization_id limit $2`,
                [after?.[0] ?? '00000000-0000-0000-0000-000000000000', limit],
              )
            ).rows,
          placeOf: ({ organization_id }) => [organization_id],
        }),
      }),
    }),
    endpoint({
      method: 'get',
      path: '/organizations/:id',
      summary: 'One organization',
      tag: 'organizations',
      auth: 'any',
      scope: 'read',
      query: readQuery,
      response: [{ status: 200, description: 'The organization', schema: organization }, ...read404],
      handler: async ({ principal, query, params }) => ({
        status: 200,
        body: await reader.read(principal, query, projections, (client) =>
          visibleOrganization(client, params.id ?? ''),
        ),
      }),
    }),
  ]
}
