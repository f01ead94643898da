/**
 * API keys: what programs authenticate with. Shown once; only a digest is kept, and a prefix to know a key by. A key has
 * scopes, which endpoints ask for, and a quota (quotas.ts).
 */

import type { PoolClient } from '../../connectors/postgres/index.ts'
import { authEvents } from '../../schemas/index.ts'
import type { ApiKeyPrincipal, ApiKeyScope, UserPrincipal } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'
import type { IdentityContext } from './context.ts'
import { isUuid, opaqueToken, sha256, uuid } from './digest.ts'
import type { Draft } from './outbox.ts'
import { draft, partyOfPrincipal } from './outbox.ts'
import type { ApiKeyAnswer, CreateApiKeyRequest, NewApiKeyAnswer } from './schemas.ts'
import { unauthorized } from './tokens.ts'
import { takeTurn } from './turn.ts'

const mark = 'lck_'
const form = /^lck_[A-Za-z0-9_-]{43}$/
const prefixLength = mark.length + 8

/** Whether a credential is meant to be an API key; anything else is an access token. */
export const looksLikeApiKey = (credential: string): boolean => credential.startsWith(mark)

/** @throws ApiProblem 403 for anyone but an owner, 409 `too_many_api_keys` */
export async function createApiKey(
  context: IdentityContext,
  owner: UserPrincipal,
  request: CreateApiKeyRequest,
): Promise<NewApiKeyAnswer> {
  requireOwner(owner.role)
  const { random, clock } = context
  const key = mark + opaqueToken(random)
  const row: KeyRow = {
    id: uuid(random),
    name: request.name,
    prefix: key.slice(0, prefixLength),
    scopes: request.scopes ?? ['events:write'],
    per_minute: request.per_minute ?? null,
    per_day: request.per_day ?? null,
    created_at: new Date(clock.now()),
  }
  await context.decide(async (client) => {
    requireOwner(await takeTurn(client, owner))
    await requireRoomForKey(context, client, owner.organizationId)
    await client.query(
      `insert into auth.api_keys (key_id, tenant_id, organization_id, name, prefix, key_hash, created_by, created_at,
         scopes, per_minute, per_day)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      [
        ...[row.id, owner.tenantId, owner.organizationId, row.name, row.prefix, sha256(key), owner.userId],
        ...[row.created_at, row.scopes, row.per_minute, row.per_day],
      ],
    )
    await context.outbox.put(client, partyOfPrincipal(owner), [
      draft(authEvents, 'api_key_created', { key_id: row.id, name: row.name, scopes: row.scopes }),
    ])
  })
  return { ...answerOf(context, row), key }
}

async function requireRoomForKey({ settings }: IdentityContext, client: PoolClient, organizationId: string) {
  const { rows } = await client.query<{ n: number }>(
    'select count(*)::int as n from auth.api_keys where organization_id = $1 and revoked_at is null',
    [organizationId],
  )
  const limit = settings.apiKeysPerOrganization
  if (rows[0]!.n < limit) return
  throw new ApiProblem(409, 'too_many_api_keys', `An organization has at most ${limit} API keys; revoke one first.`)
}

export async function listApiKeys(context: IdentityContext, owner: UserPrincipal): Promise<readonly ApiKeyAnswer[]> {
  requireOwner(owner.role)
  const { rows } = await context.pool.query<KeyRow>(
    `select key_id as id, name, prefix, scopes, per_minute, per_day, created_at from auth.api_keys
     where tenant_id = $1 and organization_id = $2 and revoked_at is null order by created_at, key_id`,
    [owner.tenantId, owner.organizationId],
  )
  return rows.map((row) => answerOf(context, row))
}

interface KeyRow {
  readonly id: string
  readonly name: string
  readonly prefix: string
  readonly scopes: ApiKeyScope[]
  /** PostgreSQL sends a bigint as text. */
  readonly per_minute: number | string | null
  readonly per_day: number | string | null
  readonly created_at: Date
}

const answerOf = ({ settings }: IdentityContext, row: KeyRow): ApiKeyAnswer => ({
  id: row.id,
  name: row.name,
  prefix: row.prefix,
  scopes: row.scopes,
  per_minute: Number(row.per_minute ?? settings.apiKeyPerMinute),
  per_day: Number(row.per_day ?? settings.apiKeyPerDay),
  created_at: row.created_at.toISOString(),
})

/** @throws ApiProblem 403 for anyone but an owner, 404 for a key that is not theirs or no longer there */
export async function revokeApiKey(context: IdentityContext, owner: UserPrincipal, id: string): Promise<void> {
  requireOwner(owner.role)
  await context.decide(async (client) => {
    requireOwner(await takeTurn(client, owner))
    const { rowCount } = isUuid(id)
      ? await client.query(
          `update auth.api_keys set revoked_at = $4
           where key_id = $1 and tenant_id = $2 and organization_id = $3 and revoked_at is null`,
          [id, owner.tenantId, owner.organizationId, new Date(context.clock.now())],
        )
      : { rowCount: 0 }
    if (rowCount === 0) throw new ApiProblem(404, 'not_found', 'There is no such API key.')
    await context.outbox.put(client, partyOfPrincipal(owner), [
      draft(authEvents, 'api_key_revoked', { key_id: id.toLowerCase(), reason: 'revoked' }),
    ])
  })
}

/** The keys somebody made end with their membership. @returns the events that say so */
export async function revokeKeysOf(
  { clock }: IdentityContext,
  client: PoolClient,
  userId: string,
  reason: 'member_removed',
): Promise<Draft[]> {
  const { rows } = await client.query<{ key_id: string }>(
    'update auth.api_keys set revoked_at = $2 where created_by = $1 and revoked_at is null returning key_id',
    [userId, new Date(clock.now())],
  )
  return rows.map(({ key_id }) => draft(authEvents, 'api_key_revoked', { key_id, reason }))
}

/** Looked up on every use, so that a revoked key stops at once. @throws ApiProblem 401, the same for every reason */
export async function authenticateApiKey({ pool, settings }: IdentityContext, key: string): Promise<ApiKeyPrincipal> {
  if (!form.test(key)) throw unauthorized()
  const { rows } = await pool.query<
    Pick<KeyRow, 'id' | 'scopes' | 'per_minute' | 'per_day'> & { tenant_id: string; organization_id: string }
  >(
    `select k.key_id as id, k.tenant_id, k.organization_id, k.scopes, k.per_minute, k.per_day
     from auth.api_keys k join auth.organizations o using (organization_id)
     where k.key_hash = $1 and k.revoked_at is null and o.status = 'active'`,
    [sha256(key)],
  )
  const row = rows[0]
  if (row === undefined) throw unauthorized()
  return {
    kind: 'api_key',
    tenantId: row.tenant_id,
    organizationId: row.organization_id,
    keyId: row.id,
    role: 'producer',
    scopes: row.scopes,
    perMinute: Number(row.per_minute ?? settings.apiKeyPerMinute),
    perDay: Number(row.per_day ?? settings.apiKeyPerDay),
  }
}

function requireOwner(role: string): void {
  if (role !== 'owner') throw new ApiProblem(403, 'forbidden', 'Only an owner may manage API keys.')
}
