/**
 * Somebody of a verified host asks to be let in: their sign-up made no second organization (V4), an owner decides. The
 * request is written by the verification that finds the host taken; the first decision counts, repeating it changes nothing.
 */

import type { PoolClient } from '../../connectors/postgres/index.ts'
import { authEvents } from '../../schemas/index.ts'
import type { UserPrincipal } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'
import type { IdentityContext } from './context.ts'
import { isUuid, uuid } from './digest.ts'
import { mail } from './mail.ts'
import type { JoinDecisionRequest, JoinRequestAnswer, Role } from './membership-schemas.ts'
import type { Decided } from './membership.ts'
import type { Draft } from './outbox.ts'
import { draft, partyOfPrincipal } from './outbox.ts'
import type { PendingUser } from './pending-user.ts'
import { notOneOfUs, requireRoom, takeTurn } from './turn.ts'

/** So many owners are told by mail; all see the request. */
const ownersTold = 10

/** In the transaction that verifies the address and finds the host taken. */
export async function requestToJoin(
  context: IdentityContext,
  client: PoolClient,
  user: PendingUser,
  host: string,
): Promise<void> {
  const { rows } = await client.query<{ organization_id: string; tenant_id: string }>(
    `select organization_id, tenant_id from auth.organizations where email_host = $1 and status = 'active'`,
    [host],
  )
  const { organization_id, tenant_id } = rows[0]!
  const id = uuid(context.random)
  await client.query(
    `insert into auth.join_requests (join_request_id, tenant_id, organization_id, user_id, created_at)
     values ($1, $2, $3, $4, $5)`,
    [id, tenant_id, organization_id, user.user_id, new Date(context.clock.now())],
  )
  const { rows: owners } = await client.query<{ user_id: string; email: string }>(
    `select user_id, email from auth.users where organization_id = $1 and role = 'owner' and removed_at is null
     order by joined_at, user_id limit $2`,
    [organization_id, ownersTold],
  )
  const about = { tenantId: tenant_id, organizationId: organization_id, userId: user.user_id }
  await context.outbox.put(client, about, [
    draft(authEvents, 'join_requested', { join_request_id: id, user_id: user.user_id }),
    ...owners.map((owner) =>
      mail(context, {
        contactId: owner.user_id,
        template: 'join_requested',
        to: owner.email,
        dedupeKey: `join_requested:${id}:${owner.user_id}`,
        // The address is proved; the name they gave could say anything.
        data: { email: user.email, host },
      }),
    ),
  ])
}

/** Those that wait, oldest first. @throws ApiProblem 403 for anyone but an owner */
export async function listJoinRequests(
  { pool, settings }: IdentityContext,
  principal: UserPrincipal,
): Promise<readonly JoinRequestAnswer[]> {
  if (principal.role !== 'owner') throw ownersOnly()
  const { rows } = await pool.query<Omit<JoinRequestAnswer, 'created_at'> & { created_at: Date }>(
    `select j.join_request_id as id, u.user_id, u.email, u.first_name, u.last_name, j.created_at
     from auth.join_requests j join auth.users u using (user_id)
     where j.tenant_id = $1 and j.organization_id = $2 and j.status = 'pending'
     order by j.created_at, j.join_request_id limit $3`,
    [principal.tenantId, principal.organizationId, settings.invitationsPerOrganization],
  )
  return rows.map((row) => ({ ...row, created_at: row.created_at.toISOString() }))
}

interface RequestRow {
  readonly join_request_id: string
  readonly user_id: string
  readonly status: 'pending' | 'approved' | 'rejected' | 'withdrawn'
}

type Verdict = 'approved' | 'rejected'

export interface JoinDecided extends Decided {
  readonly status: Verdict
}

/** @throws ApiProblem 403 `forbidden`, 404, 409 `already_decided` or `too_many_members` */
export async function decideJoinRequest(
  context: IdentityContext,
  principal: UserPrincipal,
  id: string,
  { decision, role = 'member' }: JoinDecisionRequest,
): Promise<JoinDecided> {
  const status = decision === 'approve' ? 'approved' : 'rejected'
  return context.decide(async (client) => {
    if ((await takeTurn(client, principal)) !== 'owner') throw ownersOnly()
    const row = await lockRequest(client, principal, id)
    if (row.status === status) return { status, position: null }
    if (row.status !== 'pending') throw new ApiProblem(409, 'already_decided', `This request is ${row.status} already.`)
    await client.query(
      'update auth.join_requests set status = $2, decided_at = $3, decided_by = $4 where join_request_id = $1',
      [row.join_request_id, status, new Date(context.clock.now()), principal.userId],
    )
    const drafts =
      status === 'approved'
        ? await approve(context, client, principal, row, role)
        : await reject(context, client, principal, row)
    return { status, position: await context.outbox.put(client, partyOfPrincipal(principal), drafts) }
  })
}

async function lockRequest(client: PoolClient, principal: UserPrincipal, id: string): Promise<RequestRow> {
  const { rows } = isUuid(id)
    ? await client.query<RequestRow>(
        `select join_request_id, user_id, status from auth.join_requests
         where join_request_id = $1 and tenant_id = $2 and organization_id = $3 for update`,
        [id, principal.tenantId, principal.organizationId],
      )
    : { rows: [] }
  if (rows[0] === undefined) throw notOneOfUs('join request')
  return rows[0]
}

/** A pending request belongs to somebody who is in no organization: whoever gets in another way withdraws it. */
async function approve(
  context: IdentityContext,
  client: PoolClient,
  principal: UserPrincipal,
  row: RequestRow,
  role: Role,
): Promise<Draft[]> {
  await requireRoom(context, client, principal.organizationId)
  await client.query(
    `update auth.users set tenant_id = $2, organization_id = $3, role = $4, joined_at = $5, removed_at = null
     where user_id = $1`,
    [row.user_id, principal.tenantId, principal.organizationId, role, new Date(context.clock.now())],
  )
  return [
    draft(authEvents, 'join_approved', { join_request_id: row.join_request_id, user_id: row.user_id }),
    draft(authEvents, 'member_added', { user_id: row.user_id, role }),
    await tell(context, client, principal, row, 'join_approved'),
  ]
}

async function reject(
  context: IdentityContext,
  client: PoolClient,
  principal: UserPrincipal,
  row: RequestRow,
): Promise<Draft[]> {
  return [
    draft(authEvents, 'join_rejected', { join_request_id: row.join_request_id, user_id: row.user_id }),
    await tell(context, client, principal, row, 'join_rejected'),
  ]
}

async function tell(
  context: IdentityContext,
  client: PoolClient,
  { organizationId }: UserPrincipal,
  row: RequestRow,
  template: 'join_approved' | 'join_rejected',
): Promise<Draft> {
  const { rows } = await client.query<{ email: string; host: string }>(
    `select u.email, o.email_host as host from auth.users u, auth.organizations o
     where u.user_id = $1 and o.organization_id = $2`,
    [row.user_id, organizationId],
  )
  const { email, host } = rows[0]!
  return mail(context, {
    contactId: row.user_id,
    template,
    to: email,
    dedupeKey: `${template}:${row.join_request_id}`,
    data: { host },
  })
}

const ownersOnly = (): ApiProblem => new ApiProblem(403, 'forbidden', 'Only an owner decides who joins.')
