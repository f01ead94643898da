/**
 * Sign-up: a work e-mail and a password become a pending user and organization. Invariants:
 * S1 One address is one user and one organization, however often and however concurrently it signs up.
 * S2 The answer to a sign-up is the same for new, pending and verified addresses.
 * S3 Who belongs nowhere any more (removed, or of an organization that was closed) may found one as if new, once nobody has
 *    the host: the address is proved again before anything is theirs, and nothing of the tenant they left comes along.
 */

import type { PoolClient } from '../../connectors/postgres/index.ts'
import { authEvents } from '../../schemas/index.ts'
import { ApiProblem } from '../http/problem.ts'
import { lockAddress, tried } from './attempts.ts'
import type { IdentityContext } from './context.ts'
import { uuid } from './digest.ts'
import type { Email } from './email.ts'
import { isFreeMail, parseEmail, parseHost } from './email.ts'
import { draft, stranger } from './outbox.ts'
import { checkNewPassword } from './passwords.ts'
import type { PendingUser } from './pending-user.ts'
import { lockUser, partyOf } from './pending-user.ts'
import type { SignupRequest } from './schemas.ts'
import { codeWindow, issueCode } from './verification.ts'

/** A sign-up with everything checked and the password hashed. */
interface Application extends Omit<SignupRequest, 'email' | 'password' | 'domain'> {
  readonly email: Email
  readonly passwordHash: string
  readonly domain: string
}

export async function signup(context: IdentityContext, request: SignupRequest): Promise<{ userId: string }> {
  const email = parseEmail(request.email)
  if (email === null) throw new ApiProblem(422, 'invalid_email', 'The e-mail address is not valid.')
  if (isFreeMail(email.host)) return refusePersonal(context, email.host)
  checkNewPassword(request.password, email)
  const domain = request.domain === undefined ? email.host : parseHost(request.domain)
  if (domain === null) throw new ApiProblem(422, 'invalid_domain', 'The domain must be a host name such as acme.com.')
  // Hashed before anything is looked up: the time it takes says nothing about who exists.
  const application = { ...request, email, domain, passwordHash: await context.hasher.hash(request.password) }
  return context.decide((client) => apply(context, client, application))
}

async function refusePersonal(context: IdentityContext, host: string): Promise<never> {
  await context.decide((client) =>
    context.outbox.put(client, stranger, [
      draft(authEvents, 'signup_rejected', { email_domain: host, reason: 'personal_email' }),
    ]),
  )
  throw new ApiProblem(
    400,
    'personal_email',
    `Please sign up with your work email; ${host} is a personal mail provider.`,
  )
}

/** S1: the unique address decides who is first; the others wait for that transaction and find its user. */
async function apply(
  context: IdentityContext,
  client: PoolClient,
  application: Application,
): Promise<{ userId: string }> {
  const now = context.clock.now()
  const created = await insertUser(context, client, application, now)
  if (created !== null) {
    await insertOrganization(client, created, application, now)
    await context.keys.create(client, created.tenant_id)
    await announceSignup(context, client, created, application)
    return { userId: created.user_id }
  }
  const user = await lockUser(client, application.email.address)
  if (user === null) throw new Error('a user that was in the way is gone: users are never deleted')
  const fresh = now - user.signed_up_at.getTime() < context.settings.codeMs
  if (user.verified_at === null && !fresh) await applyAgain(context, client, user, application, now)
  if (user.verified_at !== null && (await belongsNowhere(client, user, application.email.host)))
    await beginAnew(context, client, user, application, now)
  return { userId: user.user_id }
}

/** Who waits to be let in waits at an organization of their host, so they are none of these. */
async function belongsNowhere(client: PoolClient, user: PendingUser, host: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `select from auth.users u join auth.organizations o using (organization_id)
     where u.user_id = $1 and u.user_type = 'client' and (u.removed_at is not null or o.status in ('deleted', 'superseded'))
       and not exists (select from auth.organizations a where a.email_host = $2 and a.status = 'active')`,
    [user.user_id, host],
  )
  return rowCount === 1
}

