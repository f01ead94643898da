/**
 * Sessions: a family of refresh tokens, and the access tokens minted with them. Invariants:
 * R1 A refresh token is used once. Its successor is written in the same transaction.
 * R2 A used token that comes back revokes its whole family. One that was unused when its request came in, or that this
 *    process is exchanging at this moment, lost a race against another request of its owner and is only told so.
 * R3 An access token is good only while its session is: revocation is seen by the next request, in every process.
 */

import type { PoolClient, Queryable } from '../../connectors/postgres/index.ts'
import { authEvents } from '../../schemas/index.ts'
import type { UserPrincipal } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'
import type { IdentityContext } from './context.ts'
import { opaqueToken, sha256, uuid } from './digest.ts'
import type { Draft } from './outbox.ts'
import { draft } from './outbox.ts'
import type { RefreshRequest, TokensAnswer } from './schemas.ts'
import { unauthorized } from './tokens.ts'

/** A user who may hold a session. */
export interface Member {
  readonly user_id: string
  readonly tenant_id: string
  readonly organization_id: string
  readonly user_type: 'client' | 'agent'
  readonly role: string
}

const memberColumns = 'u.user_id, u.tenant_id, u.organization_id, u.user_type, u.role'

export async function openSession(context: IdentityContext, client: PoolClient, member: Member): Promise<TokensAnswer> {
  const now = context.clock.now()
  const sessionId = uuid(context.random)
  const tokenId = uuid(context.random)
  await client.query(
    'insert into auth.sessions (session_id, user_id, created_at, expires_at, token_id) values ($1, $2, $3, $4, $5)',
    [sessionId, member.user_id, new Date(now), new Date(now + context.settings.refreshTokenMs), tokenId],
  )
  return issueTokens(context, client, member, sessionId, tokenId)
}

async function issueTokens(
  context: IdentityContext,
  client: PoolClient,
  { user_id, ...subject }: Member,
  sessionId: string,
  tokenId: string,
): Promise<TokensAnswer> {
  const refreshToken = opaqueToken(context.random)
  await client.query('insert into auth.refresh_tokens (token_hash, session_id, expires_at) values ($1, $2, $3)', [
    sha256(refreshToken),
    sessionId,
    new Date(context.clock.now() + context.settings.refreshTokenMs),
  ])
  const { token, expiresInS } = await context.tokens.mint({ sub: user_id, ...subject, jti: tokenId, sid: sessionId })
  return { access_token: token, token_type: 'Bearer', expires_in: expiresInS, refresh_token: refreshToken }
}

interface RefreshRow extends Member {
  readonly session_id: string
  readonly token_id: string
  readonly expires_at: Date
  readonly used_at: Date | null
  readonly revoked_at: Date | null
}

/** @throws ApiProblem 401, 409 `refresh_conflict` */
export async function refresh(context: IdentityContext, request: RefreshRequest): Promise<TokensAnswer> {
  const hash = sha256(request.refresh_token)
  const name = hash.toString('hex')
  if (context.refreshing.has(name)) throw raced()
  context.refreshing.add(name)
  try {
    const usedOnArrival = (await findToken(context.pool, hash))?.used_at != null
    const outcome = await context.decide((client) => exchange(context, client, hash, usedOnArrival))
    if (outcome === 'refused') throw unauthorized()
    if (outcome === 'raced') throw raced()
    return outcome
  } finally {
    context.refreshing.delete(name)
  }
}

const raced = (): ApiProblem =>
  new ApiProblem(409, 'refresh_conflict', 'Another request refreshed this session just now; use its tokens.')

/** R2. */
async function exchange(
  context: IdentityContext,
  client: PoolClient,
  hash: Buffer,
  usedOnArrival: boolean,
): Promise<TokensAnswer | 'refused' | 'raced'> {
  const row = await findToken(client, hash, 'for update of t, s')
  if (row === null || row.revoked_at !== null) return 'refused'
  if (row.used_at !== null && !usedOnArrival) return 'raced'
  if (row.used_at !== null) {
    await revoke(context, client, row, 'refresh_reuse')
    return 'refused'
  }
  return context.clock.now() < row.expires_at.getTime() ? rotate(context, client, hash, row) : 'refused'
}

