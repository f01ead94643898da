/**
 * A forgotten password: a code to the mailbox, and a new password for the code. Invariants:
 * F1 Asking answers and counts the same for known and unknown addresses, and does the same work in SQL.
 * F2 A code counts as few wrong entries as one of verification (V1), and is good for one new password.
 * F3 With the new password every session of the user ends, in the same transaction; a login that was judging the old one
 *    opens nothing (L3).
 */

import type { PoolClient } from '../../connectors/postgres/index.ts'
import { authEvents } from '../../schemas/index.ts'
import { ApiProblem } from '../http/problem.ts'
import { forget, lockAddress, note, tooMany, tried } from './attempts.ts'
import type { IdentityContext } from './context.ts'
import { parseEmail } from './email.ts'
import { loginWindow } from './login.ts'
import { mail } from './mail.ts'
import { draft, stranger } from './outbox.ts'
import { checkNewPassword } from './passwords.ts'
import type { PendingUser } from './pending-user.ts'
import { lockUser, partyOf } from './pending-user.ts'
import type { ForgotPasswordRequest, ResetPasswordRequest } from './schemas.ts'
import { endSessions } from './sessions.ts'
import { codeFits, dropUserCode, issueUserCode, mailWindow } from './user-codes.ts'

/** @throws ApiProblem 422 `invalid_email`, 429 `too_many_attempts` */
export async function forgotPassword(context: IdentityContext, request: ForgotPasswordRequest): Promise<void> {
  const email = parseEmail(request.email)
  if (email === null) throw new ApiProblem(422, 'invalid_email', 'The e-mail address is not valid.')
  const now = context.clock.now()
  const window = mailWindow(context, 'reset_sent', email.address)
  const refusedUntil = await context.decide(async (client) => {
    const user = await lockUser(client, email.address)
    await lockAddress(client, window)
    const { refusedUntil } = await tried(client, window, now)
    if (refusedUntil !== null) return refusedUntil
    await note(client, window, now)
    if (user === null || user.verified_at === null) await pretend(context, client, window.emailHash)
    else await sendCode(context, client, user, window.emailHash)
    return null
  })
  if (refusedUntil !== null) throw tooMany(refusedUntil, now, 'Too many codes were asked for; try again later.')
}

async function sendCode(
  context: IdentityContext,
  client: PoolClient,
  user: PendingUser,
  emailHash: string,
): Promise<void> {
  const { codeRef, expiresAt } = await issueUserCode(context, client, user, 'reset_password')
  await context.outbox.put(client, { ...partyOf(user), userId: null }, [
    draft(authEvents, 'password_reset_requested', { email_hash: emailHash, user_id: user.user_id }),
    mail(context, {
      contactId: user.user_id,
      template: 'reset_password',
      to: user.email,
      codeRef,
      dedupeKey: `reset_password:${codeRef}`,
      data: { minutes: Math.round((expiresAt - context.clock.now()) / 60_000) },
    }),
  ])
}

/** F1: as many statements as for a known address, the second of them a write that stays. */
async function pretend(context: IdentityContext, client: PoolClient, emailHash: string): Promise<void> {
  await client.query('delete from auth.codes where code_ref = $1', [''])
  await context.outbox.put(client, stranger, [
    draft(authEvents, 'password_reset_requested', { email_hash: emailHash, user_id: null }),
  ])
}

/** @throws ApiProblem 400 `invalid_code`, 422 naming the rule that the new password breaks */
export async function resetPassword(context: IdentityContext, request: ResetPasswordRequest): Promise<void> {
  const email = parseEmail(request.email)
  if (email === null) throw invalidCode()
  checkNewPassword(request.password, email)
  // Hashed before anything is looked up: the time it takes says nothing about who exists.
  const passwordHash = await context.hasher.hash(request.password)
  const done = await context.decide(async (client) => {
    const user = await lockUser(client, email.address)
    if (user === null) return false
    if (!(await codeFits(context, client, user.user_id, 'reset_password', request.code))) return false
    await change(context, client, user, passwordHash)
    return true
  })
  if (!done) throw invalidCode()
}

/** F2, F3. Whoever holds the mailbox is no longer locked out either. */
async function change(
  context: IdentityContext,
  client: PoolClient,
  user: PendingUser,
  passwordHash: string,
): Promise<void> {
  await dropUserCode(client, user.user_id, 'reset_password')
  await client.query('update auth.users set password_hash = $2 where user_id = $1', [user.user_id, passwordHash])
  const window = loginWindow(context, user.email)
  await forget(client, window)
  await client.query('delete from auth.lockouts where email_hash = $1', [window.emailHash])
  await context.outbox.put(client, partyOf(user), [
    draft(authEvents, 'password_changed', { user_id: user.user_id, reason: 'reset' }),
    ...(await endSessions(context, client, user.user_id, 'password_reset')),
  ])
}

const invalidCode = (): ApiProblem =>
  new ApiProblem(
    400,
    'invalid_code',
    'The code is wrong or has expired; POST /api/v1/auth/password/forgot sends a new one.',
  )
