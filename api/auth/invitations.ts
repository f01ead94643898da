/**
 * Invitations: an address is asked into an organization, with a code that only its mailbox gets. Invariants:
 * I1 An address has one open invitation of an organization; inviting it again ends the code before.
 * I2 An open one is accepted once, in time, and only while its organization is there.
 * I3 A password that somebody else chose for the address (an unverified sign-up) never survives: who accepts chooses one.
 */

import type { PoolClient } from '../../connectors/postgres/index.ts'
import { authEvents } from '../../schemas/index.ts'
import type { UserPrincipal } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'
import type { Window } from './attempts.ts'
import { lockAddress, note, tooMany, tried } from './attempts.ts'
import type { IdentityContext } from './context.ts'
import { isUuid, sha256, uuid } from './digest.ts'
import { parseEmail } from './email.ts'
import { longCode, plainCode } from './codes.ts'
import { mail } from './mail.ts'
import type { InvitationAnswer, InviteRequest, Role } from './membership-schemas.ts'
import type { Decided } from './membership.ts'
import type { Draft } from './outbox.ts'
import { draft, partyOfPrincipal } from './outbox.ts'
import { mayDecide, notOneOfUs, takeTurn } from './turn.ts'
import { mailWindow, newCodeRef } from './user-codes.ts'

interface InvitationRow {
  readonly invitation_id: string
  readonly email: string
  readonly role: Role
  readonly invited_by: string
  readonly created_at: Date
  readonly expires_at: Date
}

export interface Invited extends Decided {
  readonly invitation: InvitationAnswer
}

/** @throws ApiProblem 403 `forbidden`, 409 `already_member` or `too_many_invitations`, 422 `invalid_email`, 429 */
export async function invite(
  context: IdentityContext,
  principal: UserPrincipal,
  request: InviteRequest,
): Promise<Invited> {
  const email = parseEmail(request.email)
  if (email === null) throw new ApiProblem(422, 'invalid_email', 'The e-mail address is not valid.')
  return context.decide(async (client) => {
    const own = await takeTurn(client, principal)
    if (!mayDecide(own, request.role)) throw forbidden()
    await requireOutside(client, principal, email.address)
    await requireReplaceable(client, principal, own, email.address)
    await countMail(
      context,
      client,
      mailWindow(context, 'invitation_sent', `${principal.organizationId}:${email.address}`),
    )
    const code = longCode(context.random)
    const row = await write(context, client, principal, { email: email.address, role: request.role, code })
    const drafts = await announce(context, client, row, code, await hostOf(client, principal))
    const position = await context.outbox.put(client, partyOfPrincipal(principal), drafts)
    return { position, invitation: answerOf(row, context.clock.now()) }
  })
}

async function requireOutside(client: PoolClient, principal: UserPrincipal, address: string): Promise<void> {
  const { rowCount } = await client.query(
    'select from auth.users where email = $1 and organization_id = $2 and removed_at is null',
    [address, principal.organizationId],
  )
  if (rowCount !== 0) throw new ApiProblem(409, 'already_member', 'This address belongs to a member already.')
}

/** I1 ends the invitation before: whoever could not revoke it cannot replace it. */
async function requireReplaceable(client: PoolClient, principal: UserPrincipal, own: Role, address: string) {
  const { rows } = await client.query<Pick<InvitationRow, 'role'>>(
    `select role from auth.invitations where organization_id = $1 and email = $2 and status = 'pending'`,
    [principal.organizationId, address],
  )
  if (rows[0] !== undefined && !mayDecide(own, rows[0].role)) throw forbidden()
}

async function countMail({ clock }: IdentityContext, client: PoolClient, window: Window): Promise<void> {
  const now = clock.now()
  await lockAddress(client, window)
  const { refusedUntil } = await tried(client, window, now)
  if (refusedUntil !== null) throw tooMany(refusedUntil, now, 'This address was invited too often; try again later.')
  await note(client, window, now)
}

/** I1. */
async function write(
  { random, clock, settings }: IdentityContext,
  client: PoolClient,
  principal: UserPrincipal,
  { email, role, code }: { readonly email: string; readonly role: Role; readonly code: string },
): Promise<InvitationRow> {
  const now = clock.now()
  const { rows: open } = await client.query<{ n: number }>(
    `select count(*)::int as n from auth.invitations where organization_id = $1 and status = 'pending' and email <> $2`,
    [principal.organizationId, email],
  )
  const limit = settings.invitationsPerOrganization
  if (open[0]!.n >= limit)
    throw new ApiProblem(409, 'too_many_invitations', `At most ${limit} invitations may be open; revoke one first.`)
  const { rows } = await client.query<InvitationRow>(
    `insert into auth.invitations (invitation_id, tenant_id, organization_id, email, role, code_hash, invited_by,
       created_at, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     on conflict (organization_id, email) where status = 'pending' do update set role = excluded.role,
       code_hash = excluded.code_hash, invited_by = excluded.invited_by, created_at = excluded.created_at,
       expires_at = excluded.expires_at
     returning invitation_id, email, role, invited_by, created_at, expires_at`,
    [
      uuid(random),
      principal.tenantId,
      principal.organizationId,
      email,
      role,
      sha256(plainCode(code)),
      principal.userId,
      new Date(now),
      new Date(now + settings.invitationMs),
    ],
  )
  return rows[0]!
}