/** R1. */
async function rotate(
  context: IdentityContext,
  client: PoolClient,
  hash: Buffer,
  row: RefreshRow,
): Promise<TokensAnswer> {
  const now = context.clock.now()
  const tokenId = uuid(context.random)
  await client.query('update auth.refresh_tokens set used_at = $2 where token_hash = $1', [hash, new Date(now)])
  await client.query('update auth.sessions set token_id = $2, expires_at = $3 where session_id = $1', [
    row.session_id,
    tokenId,
    new Date(now + context.settings.refreshTokenMs),
  ])
  await context.outbox.put(client, partyOf(row), [
    draft(authEvents, 'token_refreshed', { user_id: row.user_id, jti: tokenId }),
  ])
  const { user_id, tenant_id, organization_id, user_type, role } = row
  return issueTokens(context, client, { user_id, tenant_id, organization_id, user_type, role }, row.session_id, tokenId)
}

async function findToken(client: Queryable, hash: Buffer, lock = ''): Promise<RefreshRow | null> {
  const { rows } = await client.query<RefreshRow>(
    `select t.expires_at, t.used_at, s.session_id, s.token_id, s.revoked_at, ${memberColumns}
     from auth.refresh_tokens t join auth.sessions s using (session_id) join auth.users u using (user_id)
     where t.token_hash = $1 ${lock}`,
    [hash],
  )
  return rows[0] ?? null
}

/** Ends the session that a token belongs to, and with it every token of the session. */
export async function logout(context: IdentityContext, principal: UserPrincipal): Promise<void> {
  await context.decide(async (client) => {
    const { rows } = await client.query<Member & { session_id: string; token_id: string }>(
      `select s.session_id, s.token_id, ${memberColumns} from auth.sessions s join auth.users u using (user_id)
       where s.session_id = $1 and s.revoked_at is null for update of s`,
      [principal.sessionId],
    )
    if (rows[0] !== undefined) await revoke(context, client, rows[0], 'logout')
  })
}

async function revoke(
  context: IdentityContext,
  client: PoolClient,
  session: Member & { readonly session_id: string; readonly token_id: string },
  reason: 'logout' | 'refresh_reuse',
): Promise<void> {
  await client.query('update auth.sessions set revoked_at = $2, revoked_reason = $3 where session_id = $1', [
    session.session_id,
    new Date(context.clock.now()),
    reason,
  ])
  await context.outbox.put(client, partyOf(session), [
    draft(authEvents, 'token_revoked', { user_id: session.user_id, jti: session.token_id, reason }),
  ])
}

/**
 * Ends every session of a user; the same transaction must hold what makes them end.
 * @returns the events that say so, one for each session
 */
export async function endSessions(
  context: IdentityContext,
  client: PoolClient,
  userId: string,
  reason: 'password_reset' | 'member_removed',
): Promise<Draft[]> {
  const { rows } = await client.query<{ token_id: string }>(
    `update auth.sessions set revoked_at = $2, revoked_reason = $3 where user_id = $1 and revoked_at is null
     returning token_id`,
    [userId, new Date(context.clock.now()), reason],
  )
  return rows.map(({ token_id }) => draft(authEvents, 'token_revoked', { user_id: userId, jti: token_id, reason }))
}

/** R3: who holds this access token, with the role they have now. @throws ApiProblem 401, the same for every reason */
export async function authenticate({ tokens, pool }: IdentityContext, token: string): Promise<UserPrincipal> {
  const claims = await tokens.verify(token)
  const { rows } = await pool.query<Member>(
    `select ${memberColumns} from auth.sessions s join auth.users u using (user_id)
     where s.session_id = $1 and s.revoked_at is null and u.removed_at is null and u.disabled_at is null
       and u.user_id = $2 and u.tenant_id = $3 and u.organization_id = $4`,
    [claims.sid, claims.sub, claims.tenant_id, claims.organization_id],
  )
  const member = rows[0]
  if (member === undefined) throw unauthorized()
  return {
    kind: 'user',
    tenantId: member.tenant_id,
    organizationId: member.organization_id,
    userId: member.user_id,
    userType: member.user_type,
    role: member.role,
    sessionId: claims.sid,
    tokenId: claims.jti,
  }
}

const partyOf = (member: Member) => ({
  tenantId: member.tenant_id,
  organizationId: member.organization_id,
  userId: member.user_id,
})
