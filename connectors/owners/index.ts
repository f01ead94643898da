/** Who stands for an organization outside: read when a call is made, so that no event carries a name or an address. */

import type { Pool } from '../postgres/index.ts'

export interface Owner {
  readonly name: string
  readonly email: string
}

/** Null when the organization has no owner (any more). @throws what the database throws */
export type ResolveOwner = (tenantId: string, organizationId: string) => Promise<Owner | null>

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** @param pool connected as role `effects` */
export function ownerReader(pool: Pool): ResolveOwner {
  return async (tenantId, organizationId) => {
    if (!uuid.test(tenantId) || !uuid.test(organizationId)) return null
    const { rows } = await pool.query<{ first_name: string; last_name: string; email: string }>(
      `select first_name, last_name, email from auth.users
       where tenant_id = $1 and organization_id = $2 and role = 'owner' and verified_at is not null and removed_at is null
       order by signed_up_at, user_id limit 1`,
      [tenantId, organizationId],
    )
    const [row] = rows
    return row === undefined ? null : { name: `${row.first_name} ${row.last_name}`.trim(), email: row.email }
  }
}
