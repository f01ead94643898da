/** What identity's parts share, put together once by createIdentity. */

import type { Pool, PoolClient } from '../../connectors/postgres/index.ts'
import type { Clock, Random } from '../../topology/clock.ts'
import type { CodeBox } from './codes.ts'
import type { Outbox } from './outbox.ts'
import type { PasswordHasher } from './passwords.ts'
import type { IdentitySettings } from './settings.ts'
import type { AccessTokens } from './tokens.ts'

/** Makes a tenant's data key, in the transaction that makes the tenant. */
export interface TenantKeys {
  create(client: PoolClient, tenantId: string): Promise<void>
}

export interface IdentityContext {
  /** Connected as role `auth`. */
  readonly pool: Pool
  /** Real time: codes, tokens and lock-outs never follow a warped clock. */
  readonly clock: Clock
  readonly random: Random
  readonly settings: IdentitySettings
  readonly keys: TenantKeys
  readonly outbox: Outbox
  readonly hasher: PasswordHasher
  readonly codes: CodeBox
  readonly tokens: AccessTokens
  /** Digests of the refresh tokens that this process is exchanging at this moment. */
  readonly refreshing: Set<string>
  emailHash(address: string): string
  ipHash(ip: string): string
  /** Runs `work` in one transaction, then wakes the relay. */
  decide<T>(work: (client: PoolClient) => Promise<T>): Promise<T>
}

/** Where a request came from. */
export interface Caller {
  readonly ip: string
}
