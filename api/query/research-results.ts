/**
 * Puts the results together from several projections. They follow one topic at their own pace, so a run that is completed
 * counts as completed here only when the others have passed the record that completed it: who reads `completed` misses nothing.
 */

import type { PoolClient } from '../../connectors/postgres/index.ts'
import { visibleOrganization } from './reader.ts'

/** More are not shown; a run records a few dozen. */
const findingsMax = 500
const competitorsMax = 200

interface SessionRow {
  readonly research_session_id: string
  readonly status: 'started' | 'completed' | 'failed'
  readonly ended_at: Date | null
  readonly stale_at: Date | null
  readonly others_behind: boolean
}

interface FieldRow {
  readonly finding_type: string
  readonly field: string
  readonly known: unknown
}

/** @throws ApiProblem 404 */
export async function researchResults(client: PoolClient, id: string): Promise<Readonly<Record<string, unknown>>> {
  const { tenant_id, organization_id, company_name, domain } = await visibleOrganization(client, id)
  const place = [tenant_id, organization_id]
  const session = await latestSession(client, place)
  const waiting = await hasWaitingReview(client, place)
  const fields = await knownFields(client, place)
  return {
    organization_id,
    company_name,
    domain,
    status: statusOf(session, waiting),
    research_session_id: session?.research_session_id ?? null,
    completed_at: session?.status === 'completed' ? session.ended_at : null,
    ...Object.fromEntries(fieldTypes.map((type) => [type, fieldsOf(fields, type)])),
    competitors: await competitors(client, place),
    findings: session === null ? [] : await findings(client, tenant_id, session.research_session_id),
  }
}

function statusOf(session: SessionRow | null, waiting: boolean): string {
  if (session === null) return 'pending'
  if (session.status === 'completed') {
    if (session.others_behind) return 'running'
    return session.stale_at === null ? 'completed' : 'stale'
  }
  if (waiting) return 'in_review'
  return session.status === 'failed' ? 'failed' : 'running'
}

async function latestSession(client: PoolClient, place: readonly string[]): Promise<SessionRow | null> {
  const { rows } = await client.query<SessionRow>(
    `select s.research_session_id, s.status, s.ended_at, s.stale_at,
       exists (
         select from lifecycle.sink_offsets o
         where o.sink in ('research-findings', 'enrichment-data')
           and o.topic = s.src_topic and o.part = s.src_part and o.next_offset <= s.src_offset
       ) as others_behind
     from lifecycle.research_sessions s where s.tenant_id = $1 and s.organization_id = $2
     order by s.started_at desc, s.research_session_id desc limit 1`,
    [...place],
  )
  return rows[0] ?? null
}

async function hasWaitingReview(client: PoolClient, place: readonly string[]): Promise<boolean> {
  const { rows } = await client.query(
    `select from lifecycle.review_queue
     where tenant_id = $1 and organization_id = $2 and subject_type in ('finding', 'step') and status in ('open', 'claimed') limit 1`,
    [...place],
  )
  return rows.length > 0
}

const fieldTypes = ['company_info', 'pricing', 'tech_stack', 'volume_prediction'] as const

async function knownFields(client: PoolClient, place: readonly string[]): Promise<readonly FieldRow[]> {
  const { rows } = await client.query<FieldRow>(
    `select e.finding_type, e.field, json_build_object('value', e.value, 'confidence', e.confidence_score,
       'source', e.finding_source, 'citations', coalesce(f.citations, '[]'), 'found_at', ${iso('e.found_at')}) as known
     from lifecycle.enrichment_data e
     left join lifecycle.research_findings f on f.tenant_id = e.tenant_id and f.finding_id = e.finding_id
     where e.tenant_id = $1 and e.organization_id = $2 and e.finding_type = any ($3) and e.confidence_score > 0
     order by e.finding_type, e.field`,
    [...place, [...fieldTypes]],
  )
  return rows
}

const fieldsOf = (rows: readonly FieldRow[], type: string): Record<string, unknown> =>
  Object.fromEntries(rows.filter((row) => row.finding_type === type).map(({ field, known }) => [field, known]))

async function competitors(client: PoolClient, place: readonly string[]): Promise<readonly unknown[]> {
  const { rows } = await client.query(
    `select name, url, pricing, confidence_score as confidence, identified_at from lifecycle.research_competitors
     where tenant_id = $1 and organization_id = $2 and confidence_score > 0
     order by confidence_score desc, name limit ${String(competitorsMax)}`,
    [...place],
  )
  return rows
}

async function findings(client: PoolClient, tenantId: string, sessionId: string): Promise<readonly unknown[]> {
  const { rows } = await client.query(
    `select finding_id, finding_type, data, confidence_score as confidence, finding_source as source, citations, recorded_at
     from lifecycle.research_findings
     where tenant_id = $1 and research_session_id = $2 and confidence_score > 0
     order by finding_type, confidence_score desc, finding_id limit ${String(findingsMax)}`,
    [tenantId, sessionId],
  )
  return rows
}

/** As `Date.toJSON` writes it. */
const iso = (column: string): string => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`
