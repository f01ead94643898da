/** Agents come and go. */

import type { PoolClient } from '../../connectors/postgres/index.ts'
import { authEvents } from '../../schemas/index.ts'
import { draft, newUuid, opaqueToken, parseEmail } from '../auth/index.ts'
import { ApiProblem } from '../http/problem.ts'
import type { Acting, StaffContext } from './context.ts'
import { agentFor, partyOf, teamsOf } from './context.ts'
import type { NewAgentAnswer } from './schemas.ts'

export interface Applicant {
  readonly email: string
  readonly first_name: string
  readonly last_name: string
  readonly role: 'agent' | 'supervisor'
  /** A team's id, or its name, which makes the team when there is none. */
  readonly team: { readonly id: string | null } | { readonly name: string }
}

/** @throws ApiProblem 404 for a team that is not theirs, 409 `email_taken`, 422 `invalid_email`, `which_team` */
export async function hire(context: StaffContext, acting: Acting, applicant: Applicant): Promise<NewAgentAnswer> {
  const address = parseEmail(applicant.email)?.address
  if (address === undefined) throw new ApiProblem(422, 'invalid_email', 'The e-mail address is not valid.')
  const password = opaqueToken(context.random)
  const hash = await context.hasher.hash(password)
  return context.decide(async (client) => {
    const team_id = await teamFor(context, client, acting, applicant.team)
    const house = await houseOf(client)
    const home = house ?? { tenant_id: newUuid(context.random), organization_id: newUuid(context.random) }
    const user_id = newUuid(context.random)
    const at = new Date(context.clock.now())
    const { first_name, last_name, role } = applicant
    const { rowCount } = await client.query(
      `insert into auth.users (user_id, tenant_id, organization_id, email, password_hash, first_name, last_name, user_type,
         role, signed_up_at, verified_at)
       values ($1, $2, $3, $4, $5, $6, $7, 'agent', $8, $9, $9) on conflict (email) do nothing`,
      [user_id, home.tenant_id, home.organization_id, address, hash, first_name, last_name, role, at],
    )
    if (rowCount === 0) throw new ApiProblem(409, 'email_taken', 'Somebody has this address already.')
    if (house === null) await openHouse(context, client, { ...home, user_id }, at)
    await enter(client, { user_id, team_id, role, name: `${first_name} ${last_name}` }, acting, at)
    await context.outbox.put(client, partyOf(home, acting), [
      draft(authEvents, 'agent_added', { user_id, team_id, role }),
    ])
    return { user_id, email: address, role, team_id, initial_password: password }
  })
}

interface House {
  readonly tenant_id: string
  readonly organization_id: string
}

/** Where agents are at home; two who look at once take turns. */
async function houseOf(client: PoolClient): Promise<House | null> {
  await client.query(`select pg_advisory_xact_lock(hashtextextended('house', 0))`)
  const { rows } = await client.query<House>(
    `select tenant_id, organization_id from auth.organizations where kind = 'house'`,
  )
  return rows[0] ?? null
}

/** `.invalid` is nobody's (RFC 2606), so no mail can prove to come from there. */
async function openHouse(
  context: StaffContext,
  client: PoolClient,
  { tenant_id, organization_id, user_id }: House & { readonly user_id: string },
  at: Date,
): Promise<void> {
  await client.query(
    `insert into auth.organizations (organization_id, tenant_id, kind, company_name, email_host, domain, status,
       owner_user_id, created_at, verified_at)
     values ($1, $2, 'house', 'House', 'house.invalid', 'house.invalid', 'active', $3, $4, $4)`,
    [organization_id, tenant_id, user_id, at],
  )
  await context.keys.create(client, tenant_id)
}

async function enter(
  client: PoolClient,
  agent: { readonly user_id: string; readonly team_id: string; readonly role: string; readonly name: string },
  acting: Acting,
  at: Date,
): Promise<void> {
  await client.query(
    'insert into auth.agents (user_id, team_id, display_name, created_by, created_at) values ($1, $2, $3, $4, $5)',
    [agent.user_id, agent.team_id, agent.name, acting.userId, at],
  )
  if (agent.role !== 'supervisor') return
  await client.query('insert into auth.team_supervisors (team_id, user_id, created_at) values ($1, $2, $3)', [
    agent.team_id,
    agent.user_id,
    at,
  ])
}

async function teamFor(
  context: StaffContext,
  client: PoolClient,
  acting: Acting,
  team: Applicant['team'],
): Promise<string> {
  if ('name' in team) {
    const { rows } = await client.query<{ team_id: string }>(
      `insert into auth.teams (team_id, name, created_at) values ($1, $2, $3)
       on conflict (name) do update set name = excluded.name returning team_id`,
      [newUuid(context.random), team.name, new Date(context.clock.now())],
    )
    return rows[0]!.team_id
  }
  const teams = (await teamsOf(client, acting)) ?? []
  if (team.id === null && teams.length > 1)
    throw new ApiProblem(422, 'which_team', 'You supervise several teams: say which with team_id.')
  const chosen = team.id === null ? teams[0] : teams.find((id) => id === team.id)
  if (chosen === undefined) throw new ApiProblem(404, 'not_found', 'There is no such team.')
  return chosen
}

/** AG4. @throws ApiProblem 404, 409 `yourself` */
export async function dismiss(context: StaffContext, acting: Acting, userId: string): Promise<void> {
  await context.decide(async (client) => {
    const { user_id } = await agentFor(client, acting, userId)
    if (user_id === acting.userId) throw new ApiProblem(409, 'yourself', 'Somebody else has to do that.')
    const at = new Date(context.clock.now())
    const { rows } = await client.query<House>(
      'update auth.users set disabled_at = $2 where user_id = $1 returning tenant_id, organization_id',
      [user_id, at],
    )
    const { rows: ended } = await client.query<{ token_id: string }>(
      `update auth.sessions set revoked_at = $2, revoked_reason = 'agent_disabled'
       where user_id = $1 and revoked_at is null returning token_id`,
      [user_id, at],
    )
    await client.query('delete from auth.client_assignments where user_id = $1', [user_id])
    await client.query('delete from auth.team_supervisors where user_id = $1', [user_id])
    await context.outbox.put(client, partyOf(rows[0]!, acting), [
      ...ended.map(({ token_id }) =>
        draft(authEvents, 'token_revoked', { user_id, jti: token_id, reason: 'agent_disabled' }),
      ),
      draft(authEvents, 'agent_disabled', { user_id }),
    ])
  })
}