/** S3: the same person, in a tenant that never was before. */
async function beginAnew(
  context: IdentityContext,
  client: PoolClient,
  user: PendingUser,
  application: Application,
  now: number,
): Promise<void> {
  const window = codeWindow(context, user.email)
  await lockAddress(client, window)
  if ((await tried(client, window, now)).refusedUntil !== null) return
  const place = { tenant_id: uuid(context.random), organization_id: uuid(context.random) }
  const { passwordHash, first_name, last_name } = application
  await client.query(
    `update auth.users set tenant_id = $2, organization_id = $3, role = 'owner', password_hash = $4, first_name = $5,
       last_name = $6, signed_up_at = $7, verified_at = null, joined_at = null, removed_at = null
     where user_id = $1`,
    [user.user_id, place.tenant_id, place.organization_id, passwordHash, first_name, last_name, new Date(now)],
  )
  await client.query('delete from auth.codes where user_id = $1', [user.user_id])
  const founder = { ...user, ...place, first_name }
  await insertOrganization(client, founder, application, now)
  await context.keys.create(client, place.tenant_id)
  await announceSignup(context, client, founder, application)
}

/** The code of an earlier sign-up has run out: what is said now counts, and a new code goes out. */
async function applyAgain(
  context: IdentityContext,
  client: PoolClient,
  user: PendingUser,
  application: Application,
  now: number,
): Promise<void> {
  const window = codeWindow(context, user.email)
  await lockAddress(client, window)
  if ((await tried(client, window, now)).refusedUntil !== null) return
  const { passwordHash, first_name, last_name, company_name, domain, industry } = application
  await client.query(
    'update auth.users set password_hash = $2, first_name = $3, last_name = $4, signed_up_at = $5 where user_id = $1',
    [user.user_id, passwordHash, first_name, last_name, new Date(now)],
  )
  await client.query(
    'update auth.organizations set company_name = $2, domain = $3, industry = $4 where organization_id = $1',
    [user.organization_id, company_name, domain, industry ?? null],
  )
  await announceSignup(context, client, { ...user, first_name }, application)
}

async function insertUser(
  { random }: IdentityContext,
  client: PoolClient,
  { email, passwordHash, first_name, last_name }: Application,
  now: number,
): Promise<PendingUser | null> {
  const { rows } = await client.query<PendingUser>(
    `insert into auth.users (user_id, tenant_id, organization_id, email, password_hash, first_name, last_name,
       user_type, role, signed_up_at)
     values ($1, $2, $3, $4, $5, $6, $7, 'client', 'owner', $8)
     on conflict (email) do nothing
     returning user_id, tenant_id, organization_id, email, first_name, signed_up_at, verified_at`,
    [uuid(random), uuid(random), uuid(random), email.address, passwordHash, first_name, last_name, new Date(now)],
  )
  return rows[0] ?? null
}

async function insertOrganization(
  client: PoolClient,
  user: PendingUser,
  { email, company_name, domain, industry }: Application,
  now: number,
): Promise<void> {
  await client.query(
    `insert into auth.organizations (organization_id, tenant_id, company_name, email_host, domain, industry, status,
       owner_user_id, created_at)
     values ($1, $2, $3, $4, $5, $6, 'pending', $7, $8)`,
    [
      user.organization_id,
      user.tenant_id,
      company_name,
      email.host,
      domain,
      industry ?? null,
      user.user_id,
      new Date(now),
    ],
  )
}

async function announceSignup(
  context: IdentityContext,
  client: PoolClient,
  user: PendingUser,
  { company_name, first_name, last_name, domain }: Application,
): Promise<void> {
  const requested = draft(authEvents, 'signup_requested', {
    email: user.email,
    password_hash_ref: `auth.users:${user.user_id}`,
    company_name,
    first_name,
    last_name,
    domain,
  })
  await context.outbox.put(client, partyOf(user), [requested, ...(await issueCode(context, client, user))])
}
