/** Which agent looks after which client. */

import type { PoolClient, Queryable } from '../../connectors/postgres/index.ts'
import { clientEvents } from '../../schemas/index.ts'
import { draft } from '../auth/index.ts'
import { ApiProblem } from '../http/problem.ts'
import type { Acting, StaffContext } from './context.ts'
import { agentFor, idOf, partyOf, teamsOf } from './context.ts'
import type { AssignmentAnswer, AssignmentRequest, UnassignedAnswer } from './schemas.ts'

interface ClientRow {
  readonly tenant_id: string
  readonly organization_id: string
}

export interface Assigned {
  readonly assignment: AssignmentAnswer
  /** Where the event leaves; null when all of it was so already. */
  readonly position: string | null
}

/** Assigns, or changes the role. @throws ApiProblem 404 for an agent or a client that is not theirs */
export async function assign(context: StaffContext, acting: Acting, request: AssignmentRequest): Promise<Assigned> {
  return context.decide(async (client) => {
    const agent = await agentFor(client, acting, request.user_id)
    const of = await clientFor(client, acting, request.organization_id)
    const { role } = request
    const { rows } = await client.query<{ created_at: Date }>(
      `insert into auth.client_assignments as c (tenant_id, user_id, team_id, role, created_at) values ($1, $2, $3, $4, $5)
       on conflict (tenant_id, user_id) do update set role = excluded.role where c.role <> excluded.role
       returning created_at`,
      [of.tenant_id, agent.user_id, agent.team_id, role, new Date(context.clock.now())],
    )
    const assignment = { organization_id: of.organization_id, user_id: agent.user_id, team_id: agent.team_id, role }
    if (rows[0] === undefined) return { assignment, position: null }
    const position = await context.outbox.put(client, partyOf(of, acting), [
      draft(clientEvents, 'client_assigned', { human_agent_id: agent.user_id, role }),
    ])
    return { assignment, position }
  })
}

/** @returns where the event leaves @throws ApiProblem 404 */
export async function unassign(
  context: StaffContext,
  acting: Acting,
  organizationId: string,
  userId: string,
): Promise<string> {
  return context.decide(async (client) => {
    const of = await clientFor(client, acting, organizationId)
    const agent = await agentFor(client, acting, userId)
    const { rowCount } = await client.query(
      'delete from auth.client_assignments where tenant_id = $1 and user_id = $2',
      [of.tenant_id, agent.user_id],
    )
    if (rowCount === 0) throw new ApiProblem(404, 'not_found', 'There is no such assignment.')
    return context.outbox.put(client, partyOf(of, acting), [
      draft(clientEvents, 'client_unassigned', { human_agent_id: agent.user_id }),
    ])
  })
}

/** AG2, AG3: a client of one of the teams, or of none; two who assign the same client take turns. @throws ApiProblem 404 */
async function clientFor(client: PoolClient, acting: Acting, organizationId: string): Promise<ClientRow> {
  await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`assign:${idOf(organizationId)}`])
  const teams = await teamsOf(client, acting)
  const { rows } = await client.query<ClientRow>(
    `select o.tenant_id, o.organization_id from auth.organizations o
     where o.organization_id = $1 and o.kind = 'client' and o.status = 'active' and ($2::uuid[] is null or not exists (
       select from auth.client_assignments c where c.tenant_id = o.tenant_id and c.team_id <> all ($2)))`,
    [idOf(organizationId), teams],
  )
  if (rows[0] === undefined) throw new ApiProblem(404, 'not_found', 'There is no such client.')
  return rows[0]
}

export async function assignments(client: Queryable, acting: Acting): Promise<readonly AssignmentAnswer[]> {
  const { rows } = await client.query<AssignmentAnswer>(
    `select o.organization_id, c.user_id, c.team_id, c.role
     from auth.client_assignments c join auth.organizations o using (tenant_id)
     where ($1::uuid[] is null or c.team_id = any ($1)) order by c.created_at, o.organization_id, c.user_id`,
    [await teamsOf(client, acting)],
  )
  return rows
}

/** Clients that nobody looks after, oldest first. */
export async function unassigned(client: Queryable, limit: number): Promise<readonly UnassignedAnswer[]> {
  const { rows } = await client.query<UnassignedAnswer & { readonly at: Date }>(
    `select o.organization_id, o.company_name, o.verified_at as at from auth.organizations o
     where o.kind = 'client' and o.status = 'active'
       and not exists (select from auth.client_assignments c where c.tenant_id = o.tenant_id)
     order by o.verified_at, o.organization_id limit $1`,
    [limit],
  )
  return rows.map(({ at: _at, ...row }) => row)
}
