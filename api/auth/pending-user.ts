/** A user from sign-up to the verified address, as the parts of that path see it. */

import type { PoolClient } from '../../connectors/postgres/index.ts'
import type { Party } from './outbox.ts'

export interface PendingUser {
  readonly user_id: string
  readonly tenant_id: string
  readonly organization_id: string
  readonly email: string
  readonly first_name: string
  readonly signed_up_at: Date
  readonly verified_at: Date | null
}

/** The user of an address, locked until the transaction ends; locks are taken in this order: user, code, address. */
export async function lockUser(client: PoolClient, address: string): Promise<PendingUser | null> {
  const { rows } = await client.query<PendingUser>(
    `select user_id, tenant_id, organization_id, email, first_name, signed_up_at, verified_at
     from auth.users where email = $1 for update`,
    [address],
  )
  return rows[0] ?? null
}

export const partyOf = (user: PendingUser): Party => ({
  tenantId: user.tenant_id,
  organizationId: user.organization_id,
  userId: user.user_id,
})
