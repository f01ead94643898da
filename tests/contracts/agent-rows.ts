/** Agents as rows, for tests of what they see: without passwords, events or a house of their own making. */

import type { Queryable } from '../../connectors/postgres/index.ts'

const house = '0d000000-0000-4000-8000-0000000000f0'

/** @param owner connected as the owner of the database; @param teams user ids by team id */
export async function insertAgents(
  owner: Queryable,
  teams: Readonly<Record<string, readonly string[]>>,
): Promise<void> {
  const people = Object.entries(teams).flatMap(([team, users]) => users.map((user) => ({ team, user })))
  await owner.query(
    `with u as (
       insert into auth.users (user_id, email, password_hash, first_name, last_name, tenant_id, organization_id, user_type,
         role, signed_up_at)
       select user_id, user_id || '@house.example', '', 'A', 'B', $3, $3, 'agent', 'agent', now()
       from unnest($1::uuid[]) as user_id returning user_id),
     o as (
       insert into auth.organizations (organization_id, tenant_id, kind, company_name, email_host, domain, status,
         owner_user_id, created_at)
       values ($3, $3, 'house', 'House', 'house.invalid', 'house.invalid', 'active', ($1::uuid[])[1], now())
       on conflict do nothing),
     t as (
       insert into auth.teams (team_id, name, created_at)
       select distinct team_id, team_id::text, now() from unnest($2::uuid[]) as team_id on conflict do nothing)
     insert into auth.agents (user_id, team_id, display_name, created_at)
     select user_id, team_id, 'A B', now() from unnest($1::uuid[], $2::uuid[]) as p (user_id, team_id)`,
    [people.map(({ user }) => user), people.map(({ team }) => team), house],
  )
}
