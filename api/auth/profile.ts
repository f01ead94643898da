/** Who am I. */

import type { UserPrincipal } from '../http/endpoint.ts'
import type { IdentityContext } from './context.ts'
import type { ProfileAnswer } from './schemas.ts'
import { unauthorized } from './tokens.ts'

type ProfileRow = Omit<ProfileAnswer, 'organization'> & ProfileAnswer['organization']

export async function profile({ pool }: IdentityContext, principal: UserPrincipal): Promise<ProfileAnswer> {
  const { rows } = await pool.query<ProfileRow>(
    `select u.user_id, u.email, u.first_name, u.last_name, u.user_type, u.role,
       o.organization_id, o.tenant_id, o.company_name, o.domain, o.industry
     from auth.users u join auth.organizations o using (organization_id)
     where u.user_id = $1 and o.tenant_id = $2`,
    [principal.userId, principal.tenantId],
  )
  const row = rows[0]
  if (row === undefined) throw unauthorized()
  const { organization_id, tenant_id, company_name, domain, industry, ...user } = row
  return { ...user, organization: { organization_id, tenant_id, company_name, domain, industry } }
}
