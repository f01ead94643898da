/**
 * The key ring over `auth.data_keys`. Keys are loaded in batches, before the synchronous pass that needs them, and kept
 * in a bounded cache. Another process may destroy a key, so a key that is still used after a while is read again behind
 * the back of its user, who keeps the one at hand meanwhile.
 */

import { randomBytes } from 'node:crypto'
import type { KeyRing } from '../../schemas/index.ts'
import type { Clock } from '../../topology/index.ts'
import type { Pool, Queryable } from '../postgres/index.ts'
import { unwrapKey, wrapKey, wrappingKey } from './key-wrap.ts'

/** WRONG_MASTER_SECRET: a stored key does not open. NO_KEY: the tenant has none, or it is destroyed already. */
export type KeyRingErrorCode = 'WRONG_MASTER_SECRET' | 'NO_KEY'

export class KeyRingError extends Error {
  readonly code: KeyRingErrorCode
  constructor(code: KeyRingErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'KeyRingError'
    this.code = code
  }
}

export interface KeyRingOptions {
  /** Of a role that may read keys; one that may make or destroy them, where that is done. */
  readonly pool: Pool
  readonly masterSecret: string
  readonly clock: Clock
  /** Most tenants kept in memory: more than any batch holds. */
  readonly maxTenants?: number
  /** A cached key older than this is read again, in ms. */
  readonly refreshAfterMs?: number
}

export interface SqlKeyRing extends KeyRing {
  /** Makes the tenant's key inside the caller's transaction; does nothing when it has one. */
  create(client: Queryable, tenantId: string): Promise<void>
  /** Erasure: from now on `get` answers `erased`. @throws KeyRingError NO_KEY */
  destroy(tenantId: string): Promise<void>
}

interface Cached {
  readonly key: Buffer | 'erased'
  readonly loadedAt: number
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function openKeyRing(options: KeyRingOptions): SqlKeyRing {
  const { pool, clock, maxTenants = 50_000, refreshAfterMs = 300_000 } = options
  const under = wrappingKey(options.masterSecret)
  const cache = new Map<string, Cached>()

  const remember = (tenantId: string, key: Buffer | 'erased'): void => {
    cache.delete(tenantId)
    cache.set(tenantId, { key, loadedAt: clock.now() })
    if (cache.size > maxTenants) cache.delete(cache.keys().next().value!)
  }
  const isOld = ({ key, loadedAt }: Cached): boolean => key !== 'erased' && clock.now() - loadedAt >= refreshAfterMs
  const open = (tenantId: string, wrapped: Buffer): Buffer => {
    try {
      return unwrapKey(wrapped, tenantId, under)
    } catch (error) {
      throw new KeyRingError(
        'WRONG_MASTER_SECRET',
        `the data key of tenant ${tenantId} does not open with this master secret`,
        error,
      )
    }
  }

  const read = async (tenantIds: readonly string[]): Promise<void> => {
    const { rows } = await pool.query<{ tenant_id: string; wrapped_key: Buffer | null }>(
      'select tenant_id, wrapped_key from auth.data_keys where tenant_id = any($1::uuid[])',
      [tenantIds],
    )
    for (const { tenant_id, wrapped_key } of rows)
      remember(tenant_id, wrapped_key === null ? 'erased' : open(tenant_id, wrapped_key))
  }
  const old = new Set<string>()
  const readOld = (): void => {
    const tenantIds = [...old]
    // A database that is away is noticed by who must read it; the next use asks again.
    void read(tenantIds)
      .catch(() => undefined)
      .finally(() => tenantIds.forEach((tenantId) => old.delete(tenantId)))
  }

  return {
    async load(tenantIds) {
      const wanted = [...new Set(tenantIds)].filter((tenantId) => {
        const cached = cache.get(tenantId)
        return uuid.test(tenantId) && (cached === undefined || isOld(cached))
      })
      if (wanted.length > 0) await read(wanted)
    },
    get(tenantId) {
      const cached = cache.get(tenantId)
      if (cached !== undefined && isOld(cached) && !old.has(tenantId)) {
        if (old.size === 0) clock.after(0, readOld)
        old.add(tenantId)
      }
      return cached?.key
    },
    async create(client, tenantId) {
      await client.query(
        'insert into auth.data_keys (tenant_id, wrapped_key) values ($1, $2) on conflict (tenant_id) do nothing',
        [tenantId, wrapKey(randomBytes(32), tenantId, under)],
      )
    },
    async destroy(tenantId) {
      const { rowCount } = await pool.query(
        'update auth.data_keys set wrapped_key = null, destroyed_at = clock_timestamp() where tenant_id = $1 and destroyed_at is null',
        [tenantId],
      )
      if (rowCount !== 1) throw new KeyRingError('NO_KEY', `tenant ${tenantId} has no data key to destroy`)
      remember(tenantId, 'erased')
    },
  }
}
