/**
 * Who belongs to an organization, and who decides it. Invariants:
 * M1 Decisions about one organization take turns: its row is locked first, and the role of whoever decides is read under
 *    that lock, not from their token.
 * M2 An organization has an owner, always: the last one is neither removed nor demoted.
 * M3 An owner decides about everyone; an admin about admins and members, and gives no role above admin.
 * M4 Who is removed is out at once: their sessions, the API keys they made, and the invitations they sent or hold end in
 *    the same transaction. Who is given less to decide loses the open invitations that they could not send any more.
 */

import type { PoolClient } from '../../connectors/postgres/index.ts'
import { authEvents } from '../../schemas/index.ts'
import type { UserPrincipal } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'
import { revokeKeysOf } from './api-keys.ts'
import type { IdentityContext } from './context.ts'
import { isUuid } from './digest.ts'
import { revokeInvitationsBeyond, revokeInvitationsOf } from './invitations.ts'
import type { MemberAnswer, Role } from './membership-schemas.ts'
import { draft, partyOfPrincipal } from './outbox.ts'
import { endSessions } from './sessions.ts'
import { mayDecide, notOneOfUs, requireClient, takeTurn } from './turn.ts'

/** What a decision leaves behind: where its events leave, null when there was nothing to do. */
export interface Decided {
  readonly position: string | null
}

const isMember = 'organization_id = $1 and verified_at is not null and removed_at is null'

/** Owners first, then in the order in which they came. @throws ApiProblem 403 for an agent */
export async function listMembers(
  { pool, settings }: IdentityContext,
  principal: UserPrincipal,
): Promise<readonly MemberAnswer[]> {
  requireClient(principal)
  const { rows } = await pool.query<Omit<MemberAnswer, 'joined_at'> & { joined_at: Date }>(
    `select user_id, email, first_name, last_name, role, coalesce(joined_at, verified_at) as joined_at
     from auth.users where ${isMember} and tenant_id = $2
     order by array_position(array['owner', 'admin', 'member'], role), joined_at, user_id limit $3`,
    [principal.organizationId, principal.tenantId, settings.membersPerOrganization],
  )
  return rows.map((row) => ({ ...row, joined_at: row.joined_at.toISOString() }))
}

/** @throws ApiProblem 403 `forbidden`, 404, 409 `last_owner` */
export async function changeRole(
  context: IdentityContext,
  principal: UserPrincipal,
  userId: string,
  role: Role,
): Promise<Decided> {
  return context.decide(async (client) => {
    const own = await takeTurn(client, principal)
    const member = await memberOf(client, principal, userId)
    if (!mayDecide(own, member.role) || !mayDecide(own, role)) throw notAbove()
    if (member.role === role) return { position: null }
    if (member.role === 'owner') await requireAnotherOwner(client, principal)
    await client.query('update auth.users set role = $2 where user_id = $1', [member.user_id, role])
    const changed = { user_id: member.user_id, old_role: member.role, new_role: role }
    const position = await context.outbox.put(client, partyOfPrincipal(principal), [
      draft(authEvents, 'member_role_changed', changed),
      ...(await revokeInvitationsBeyond(context, client, principal.organizationId, { ...member, role })),
    ])
    return { position }
  })
}

/** Anyone may leave. @throws ApiProblem 403 `forbidden`, 404, 409 `last_owner` */
export async function removeMember(
  context: IdentityContext,
  principal: UserPrincipal,
  userId: string,
): Promise<Decided> {
  return context.decide(async (client) => {
    const own = await takeTurn(client, principal)
    const member = await memberOf(client, principal, userId)
    if (member.user_id !== principal.userId && !mayDecide(own, member.role)) throw notAbove()
    if (member.role === 'owner') await requireAnotherOwner(client, principal)
    return { position: await remove(context, client, principal, member) }
  })
}

/** M4. */
async function remove(
  context: IdentityContext,
  client: PoolClient,
  principal: UserPrincipal,
  member: MemberRow,
): Promise<string> {
  await client.query('update auth.users set removed_at = $2 where user_id = $1', [
    member.user_id,
    new Date(context.clock.now()),
  ])
  return context.outbox.put(client, partyOfPrincipal(principal), [
    draft(authEvents, 'member_removed', { user_id: member.user_id }),
    ...(await endSessions(context, client, member.user_id, 'member_removed')),
    ...(await revokeKeysOf(context, client, member.user_id, 'member_removed')),
    ...(await revokeInvitationsOf(context, client, principal.organizationId, member)),
  ])
}

interface MemberRow {
  readonly user_id: string
  readonly email: string
  readonly role: Role
}

async function memberOf(client: PoolClient, principal: UserPrincipal, userId: string): Promise<MemberRow> {
  const { rows } = isUuid(userId)
    ? await client.query<MemberRow>(
        `select user_id, email, role from auth.users where ${isMember} and tenant_id = $2 and user_id = $3 for update`,
        [principal.organizationId, principal.tenantId, userId],
      )
    : { rows: [] }
  if (rows[0] === undefined) throw notOneOfUs('member')
  return rows[0]
}

/** M2: under the turn of M1, so that two owners who demote each other are not both the last but one. */
async function requireAnotherOwner(client: PoolClient, principal: UserPrincipal): Promise<void> {
  const { rows } = await client.query<{ n: number }>(
    `select count(*)::int as n from auth.users where ${isMember} and role = 'owner'`,
    [principal.organizationId],
  )
  if (rows[0]!.n > 1) return
  throw new ApiProblem(
    409,
    'last_owner',
    'The last owner can be neither removed nor demoted; make another member an owner first.',
  )
}

/** M3. */
const notAbove = (): ApiProblem =>
  new ApiProblem(
    403,
    'forbidden',
    'Owners decide about everyone, admins about admins and members, members about no one.',
  )