async function announce(
  context: IdentityContext,
  client: PoolClient,
  row: InvitationRow,
  code: string,
  host: string,
): Promise<Draft[]> {
  const codeRef = newCodeRef(context)
  await client.query(
    `insert into auth.codes (invitation_id, purpose, code_ref, sealed, recipient, expires_at)
     values ($1, 'invitation', $2, $3, $4, $5)
     on conflict (invitation_id) do update set code_ref = excluded.code_ref, sealed = excluded.sealed,
       expires_at = excluded.expires_at`,
    [row.invitation_id, codeRef, context.codes.seal(codeRef, code), row.email, row.expires_at],
  )
  const days = Math.round(context.settings.invitationMs / (24 * 60 * 60_000))
  return [
    draft(authEvents, 'member_invited', {
      invitation_id: row.invitation_id,
      email: row.email,
      role: row.role,
      code_ref: codeRef,
      expires_at: row.expires_at.getTime(),
    }),
    mail(context, {
      contactId: row.invitation_id,
      template: 'invitation',
      to: row.email,
      codeRef,
      dedupeKey: `invitation:${codeRef}`,
      // The host is proved; a company's name could say anything to a stranger.
      data: { host, days },
    }),
  ]
}

async function hostOf(client: PoolClient, { organizationId }: UserPrincipal): Promise<string> {
  const { rows } = await client.query<{ email_host: string }>(
    'select email_host from auth.organizations where organization_id = $1',
    [organizationId],
  )
  return rows[0]!.email_host
}

/** Open ones, newest first; one that ran out stays listed until it is revoked or swept. @throws ApiProblem 403 */
export async function listInvitations(
  { pool, clock, settings }: IdentityContext,
  principal: UserPrincipal,
): Promise<readonly InvitationAnswer[]> {
  if (principal.role !== 'owner' && principal.role !== 'admin') throw forbidden()
  const { rows } = await pool.query<InvitationRow>(
    `select invitation_id, email, role, invited_by, created_at, expires_at from auth.invitations
     where tenant_id = $1 and organization_id = $2 and status = 'pending'
     order by created_at desc, invitation_id limit $3`,
    [principal.tenantId, principal.organizationId, settings.invitationsPerOrganization],
  )
  return rows.map((row) => answerOf(row, clock.now()))
}

/** @throws ApiProblem 403 `forbidden`, 404 */
export async function revokeInvitation(
  context: IdentityContext,
  principal: UserPrincipal,
  id: string,
): Promise<Decided> {
  return context.decide(async (client) => {
    const own = await takeTurn(client, principal)
    if (own === 'member') throw forbidden()
    const { rows } = isUuid(id)
      ? await client.query<Pick<InvitationRow, 'invitation_id' | 'role'>>(
          `select invitation_id, role from auth.invitations
           where invitation_id = $1 and tenant_id = $2 and organization_id = $3 and status = 'pending' for update`,
          [id, principal.tenantId, principal.organizationId],
        )
      : { rows: [] }
    const row = rows[0]
    if (row === undefined) throw notOneOfUs('invitation')
    if (!mayDecide(own, row.role)) throw forbidden()
    const drafts = await end(context, client, [row.invitation_id], 'revoked')
    return { position: await context.outbox.put(client, partyOfPrincipal(principal), drafts) }
  })
}

/** What somebody who is removed has sent, and what is on its way to them. */
export async function revokeInvitationsOf(
  context: IdentityContext,
  client: PoolClient,
  organizationId: string,
  member: { readonly user_id: string; readonly email: string },
): Promise<Draft[]> {
  const { rows } = await client.query<{ invitation_id: string }>(
    `select invitation_id from auth.invitations
     where organization_id = $1 and status = 'pending' and (invited_by = $2 or email = $3) order by invitation_id for update`,
    [organizationId, member.user_id, member.email],
  )
  const ids = rows.map(({ invitation_id }) => invitation_id)
  return ids.length === 0 ? [] : end(context, client, ids, 'member_removed')
}

/** What somebody has sent whose role gives less now: an invitation gives no role that its sender could not. */
export async function revokeInvitationsBeyond(
  context: IdentityContext,
  client: PoolClient,
  organizationId: string,
  sender: { readonly user_id: string; readonly role: Role },
): Promise<Draft[]> {
  const { rows } = await client.query<Pick<InvitationRow, 'invitation_id' | 'role'>>(
    `select invitation_id, role from auth.invitations
     where organization_id = $1 and status = 'pending' and invited_by = $2 order by invitation_id for update`,
    [organizationId, sender.user_id],
  )
  const ids = rows.filter(({ role }) => !mayDecide(sender.role, role)).map(({ invitation_id }) => invitation_id)
  return ids.length === 0 ? [] : end(context, client, ids, 'revoked')
}

async function end(
  { clock }: IdentityContext,
  client: PoolClient,
  ids: readonly string[],
  reason: 'revoked' | 'member_removed',
): Promise<Draft[]> {
  await client.query(
    `update auth.invitations set status = 'revoked', ended_at = $2 where invitation_id = any ($1::uuid[])`,
    [ids, new Date(clock.now())],
  )
  await client.query('delete from auth.codes where invitation_id = any ($1::uuid[])', [ids])
  return ids.map((id) => draft(authEvents, 'invitation_revoked', { invitation_id: id, reason }))
}

const answerOf = (row: InvitationRow, now: number): InvitationAnswer => ({
  id: row.invitation_id,
  email: row.email,
  role: row.role,
  invited_by: row.invited_by,
  created_at: row.created_at.toISOString(),
  expires_at: row.expires_at.toISOString(),
  expired: row.expires_at.getTime() <= now,
})

const forbidden = (): ApiProblem =>
  new ApiProblem(403, 'forbidden', 'Owners invite for any role, admins for admin and member, members no one.')
