/** The review queue: what waits for a person, most urgent first. */

import { z } from 'zod'
import type { Pool, PoolClient } from '../../connectors/postgres/index.ts'
import { readOnly } from '../../connectors/postgres/index.ts'
import { deciderOf, nullSellersFields, sellersReviewFields } from '../../schemas/index.ts'
import type { Endpoint, Principal } from '../http/endpoint.ts'
import { endpoint, isAgent } from '../http/endpoint.ts'
import type { ReviewSubjects } from '../ingest/index.ts'
import { mayReview } from '../ingest/index.ts'
import { listQuery, pageOf, readQuery } from './parameters.ts'
import type { Place } from './cursor.ts'
import type { Reader } from './reader.ts'
import { notFound, viewerOf, visibleOrganization } from './reader.ts'
import { instant, list404, maybeInstant, read404 } from './responses.ts'

const review = z.object({
  review_id: z.string(),
  organization_id: z.uuid(),
  status: z.enum(['open', 'claimed', 'decided', 'expired']),
  priority: z.int().meta({ description: '100 per degree of risk, and a point per minute overdue' }),
  subject_type: z.string().meta({ example: 'finding' }),
  subject_ref: z.string(),
  decider: z
    .enum(['client', 'seller'])
    .meta({ description: '`client`: an owner or admin of it, or an agent; `seller`: it waits for an agent' }),
  reason: z.string().nullable().meta({ description: 'Null for a client where the seller decides' }),
  risk: z.enum(['low', 'medium', 'high']),
  proposed_action: z.unknown().nullable().meta({ description: 'Null for a client where the seller decides' }),
  options: z
    .array(z.enum(['approve', 'reject', 'edit', 'escalate']))
    .meta({ description: 'What you may decide; empty when it is not yours to decide' }),
  requester: z.string(),
  requested_at: instant,
  due_at: instant,
  queue: z.string().nullable(),
  claimed_by: z.string().nullable().meta({ description: 'Who holds it now, until `lease_until`' }),
  claimed_by_name: z.string().nullable().meta({ description: 'For agents: the name of the agent who holds it' }),
  lease_until: maybeInstant,
  decision: z.string().nullable(),
  edits: z.unknown().nullable(),
  comment: z.string().nullable(),
  decided_by: z.string().nullable(),
  decided_by_name: z.string().nullable().meta({ description: 'For agents: the name of the agent who decided' }),
  decided_at: maybeInstant,
  ms: z.int().nullable(),
  fallback: z.string().nullable(),
})

const reviewsQuery = listQuery.extend({
  status: z
    .enum(['waiting', 'decided', 'expired', 'all'])
    .default('waiting')
    .meta({ description: '`waiting` is open or claimed' }),
  organization_id: z.uuid().optional(),
})
type ReviewsQuery = z.infer<typeof reviewsQuery>

const projections = ['review-queue']

/** `time` says what time it is for deadlines, in ms. */
export function reviewEndpoints(reader: Reader, time: () => number): readonly Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/reviews',
      summary: 'Decisions that wait for a person, most urgent first',
      tag: 'reviews',
      auth: 'any',
      scope: 'read',
      query: reviewsQuery,
      response: [{ status: 200, description: 'A page of the queue', schema: pageOf(review) }, ...list404],
      handler: async ({ principal, query }) => ({
        status: 200,
        body: await reader
          .page<ReviewRow>(principal, query, projections, {
            list: 'reviews',
            filters: { status: query.status, organization_id: query.organization_id },
            fetch: (client, after, limit) => queue(client, query, after, limit, time()),
            placeOf: ({ at, priority, due_at, review_id }) => [at, priority, due_at.toISOString(), review_id],
          })
          .then((page) => ({ ...page, items: page.items.map((row) => shown(row, principal)) })),
      }),
    }),
    endpoint({
      method: 'get',
      path: '/reviews/:review_id',
      summary: 'One review',
      tag: 'reviews',
      auth: 'any',
      scope: 'read',
      query: readQuery,
      response: [{ status: 200, description: 'The review', schema: review }, ...read404],
      handler: async ({ principal, query, params }) => ({
        status: 200,
        body: await reader.read(principal, query, projections, async (client) =>
          shown(await visibleReview(client, params.review_id ?? '', time()), principal),
        ),
      }),
    }),
  ]
}

export interface ReviewRow {
  readonly tenant_id: string
  readonly organization_id: string
  readonly review_id: string
  readonly status: 'open' | 'claimed' | 'decided' | 'expired'
  readonly subject_type: string
  readonly options: readonly string[]
  readonly claimed_by: string | null
  readonly claimed_by_name: string | null
  readonly lease_until: Date | null
  readonly due_at: Date
  readonly priority: number
  readonly ms: string | null
  /** AG5: an agent who observes a client only reads; a supervisor acts for the team. */
  readonly is_acting: boolean
  /** The time that priorities were computed for: the same on every page of a list. */
  readonly at: string
}

