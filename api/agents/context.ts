/** What the parts of the staff office share, put together once by createStaff. */

import type { PoolClient, Queryable } from '../../connectors/postgres/index.ts'
import type { Clock, Random } from '../../topology/clock.ts'
import type { Outbox, Party, PasswordHasher, TenantKeys } from '../auth/index.ts'
import { ApiProblem } from '../http/problem.ts'

export interface StaffContext {
  /** Real time. */
  readonly clock: Clock
  readonly random: Random
  readonly keys: TenantKeys
  readonly outbox: Outbox
  readonly hasher: PasswordHasher
  /** Connected as role `auth`. */
  readonly pool: Queryable
  /** Runs `work` in one transaction, then wakes the relay. */
  decide<T>(work: (client: PoolClient) => Promise<T>): Promise<T>
}

/** Who acts: a supervisor, within the teams they supervise, or an operator at the machine, anywhere. */
export interface Acting {
  /** Null: an operator. */
  readonly userId: string | null
}

export const operator: Acting = Object.freeze({ userId: null })

/** Whom events are about, and who acts. */
export const partyOf = (
  of: { readonly tenant_id: string; readonly organization_id: string },
  { userId }: Acting,
): Party => ({
  tenantId: of.tenant_id,
  organizationId: of.organization_id,
  userId,
  actor: userId === null ? { type: 'system', id: 'operator' } : { type: 'human_agent', id: userId },
})

/** AG2: the teams somebody may act in; null is all of them. */
export async function teamsOf(client: Queryable, acting: Acting): Promise<readonly string[] | null> {
  if (acting.userId === null) return null
  const { rows } = await client.query<{ team_id: string }>(
    'select team_id from auth.team_supervisors where user_id = $1 order by created_at, team_id',
    [acting.userId],
  )
  return rows.map(({ team_id }) => team_id)
}

export interface AgentRow {
  readonly user_id: string
  readonly email: string
  readonly display_name: string
  readonly role: 'agent' | 'supervisor'
  readonly team_id: string
  readonly team: string
  readonly clients: number
}

/** Agents in force, of these teams; one of them when its id is given. */
export async function agentsIn(
  client: Queryable,
  teams: readonly string[] | null,
  userId: string | null = null,
): Promise<readonly AgentRow[]> {
  const { rows } = await client.query<AgentRow>(
    `select a.user_id, u.email, a.display_name, u.role, a.team_id, t.name as team,
       (select count(*)::int from auth.client_assignments c where c.user_id = a.user_id) as clients
     from auth.agents a join auth.users u using (user_id) join auth.teams t using (team_id)
     where u.disabled_at is null and ($1::uuid[] is null or a.team_id = any ($1)) and ($2::uuid is null or a.user_id = $2)
     order by t.name, a.created_at, a.user_id`,
    [teams, userId],
  )
  return rows
}

const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** The agent, when the one who acts may act on it. @throws ApiProblem 404 */
export async function agentFor(client: Queryable, acting: Acting, userId: string): Promise<AgentRow> {
  const found = uuidForm.test(userId) ? await agentsIn(client, await teamsOf(client, acting), userId) : []
  if (found[0] === undefined) throw new ApiProblem(404, 'not_found', 'There is no such agent.')
  return found[0]
}

/** A text that is no id is looked for as one that nobody has. */
export const idOf = (text: string): string => (uuidForm.test(text) ? text : '00000000-0000-0000-0000-000000000000')
