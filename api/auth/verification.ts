/**
 * From the code in a mail to a verified address and its organization. Invariants:
 * V1 A code counts five wrong entries at most, also when they come at once: its row is locked while it is judged.
 * V2 A wrong or late code leaves nothing but an attempt count.
 * V3 The answer to a resend is the same for unknown, pending and verified addresses, and so is its limit.
 * V4 One verified host has one active organization; who comes second is verified but gets none.
 */

import type { PoolClient } from '../../connectors/postgres/index.ts'
import { authEvents, communicationEvents } from '../../schemas/index.ts'
import { ApiProblem } from '../http/problem.ts'
import type { Window } from './attempts.ts'
import { lockAddress, note, tooMany, tried } from './attempts.ts'
import { sameCode, sixDigits } from './codes.ts'
import type { IdentityContext } from './context.ts'
import { uuid } from './digest.ts'
import { parseEmail } from './email.ts'
import type { Draft } from './outbox.ts'
import { draft } from './outbox.ts'
import type { PendingUser } from './pending-user.ts'
import { lockUser, partyOf } from './pending-user.ts'
import type { ResendCodeRequest, VerifyEmailRequest } from './schemas.ts'

/** Puts a new code in place of the user's old one, and says so to whoever mails it. */
export async function issueCode(context: IdentityContext, client: PoolClient, user: PendingUser): Promise<Draft[]> {
  const { random, settings, clock } = context
  const now = clock.now()
  const codeRef = `auth.codes:${uuid(random)}`
  const expiresAt = now + settings.codeMs
  await client.query(
    `insert into auth.codes (user_id, code_ref, sealed, recipient, expires_at) values ($1, $2, $3, $4, $5)
     on conflict (user_id) do update set code_ref = excluded.code_ref, sealed = excluded.sealed,
       recipient = excluded.recipient, expires_at = excluded.expires_at, wrong_tries = 0, used_at = null`,
    [user.user_id, codeRef, context.codes.seal(codeRef, sixDigits(random)), user.email, new Date(expiresAt)],
  )
  await note(client, codeWindow(context, user.email), now)
  return [
    draft(authEvents, 'verification_code_issued', { user_id: user.user_id, code_ref: codeRef, expires_at: expiresAt }),
    draft(communicationEvents, 'message_requested', {
      contact_id: user.user_id,
      message_id: uuid(random),
      purpose: 'transactional',
      channel: 'email',
      template: 'verify_email',
      data_ref: codeRef,
      dedupe_key: `verify_email:${codeRef}`,
      to: user.email,
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
    if (user === null || !(await codeFits(context, client, user, request.code))) return { is: 'wrong' }
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
    'Your address is verified, but your company already has an organization; ask its owner to add you.',
  )
}

interface CodeRow {
  readonly code_ref: string
  readonly sealed: Buffer
  readonly expires_at: Date
  readonly wrong_tries: number
  readonly used_at: Date | null
}

/** V1, V2. A code that was used fits again, so that a verification whose answer was lost can be repeated. */
async function codeFits(
  context: IdentityContext,
  client: PoolClient,
  user: PendingUser,
  given: string,
): Promise<boolean> {
  const { rows } = await client.query<CodeRow>('select * from auth.codes where user_id = $1 for update', [user.user_id])
  const row = rows[0]
  const now = context.clock.now()
  if (row === undefined || row.wrong_tries >= context.settings.codeTries) return false
  const inTime = row.used_at !== null || now < row.expires_at.getTime()
  if (inTime && sameCode(given, context.codes.open(row.code_ref, row.sealed))) {
    await client.query('update auth.codes set used_at = coalesce(used_at, $2) where user_id = $1', [
      user.user_id,
      new Date(now),
    ])
    return true
  }
  await client.query('update auth.codes set wrong_tries = wrong_tries + 1 where user_id = $1', [user.user_id])
  return false
}

/** V4: whoever verifies a host first gets its organization; the lock makes two of one host take turns. */
async function activate(context: IdentityContext, client: PoolClient, user: PendingUser): Promise<Verdict> {
  const at = new Date(context.clock.now())
  const verified = draft(authEvents, 'email_verified', { user_id: user.user_id })
  await client.query('update auth.users set verified_at = $2 where user_id = $1', [user.user_id, at])
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
    'select status from auth.organizations where organization_id = $1',
    [user.organization_id],
  )
  if (rows[0]?.status !== 'active') return { is: 'superseded' }
  return { is: 'verified', organizationId: user.organization_id, position: null }
}

export const codeWindow = (context: IdentityContext, address: string): Window => ({
  kind: 'code_sent',
  emailHash: context.emailHash(address),
  limit: context.settings.codesPerWindow,
  windowMs: context.settings.codesWindowMs,
})
