/** Where a client stands in its lifecycle, and how each step went. */

import { z } from 'zod'
import { steps as stepNames } from '../../schemas/index.ts'
import type { PoolClient } from '../../connectors/postgres/index.ts'
import type { Endpoint } from '../http/endpoint.ts'
import { endpoint } from '../http/endpoint.ts'
import { readQuery } from './parameters.ts'
import type { Reader } from './reader.ts'
import { notFound, visibleOrganization } from './reader.ts'
import { instant, maybeInstant, read404 } from './responses.ts'

const step = z.object({
  step: z.string().meta({ example: 'research' }),
  status: z.enum(['started', 'completed', 'failed', 'timed_out', 'compensating', 'compensation_failed', 'compensated']),
  started_at: instant,
  deadline: instant,
  ended_at: maybeInstant,
  ms: z.int().nullable(),
  failure_class: z.string().nullable(),
  failed_attempts: z.int().nullable(),
})

const lifecycle = z.object({
  organization_id: z.uuid(),
  lifecycle_id: z.string(),
  template: z.string(),
  template_version: z.int(),
  status: z.enum(['running', 'compensating', 'completed', 'aborted']),
  stage: z.string().nullable().meta({ example: 'researching' }),
  stage_reason: z.string().nullable(),
  stage_at: maybeInstant,
  current_step: z.string().nullable(),
  started_at: instant,
  ended_at: maybeInstant,
  ms: z.int().nullable(),
  abort_reason: z.string().nullable(),
  steps: z.array(step),
})

export function lifecycleEndpoints(reader: Reader): readonly Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/lifecycle/:organization_id',
      summary: 'Stage and steps of an organization',
      tag: 'lifecycle',
      auth: 'any',
      scope: 'read',
      query: readQuery,
      response: [{ status: 200, description: 'Steps in the order of the lifecycle', schema: lifecycle }, ...read404],
      handler: async ({ principal, query, params }) => ({
        status: 200,
        body: await reader.read(principal, query, ['organizations', 'lifecycle-instances'], (client) =>
          lifecycleOf(client, params.organization_id ?? ''),
        ),
      }),
    }),
  ]
}

interface Timed {
  readonly ms: string | null
}

async function lifecycleOf(client: PoolClient, id: string): Promise<unknown> {
  const { tenant_id, organization_id } = await visibleOrganization(client, id)
  const instance = await client.query<Timed>(
    `select organization_id, lifecycle_id, template, template_version, status, stage, stage_reason, stage_at, current_step,
       started_at, ended_at, ms, abort_reason
     from lifecycle.lifecycle_instances where tenant_id = $1 and organization_id = $2`,
    [tenant_id, organization_id],
  )
  const row = instance.rows[0]
  if (row === undefined) throw notFound()
  const steps = await client.query<Timed>(
    `select step, status, started_at, deadline, ended_at, ms, failure_class, failed_attempts
     from lifecycle.lifecycle_steps where tenant_id = $1 and organization_id = $2
     order by array_position($3::text[], step), started_at`,
    [tenant_id, organization_id, stepNames],
  )
  return { ...counted(row), steps: steps.rows.map(counted) }
}

/** int8 arrives as text, exact; ours are safe integers. */
const counted = <T extends Timed>(row: T) => ({ ...row, ms: row.ms === null ? null : Number(row.ms) })
