/** One decision about an organization at a time, and whether the one who asks for it may decide it (M1, M3). */

import type { PoolClient } from '../../connectors/postgres/index.ts'
import type { UserPrincipal } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'
import type { IdentityContext } from './context.ts'
import type { Role } from './membership-schemas.ts'
import { unauthorized } from './tokens.ts'

/**
 * Agents belong to teams: who joins and leaves the house is their supervisors' business (api/agents, AG2), and colleagues of
 * another team do not exist for them. @throws ApiProblem 403 `forbidden`
 */
export function requireClient({ userType }: UserPrincipal): void {
  if (userType !== 'client')
    throw new ApiProblem(403, 'forbidden', 'This is for members of a client; agents come and go through supervisors.')
}

/**
 * Waits for the organization's turn, held until the transaction ends. The lock lets rows that refer to the organization
 * be written meanwhile. Locks are taken in this order: organization, invitation or join request, user, session.
 *
 * @returns the role that the asker has now
 * @throws ApiProblem 401 when they are no member any more, 403 for an agent
 */
export async function takeTurn(client: PoolClient, principal: UserPrincipal): Promise<Role> {
  requireClient(principal)
  await lockOrganization(client, principal.organizationId)
  const { rows } = await client.query<{ role: Role }>(
    `select u.role from auth.users u join auth.organizations o using (organization_id)
     where u.user_id = $1 and u.organization_id = $2 and u.tenant_id = $3 and u.removed_at is null and o.status = 'active'`,
    [principal.userId, principal.organizationId, principal.tenantId],
  )
  if (rows[0] === undefined) throw unauthorized()
  return rows[0].role
}

export async function lockOrganization(client: PoolClient, organizationId: string): Promise<void> {
  await client.query('select from auth.organizations where organization_id = $1 for no key update', [organizationId])
}

/** M3: whether somebody of the role `own` may decide about, or give, the role `other`. */
export const mayDecide = (own: Role, other: Role): boolean => own === 'owner' || (own === 'admin' && other !== 'owner')

/** @throws ApiProblem 409 `too_many_members` */
export async function requireRoom({ settings }: IdentityContext, client: PoolClient, organizationId: string) {
  const { rows } = await client.query<{ n: number }>(
    'select count(*)::int as n from auth.users where organization_id = $1 and removed_at is null',
    [organizationId],
  )
  const limit = settings.membersPerOrganization
  if (rows[0]!.n < limit) return
  throw new ApiProblem(409, 'too_many_members', `An organization has at most ${limit} members.`)
}

export const notOneOfUs = (what: 'member' | 'invitation' | 'join request'): ApiProblem =>
  new ApiProblem(404, 'not_found', `There is no such ${what}.`)
