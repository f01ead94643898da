/** Names of companies by the id of their organization, asked for once each. */

import { get } from './http.ts'

const known = new Map<string, Promise<string | null>>()

/** Null when it has none, or cannot be asked for now. */
export function companyName(organizationId: string): Promise<string | null> {
  const name = known.get(organizationId) ?? ask(organizationId)
  known.set(organizationId, name)
  return name
}

const ask = (organizationId: string): Promise<string | null> =>
  get<{ company_name: string | null }>(`/organizations/${organizationId}`).then(
    ({ company_name }) => company_name,
    () => {
      known.delete(organizationId)
      return null
    },
  )
