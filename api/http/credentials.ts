/** Who asks: from the Authorization header alone. Cookies, forwarded headers and the body never say. */

import type { ApiKeyPrincipal, Endpoint, Principal, UserPrincipal } from './endpoint.ts'
import { ApiProblem } from './problem.ts'

export interface Authenticators {
  /** @throws ApiProblem 401 */
  authenticate(token: string): Promise<UserPrincipal>
  /** @throws ApiProblem 401 */
  authenticateApiKey(key: string): Promise<ApiKeyPrincipal>
  /**
   * Takes one request of a key's quota; where it is absent, keys have none.
   * @returns headers that say what is left
   * @throws ApiProblem 429 `quota_exceeded`
   */
  spendQuota?(key: ApiKeyPrincipal): Promise<Readonly<Record<string, string>>>
}

const apiKeyMark = 'lck_'
const bearer = /^Bearer ([^\s]{1,8192})$/i

/** The one answer to every failed authentication. */
const unauthorized = (): ApiProblem =>
  new ApiProblem(401, 'unauthorized', 'The credentials are missing, wrong or no longer valid.', {
    headers: { 'WWW-Authenticate': 'Bearer' },
  })

/**
 * @throws ApiProblem 401 for every reason but two: 403 `wrong_credential` for a good credential of the other kind, 403
 * `insufficient_scope` for a good key that may not do this
 */
export async function principalOf(
  { auth, scope }: Pick<Endpoint, 'auth' | 'scope'>,
  authorization: string | undefined,
  authenticators: Authenticators,
): Promise<Principal | null> {
  if (auth === 'none') return null
  const credential = bearer.exec(authorization ?? '')?.[1]
  if (credential === undefined) throw unauthorized()
  const isKey = credential.startsWith(apiKeyMark)
  if (!isKey && auth === 'api_key') throw unauthorized()
  const principal = isKey
    ? await authenticators.authenticateApiKey(credential)
    : await authenticators.authenticate(credential)
  if (isKey && auth === 'bearer')
    throw new ApiProblem(403, 'wrong_credential', 'An API key is not enough here; log in for this.')
  if (principal.kind === 'api_key' && (scope === undefined || !principal.scopes.includes(scope)))
    throw new ApiProblem(403, 'insufficient_scope', `This API key lacks the scope ${scope ?? 'for this'}.`)
  return principal
}
