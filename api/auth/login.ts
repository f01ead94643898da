/**
 * Login with a password. Invariants:
 * L1 Five failures of an address within 15 sliding minutes; the next answers 429 whatever the password is. Failures are
 *    counted after hashing, one address at a time, so parallel guesses learn no more than five answers.
 * L2 An unknown address does the same work, counts the same and answers the same as a wrong password.
 * L3 What decides is the user as they stand when the session opens: a password that was reset, or a member who was
 *    removed, while the guess was hashed opens nothing.
 */

import type { PoolClient, Queryable } from '../../connectors/postgres/index.ts'
import { authEvents } from '../../schemas/index.ts'
import { ApiProblem } from '../http/problem.ts'
import type { Window } from './attempts.ts'
import { forget, lockAddress, note, tooMany, tried } from './attempts.ts'
import type { Caller, IdentityContext } from './context.ts'
import { parseEmail } from './email.ts'
import type { Party } from './outbox.ts'
import { draft, stranger } from './outbox.ts'
import type { LoginRequest, TokensAnswer } from './schemas.ts'
import type { Member } from './sessions.ts'
import { openSession } from './sessions.ts'

interface LoginRow extends Member {
  readonly password_hash: string
  readonly verified: boolean
  readonly status: 'pending' | 'active' | 'superseded' | 'deleted' | 'removed'
}

type Outcome =
  | { readonly is: 'locked'; readonly until: number }
  | { readonly is: 'wrong' | 'unverified' | 'no_organization' }
  | { readonly is: 'in'; readonly tokens: TokensAnswer }

/** @throws ApiProblem 401 `wrong_credentials`, 403 `email_not_verified` or `no_organization`, 429 `too_many_attempts` */
export async function login(context: IdentityContext, request: LoginRequest, from: Caller): Promise<TokensAnswer> {
  const address = parseEmail(request.email)?.address ?? request.email.trim().toLowerCase()
  const window = loginWindow(context, address)
  const user = await findUser(context.pool, address)
  // While locked nothing is hashed: a flood of guesses costs little.
  const locked = (await tried(context.pool, window, context.clock.now())).refusedUntil !== null
  const matches = !locked && (await context.hasher.matches(request.password, user?.password_hash ?? null))
  const guess = { window, address, matched: matches ? user!.password_hash : null, from }
  const outcome = await context.decide((client) => judge(context, client, guess))
  switch (outcome.is) {
    case 'in':
      return outcome.tokens
    case 'locked':
      throw tooMany(outcome.until, context.clock.now(), 'Too many failed logins; try again later.')
    case 'wrong':
      throw new ApiProblem(401, 'wrong_credentials', 'The e-mail or the password is wrong.')
    case 'unverified':
      throw new ApiProblem(403, 'email_not_verified', 'Verify your e-mail address first; a new code can be requested.')
    case 'no_organization':
      throw new ApiProblem(
        403,
        'no_organization',
        'You belong to no organization; ask an owner of your company to let you in, or to invite you.',
      )
  }
}

interface Guess {
  readonly window: Window
  readonly address: string
  /** The stored hash that the password fits; null when it fits none. */
  readonly matched: string | null
  readonly from: Caller
}

async function judge(context: IdentityContext, client: PoolClient, guess: Guess): Promise<Outcome> {
  const { window, address, matched, from } = guess
  const now = context.clock.now()
  await lockAddress(client, window)
  const user = await findUser(client, address, 'for share of u')
  const { count, refusedUntil } = await tried(client, window, now)
  if (refusedUntil !== null) {
    await announceLock(context, client, { window, user }, refusedUntil)
    return { is: 'locked', until: refusedUntil }
  }
  if (user === null || matched !== user.password_hash) {
    await note(client, window, now)
    const reason = user === null ? 'unknown_email' : 'wrong_password'
    await context.outbox.put(client, partyOf(user, false), [
      draft(authEvents, 'login_failed', { email_hash: window.emailHash, reason, attempts_in_window: count + 1 }),
    ])
    return { is: 'wrong' }
  }
  if (!user.verified) return { is: 'unverified' }
  if (user.status !== 'active') return { is: 'no_organization' }
  await forget(client, window)
  await context.outbox.put(client, partyOf(user, true), [
    draft(authEvents, 'login_succeeded', {
      user_id: user.user_id,
      ip_hash: context.ipHash(from.ip),
      method: 'password',
    }),
  ])
  const { user_id, tenant_id, organization_id, user_type, role } = user
  return {
    is: 'in',
    tokens: await openSession(context, client, { user_id, tenant_id, organization_id, user_type, role }),
  }
}

/** One event per lock, however often it is run into. */
async function announceLock(
  context: IdentityContext,
  client: PoolClient,
  { window, user }: { readonly window: Window; readonly user: LoginRow | null },
  until: number,
): Promise<void> {
  const { rowCount } = await client.query(
    `insert into auth.lockouts (email_hash, until) values ($1, $2)
     on conflict (email_hash) do update set until = excluded.until where lockouts.until < excluded.until`,
    [window.emailHash, new Date(until)],
  )
  if (rowCount === 0) return
  await context.outbox.put(client, partyOf(user, false), [
    draft(authEvents, 'login_locked', { email_hash: window.emailHash, until }),
  ])
}

/** Whom a login is about. Someone who did not prove to be the user acts as nobody. */
function partyOf(user: LoginRow | null, proved: boolean): Party {
  if (user === null) return stranger
  return { tenantId: user.tenant_id, organizationId: user.organization_id, userId: proved ? user.user_id : null }
}

async function findUser(client: Queryable, address: string, lock = ''): Promise<LoginRow | null> {
  const { rows } = await client.query<LoginRow>(
    `select u.user_id, u.tenant_id, u.organization_id, u.user_type, u.role, u.password_hash,
       u.verified_at is not null as verified, case when u.removed_at is null then o.status else 'removed' end as status
     from auth.users u join auth.organizations o using (organization_id) 
     where u.email = $1 and u.disabled_at is null ${lock}`,
    [address],
  )
  return rows[0] ?? null
}

export const loginWindow = (context: IdentityContext, address: string): Window => ({
  kind: 'login_failed',
  emailHash: context.emailHash(address),
  limit: context.settings.loginFailures,
  windowMs: context.settings.loginWindowMs,
})
