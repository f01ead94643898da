/** What is known about an organization: the results as a reader wants them, and the runs they came from. */

import type { PoolClient } from '../../connectors/postgres/index.ts'
import { nullSellersFields } from '../../schemas/index.ts'
import type { Endpoint } from '../http/endpoint.ts'
import { endpoint, isAgent } from '../http/endpoint.ts'
import { listQuery, pageOf, readQuery } from './parameters.ts'
import type { Reader } from './reader.ts'
import { visibleOrganization } from './reader.ts'
import { researchResults } from './research-results.ts'
import * as schemas from './research-schemas.ts'
import { list404, read404 } from './responses.ts'

const resultProjections = ['organizations', 'research-sessions', 'research-findings', 'enrichment-data', 'review-queue']

export function researchEndpoints(reader: Reader): readonly Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/research/:organization_id/results',
      summary: 'What research found: the company, its competitors, and every finding with its evidence',
      tag: 'research',
      auth: 'any',
      scope: 'read',
      query: readQuery,
      response: [
        {
          status: 200,
          description: 'Also before research began (`pending`) and while it runs',
          schema: schemas.results,
        },
        ...read404,
      ],
      handler: async ({ principal, query, params }) => ({
        status: 200,
        body: await reader.read(principal, query, resultProjections, (client) =>
          researchResults(client, params.organization_id ?? ''),
        ),
      }),
    }),
    endpoint({
      method: 'get',
      path: '/research/:organization_id/sessions',
      summary: 'Runs of the research engine, newest first',
      tag: 'research',
      auth: 'any',
      scope: 'read',
      query: listQuery,
      response: [{ status: 200, description: 'A page of runs', schema: pageOf(schemas.session) }, ...list404],
      handler: async ({ principal, query, params }) => ({
        status: 200,
        body: await sessions(reader, principal, query, params.organization_id ?? ''),
      }),
    }),
  ]
}

interface SessionRow {
  readonly research_session_id: string
  readonly started_at: Date
  readonly cost_microdollars: string | null
}

async function sessions(
  reader: Reader,
  principal: Parameters<Reader['page']>[0],
  query: Parameters<Reader['page']>[1],
  organizationId: string,
): Promise<unknown> {
  const page = await reader.page<SessionRow>(principal, query, ['organizations', 'research-sessions'], {
    list: `research/${organizationId}/sessions`,
    fetch: async (client, after, limit) => {
      const { tenant_id, organization_id } = await visibleOrganization(client, organizationId)
      return sessionRows(client, [tenant_id, organization_id, after?.[0] ?? null, after?.[1] ?? null, limit])
    },
    placeOf: ({ started_at, research_session_id }) => [started_at.toISOString(), research_session_id],
  })
  const items = page.items.map((row) => {
    const counted = { ...row, cost_microdollars: numberOrNull(row.cost_microdollars) }
    return isAgent(principal) ? counted : nullSellersFields(counted)
  })
  return { ...page, items }
}

async function sessionRows(client: PoolClient, values: readonly unknown[]): Promise<readonly SessionRow[]> {
  const { rows } = await client.query<SessionRow>(
    `select research_session_id, status, plan, started_at, ended_at, findings_count, competitors_count, min_confidence,
       cost_microdollars, failure_reason, stale_at
     from lifecycle.research_sessions
     where tenant_id = $1 and organization_id = $2
       and ($3::timestamptz is null or (started_at, research_session_id) < ($3, $4))
     order by started_at desc, research_session_id desc limit $5`,
    [...values],
  )
  return rows
}

/** int8 arrives as text, exact; ours are safe integers. */
const numberOrNull = (text: string | null): number | null => (text === null ? null : Number(text))
