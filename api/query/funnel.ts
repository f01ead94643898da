/** The way from a demo to a paying client: by month of the demo, and organization by organization. */

import { z } from 'zod'
import type { Endpoint } from '../http/endpoint.ts'
import { endpoint } from '../http/endpoint.ts'
import { listQuery, pageOf } from './parameters.ts'
import type { Reader } from './reader.ts'
import { instant, list404, maybeInstant } from './responses.ts'

const cohort = z.object({
  month: z.string().meta({ description: 'In which the demos were first published, UTC', example: '2026-01' }),
  published: z.int(),
  engaged: z.int(),
  nda_signed: z.int(),
  contract_signed: z.int(),
  paid: z.int(),
  demo_to_nda: z.number().meta({ description: 'Signed NDAs per published demo, 0 to 1', example: 0.3 }),
})

const way = z.object({
  organization_id: z.uuid(),
  demo_id: z.string(),
  demo_at: instant,
  engaged_at: maybeInstant,
  nda_at: maybeInstant,
  signed_at: maybeInstant.meta({ description: 'The contract' }),
  paid_at: maybeInstant.meta({ description: 'The subscription became active' }),
})

const answer = pageOf(way).extend({
  cohorts: z.array(cohort).meta({ description: 'Newest first, at most 24 months' }),
})

const projections = ['demos', 'client-milestones']

export function funnelEndpoints(reader: Reader): readonly Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/funnel',
      summary: 'How far demos led: NDA, contract, payment',
      tag: 'demos',
      auth: 'bearer',
      query: listQuery,
      response: [{ status: 200, description: 'Cohorts, and a page of organizations', schema: answer }, ...list404],
      handler: async ({ principal, query }) => {
        const page = await reader.page<WayRow>(principal, query, projections, {
          list: 'funnel',
          fetch: async (client, after, limit) => {
            const { rows } = await client.query<WayRow>(
              `select organization_id, demo_id, demo_at, engaged_at, nda_at, signed_at, paid_at
               from lifecycle.client_funnel where $1::timestamptz is null or (demo_at, demo_id) < ($1, $2)
               order by demo_at desc, demo_id desc limit $3`,
              [after?.[0] ?? null, after?.[1] ?? null, limit],
            )
            return rows
          },
          placeOf: ({ demo_at, demo_id }) => [demo_at.toISOString(), demo_id],
        })
        const cohorts = await reader.read(principal, {}, projections, async (client) => {
          const { rows } = await client.query<CohortRow>(
            `select month, sum(published)::int as published, sum(engaged)::int as engaged,
               sum(nda_signed)::int as nda_signed, sum(contract_signed)::int as contract_signed, sum(paid)::int as paid
             from lifecycle.demo_cohorts group by month order by month desc limit 24`,
          )
          return rows
        })
        return { status: 200, body: { ...page, cohorts: cohorts.map(converted) } }
      },
    }),
  ]
}

interface WayRow {
  readonly demo_id: string
  readonly demo_at: Date
}

interface CohortRow {
  readonly published: number
  readonly nda_signed: number
}

const converted = (row: CohortRow) => ({
  ...row,
  demo_to_nda: row.published === 0 ? 0 : row.nda_signed / row.published,
})