/** A claim counts until its lease ends: until then it has a holder, and not at it. */
const held = `(status = 'claimed' and lease_until > $1::timestamptz)`
const status = `case when status = 'claimed' and not ${held} then 'open' else status end`
const priority = 'lifecycle.review_priority(risk, due_at, $1::timestamptz)'
/** Agents know one another by name; for anybody else this is null. */
const nameOf = (column: 'claimed_by' | 'decided_by'): string => `(select a.display_name from auth.agents a
  where a.user_id = case when ${column} ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then ${column}::uuid end)`
/** AG5. */
const isActing = `(lifecycle.current_user_type() = 'client' or exists (
  select from auth.client_assignments c where c.tenant_id = review_queue.tenant_id and (
    c.user_id = lifecycle.current_user_id() and c.role <> 'observer'
    or c.team_id = any (array(select s.team_id from auth.team_supervisors s where s.user_id = lifecycle.current_user_id())))))`
const columns = `tenant_id, organization_id, review_id, ${status} as status, ${priority} as priority, subject_type, subject_ref,
  reason, risk, proposed_action, options, requester, requested_at, due_at, queue,
  case when ${held} then claimed_by end as claimed_by, case when ${held} then ${nameOf('claimed_by')} end as claimed_by_name,
  case when ${held} then lease_until end as lease_until, decision, edits,
  comment, ${isActing} as is_acting, decided_by, ${nameOf('decided_by')} as decided_by_name, decided_at, ms, fallback`

const statuses: Readonly<Record<ReviewsQuery['status'], readonly string[]>> = {
  waiting: ['open', 'claimed'],
  decided: ['decided'],
  expired: ['expired'],
  all: ['open', 'claimed', 'decided', 'expired'],
}

async function queue(
  client: PoolClient,
  query: ReviewsQuery,
  after: Place | null,
  limit: number,
  nowMs: number,
): Promise<readonly ReviewRow[]> {
  if (query.organization_id !== undefined) await visibleOrganization(client, query.organization_id)
  const at = (after?.[0] as string | undefined) ?? new Date(nowMs).toISOString()
  const { rows } = await client.query<Omit<ReviewRow, 'at'>>(
    `select ${columns} from lifecycle.review_queue
     where status = any ($2) and ($3::uuid is null or organization_id = $3)
       and ($4::int is null or (-${priority}, due_at, review_id) > (-$4::int, $5::timestamptz, $6))
     order by ${priority} desc, due_at, review_id limit $7`,
    [
      at,
      [...statuses[query.status]],
      query.organization_id ?? null,
      after?.[1] ?? null,
      after?.[2] ?? null,
      after?.[3] ?? null,
      limit,
    ],
  )
  return rows.map((row) => ({ ...row, at }))
}

/** @throws ApiProblem 404 */
export async function visibleReview(client: PoolClient, id: string, nowMs: number): Promise<ReviewRow> {
  const at = new Date(nowMs).toISOString()
  const { rows } = await client.query<Omit<ReviewRow, 'at'>>(
    `select ${columns} from lifecycle.review_queue where review_id = $2 order by tenant_id limit 1`,
    [at, id.includes('\0') ? '' : id],
  )
  const row = rows[0]
  if (row === undefined) throw notFound()
  return { ...row, at }
}

/** What the asker may decide; nothing of what waits for somebody else. */
const optionsFor = ({ subject_type, options, is_acting }: ReviewRow, principal: Principal): readonly string[] =>
  is_acting && mayReview(principal, subject_type) ? options : []

function shown(review: ReviewRow, principal: Principal): Readonly<Record<string, unknown>> {
  const { tenant_id: _tenant, at: _at, is_acting: _acting, ms, ...row } = review
  const { subject_type } = row
  return {
    ...(isAgent(principal) ? row : nullSellersFields(row, sellersReviewFields(subject_type))),
    decider: deciderOf(subject_type),
    options: optionsFor(review, principal),
    ms: ms === null ? null : Number(ms),
  }
}

/** For the door of events, which is told a review's id alone. @param pool connected as role `api` */
export const reviewSubjectsIn =
  (pool: Pool): ReviewSubjects =>
  (principal, reviewIds) =>
    readOnly(pool, viewerOf(principal), async (client) => {
      const { rows } = await client.query<Pick<ReviewRow, 'review_id' | 'subject_type'>>(
        'select review_id, subject_type from lifecycle.review_queue where tenant_id = $1 and review_id = any ($2)',
        [principal.tenantId, reviewIds.filter((id) => !id.includes('\0'))],
      )
      return new Map(rows.map(({ review_id, subject_type }) => [review_id, subject_type]))
    })
