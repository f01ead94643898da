/** API keys: what programs authenticate with. Shown once; only a digest is kept, and a prefix to know a key by. */

import { inTransaction } from '../../connectors/postgres/index.ts'
import type { ApiKeyPrincipal, UserPrincipal } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'
import type { IdentityContext } from './context.ts'
import { opaqueToken, sha256, uuid } from './digest.ts'
import type { ApiKeyAnswer, CreateApiKeyRequest, NewApiKeyAnswer } from './schemas.ts'
import { unauthorized } from './tokens.ts'

const mark = 'lck_'
const form = /^lck_[A-Za-z0-9_-]{43}$/
const prefixLength = mark.length + 8
const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Whether a credential is meant to be an API key; anything else is an access token. */
export const looksLikeApiKey = (credential: string): boolean => credential.startsWith(mark)

/** @throws ApiProblem 403 for anyone but an owner, 409 `too_many_api_keys` */
export async function createApiKey(
  { pool, random, clock, settings }: IdentityContext,
  owner: UserPrincipal,
  { name }: CreateApiKeyRequest,
): Promise<NewApiKeyAnswer> {
  requireOwner(owner)
  const key = mark + opaqueToken(random)
  const made = {
    id: uuid(random),
    name,
    prefix: key.slice(0, prefixLength),
    created_at: new Date(clock.now()).toISOString(),
  }
  await inTransaction(pool, async (client) => {
    await client.query('select from auth.organizations where organization_id = $1 for update', [owner.organizationId])
    const { rows } = await client.query<{ n: number }>(
      'select count(*)::int as n from auth.api_keys where organization_id = $1 and revoked_at is null',
      [owner.organizationId],
    )
    const limit = settings.apiKeysPerOrganization
    if (rows[0]!.n >= limit) {
      throw new ApiProblem(409, 'too_many_api_keys', `An organization has at most ${limit} API keys; revoke one first.`)
    }
    await client.query(
      `insert into auth.api_keys (key_id, tenant_id, organization_id, name, prefix, key_hash, created_by, created_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [made.id, owner.tenantId, owner.organizationId, name, made.prefix, sha256(key), owner.userId, made.created_at],
    )
  })
  return { ...made, key }
}

export async function listApiKeys({ pool }: IdentityContext, owner: UserPrincipal): Promise<readonly ApiKeyAnswer[]> {
  requireOwner(owner)
  const { rows } = await pool.query<Omit<ApiKeyAnswer, 'created_at'> & { created_at: Date }>(
    `select key_id as id, name, prefix, created_at from auth.api_keys
     where tenant_id = $1 and organization_id = $2 and revoked_at is null order by created_at, key_id`,
    [owner.tenantId, owner.organizationId],
  )
  return rows.map((row) => ({ ...row, created_at: row.created_at.toISOString() }))
}

/** @throws ApiProblem 403 for anyone but an owner, 404 for a key that is not theirs or no longer there */
export async function revokeApiKey({ pool, clock }: IdentityContext, owner: UserPrincipal, id: string): Promise<void> {
  requireOwner(owner)
  const revoked = uuidForm.test(id)
    ? await pool.query(
        `update auth.api_keys set revoked_at = $4
         where key_id = $1 and tenant_id = $2 and organization_id = $3 and revoked_at is null`,
        [id, owner.tenantId, owner.organizationId, new Date(clock.now())],
      )
    : { rowCount: 0 }
  if (revoked.rowCount === 0) throw new ApiProblem(404, 'not_found', 'There is no such API key.')
}

/** Looked up on every use, so that a revoked key stops at once. @throws ApiProblem 401, the same for every reason */
export async function authenticateApiKey({ pool }: IdentityContext, key: string): Promise<ApiKeyPrincipal> {
  if (!form.test(key)) throw unauthorized()
  const { rows } = await pool.query<{ key_id: string; tenant_id: string; organization_id: string }>(
    `select k.key_id, k.tenant_id, k.organization_id from auth.api_keys k join auth.organizations o using (organization_id)
     where k.key_hash = $1 and k.revoked_at is null and o.status = 'active'`,
    [sha256(key)],
  )
  const row = rows[0]
  if (row === undefined) throw unauthorized()
  return {
    kind: 'api_key',
    tenantId: row.tenant_id,
    organizationId: row.organization_id,
    keyId: row.key_id,
    role: 'producer',
  }
}

function requireOwner(principal: UserPrincipal): void {
  if (principal.role !== 'owner') throw new ApiProblem(403, 'forbidden', 'Only an owner may manage API keys.')
}
