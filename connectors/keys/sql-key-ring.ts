/**
 * The key ring over `auth.data_keys`. Keys are loaded in batches, before the synchronous pass that needs them, and kept
 * in a bounded cache. Another process may destroy a key, so what is cached is asked for again after a while.
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
  const isFresh = (tenantId: string): boolean => {
    const cached = cache.get(tenantId)
    return cached !== undefined && (cached.key === 'erased' || clock.now() - cached.loadedAt < refreshAfterMs)
  }
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

  return {
    async load(tenantIds) {
      const wanted = [...new Set(tenantIds)].filter((tenantId) => uuid.test(tenantId) && !isFresh(tenantId))
      if (wanted.length === 0) return
      const { rows } = await pool.query<{ tenant_id: string; wrapped_key: Buffer | null }>(
        'select tenant_id, wrapped_key from auth.data_keys where tenant_id = any($1::uuid[])',
        [wanted],
      )
      for (const { tenant_id, wrapped_key } of rows)
        remember(tenant_id, wrapped_key === null ? 'erased' : open(tenant_id, wrapped_key))
    },
    get: (tenantId) => cache.get(tenantId)?.key,
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
