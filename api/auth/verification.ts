/**
 * From the code in a mail to a verified address and its organization. Invariants:
 * V3 The answer to a resend is the same for unknown, pending and verified addresses, and so is its limit.
 * V4 One verified host has one active organization; who comes second is verified, and asks its owners to be let in.
 */

import type { PoolClient } from '../../connectors/postgres/index.ts'
import { authEvents } from '../../schemas/index.ts'
import { ApiProblem } from '../http/problem.ts'
import type { Window } from './attempts.ts'
import { lockAddress, note, tooMany, tried } from './attempts.ts'
import type { IdentityContext } from './context.ts'
import { parseEmail } from './email.ts'
import { requestToJoin } from './join-requests.ts'
import { mail } from './mail.ts'
import type { Draft } from './outbox.ts'
import { draft } from './outbox.ts'
import type { PendingUser } from './pending-user.ts'
import { lockUser, partyOf } from './pending-user.ts'
import type { ResendCodeRequest, VerifyEmailRequest } from './schemas.ts'
import { codeFits, issueUserCode, mailWindow } from './user-codes.ts'

/** Puts a new code in place of the user's old one, and says so to whoever mails it. */
export async function issueCode(context: IdentityContext, client: PoolClient, user: PendingUser): Promise<Draft[]> {
  const { codeRef, expiresAt } = await issueUserCode(context, client, user, 'verify_email')
  await note(client, codeWindow(context, user.email), context.clock.now())
  return [
    draft(authEvents, 'verification_code_issued', { user_id: user.user_id, code_ref: codeRef, expires_at: expiresAt }),
    mail(context, {
      contactId: user.user_id,
      template: 'verify_email',
      to: user.email,
      codeRef,
      dedupeKey: `verify_email:${codeRef}`,
      data: { first_name: user.first_name },
    }),
  ]
}

/** A new code for an address that waits for one. V3: nothing in the answer, nor in its limit, depends on who exists. */
export async function resendCode(context: IdentityContext, request: ResendCodeRequest): Promise<void> {
  const email = parseEmail(request.email)
  if (email === null) throw new ApiProblem(422, 'invalid_email', 'The e-mail address is not valid.')
  const now = context.clock.now()
  const refusedUntil = await context.decide(async (client) => {
    const user = await lockUser(client, email.address)
    const window = codeWindow(context, email.address)
    await lockAddress(client, window)
    const { refusedUntil } = await tried(client, window, now)
    if (refusedUntil !== null) return refusedUntil
    if (user === null || user.verified_at !== null) await note(client, window, now)
    else await context.outbox.put(client, partyOf(user), await issueCode(context, client, user))
    return null
  })
  if (refusedUntil !== null) throw tooMany(refusedUntil, now, 'Too many codes were asked for; try again later.')
}

type Verdict =
  | { readonly is: 'wrong' }
  | { readonly is: 'superseded' }
  | { readonly is: 'verified'; readonly organizationId: string; readonly position: string | null }

export interface Verified {
  readonly organizationId: string
  /** Where the events of this verification leave; null when it repeats an earlier one. */
  readonly position: string | null
}

/** @throws ApiProblem 400 `invalid_code`, 409 `organization_exists` */
export async function verifyEmail(context: IdentityContext, request: VerifyEmailRequest): Promise<Verified> {
  const address = parseEmail(request.email)?.address
  const verdict = await context.decide<Verdict>(async (client) => {
    const user = address === undefined ? null : await lockUser(client, address)
    if (user === null || !(await codeFits(context, client, user.user_id, 'verify_email', request.code)))
      return { is: 'wrong' }
    return user.verified_at === null ? activate(context, client, user) : repeat(client, user)
  })
  if (verdict.is === 'verified') return verdict
  if (verdict.is === 'wrong')
    throw new ApiProblem(
      400,
      'invalid_code',
      'The code is wrong or has expired; POST /api/v1/auth/resend-code sends a new one.',
    )
  throw new ApiProblem(
    409,
    'organization_exists',
    'Your address is verified. Your company already has an organization: its owner was asked to let you in.',
  )
}

/** V4: whoever verifies a host first gets its organization; the lock makes two of one host take turns. */
async function activate(context: IdentityContext, client: PoolClient, user: PendingUser): Promise<Verdict> {
  const at = new Date(context.clock.now())
  const verified = draft(authEvents, 'email_verified', { user_id: user.user_id })
  await client.query('update auth.users set verified_at = $2, joined_at = $2 where user_id = $1', [user.user_id, at])
  const host = user.email.slice(user.email.lastIndexOf('@') + 1)
  await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`email_host:${host}`])
  const { rows } = await client.query<{
    company_name: string
    domain: string
    industry: string | null
    status: string
  }>(
    `update auth.organizations set verified_at = $2, status = case when exists (
       select from auth.organizations where email_host = $3 and status = 'active') then 'superseded' else 'active' end
     where organization_id = $1 returning company_name, domain, industry, status`,
    [user.organization_id, at, host],
  )
  const { company_name, domain, industry, status } = rows[0]!
  if (status === 'superseded') {
    await context.outbox.put(client, partyOf(user), [verified])
    await requestToJoin(context, client, user, host)
    return { is: 'superseded' }
  }
  const position = await context.outbox.put(client, partyOf(user), [
    verified,
    draft(authEvents, 'organization_created', { company_name, domain, industry, owner_user_id: user.user_id }),
    draft(authEvents, 'member_added', { user_id: user.user_id, role: 'owner' }),
  ])
  return { is: 'verified', organizationId: user.organization_id, position }
}

async function repeat(client: PoolClient, user: PendingUser): Promise<Verdict> {
  const { rows } = await client.query<{ status: string }>(
    `select o.status from auth.users u join auth.organizations o using (organization_id)
     where u.user_id = $1 and u.removed_at is null`,
    [user.user_id],
  )
  if (rows[0]?.status !== 'active') return { is: 'superseded' }
  return { is: 'verified', organizationId: user.organization_id, position: null }
}

export const codeWindow = (context: IdentityContext, address: string): Window =>
  mailWindow(context, 'code_sent', address)
