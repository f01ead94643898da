/** All organizations the asker may see, each with the stage it stands in. */

import { z } from 'zod'
import { stages } from '../../schemas/index.ts'
import type { Endpoint } from '../http/endpoint.ts'
import { endpoint } from '../http/endpoint.ts'
import { isUuid, listQuery, pageOf } from './parameters.ts'
import type { Reader } from './reader.ts'
import { instant, list404, maybeInstant } from './responses.ts'

const card = z.object({
  organization_id: z.uuid(),
  company_name: z.string().nullable().meta({ example: 'Acme' }),
  domain: z.string().nullable(),
  industry: z.string().nullable(),
  stage: z.string().nullable().meta({ description: 'Null while the lifecycle has not begun', example: 'researching' }),
  stage_at: maybeInstant,
  status: z.enum(['running', 'compensating', 'completed', 'aborted']).nullable(),
  current_step: z.string().nullable(),
  step_status: z.string().nullable(),
  deadline: maybeInstant,
  waiting_reviews: z.int().meta({ description: 'Decisions that wait for a person' }),
  created_at: instant.nullable(),
})
type Card = z.infer<typeof card>

const boardQuery = listQuery.extend({
  stage: z.enum(stages).optional(),
  organization_id: z
    .string()
    .refine(isUuid, 'expected a UUID')
    .optional()
    .meta({ description: 'This one alone; the list is empty when it is not yours' }),
})

type Row = Omit<Card, 'stage_at' | 'deadline' | 'created_at'> & {
  readonly stage_at: Date | null
  readonly deadline: Date | null
  readonly created_at: Date | null
}

export function boardEndpoint(reader: Reader): Endpoint {
  return endpoint({
    method: 'get',
    path: '/lifecycle',
    summary: 'Organizations by the stage they stand in',
    tag: 'lifecycle',
    auth: 'bearer',
    query: boardQuery,
    response: [{ status: 200, description: 'In order of their id', schema: pageOf(card) }, ...list404],
    handler: async ({ principal, query }) => ({
      status: 200,
      body: await reader.page<Row>(principal, query, ['organizations', 'lifecycle-instances', 'review-queue'], {
        list: 'board',
        filters: { stage: query.stage, organization_id: query.organization_id },
        fetch: async (client, after, limit) =>
          (
            await client.query<Row>(
              `select o.organization_id, o.company_name, o.domain, o.industry, i.stage, i.stage_at, i.status, i.current_step,
                 s.status as step_status, s.deadline, o.created_at,
                 (select count(*)::int from lifecycle.review_queue r where r.tenant_id = o.tenant_id
                    and r.organization_id = o.organization_id and r.status in ('open', 'claimed')) as waiting_reviews
               from lifecycle.organizations o
               left join lifecycle.lifecycle_instances i using (tenant_id, organization_id)
               left join lifecycle.lifecycle_steps s on s.tenant_id = o.tenant_id and s.organization_id = o.organization_id
                 and s.step = i.current_step
               where o.organization_id > $1 and ($2::text is null or i.stage = $2)
                 and ($3::uuid is null or o.organization_id = $3)
               order by o.organization_id limit $4`,
              [
                after?.[0] ?? '00000000-0000-0000-0000-000000000000',
                query.stage ?? null,
                query.organization_id ?? null,
                limit,
              ],
            )
          ).rows,
        placeOf: ({ organization_id }) => [organization_id],
      }),
    }),
  })
}
