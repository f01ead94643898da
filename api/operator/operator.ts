/** Who may look at the platform as a whole: named accounts, and nobody unless named. */

import type { ResponseSpec, UserPrincipal } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'

export interface Operators {
  /** The address of a verified account. @throws ApiProblem 401 when it is gone */
  emailOf(principal: UserPrincipal): Promise<string>
  /** Addresses in lower case, from `CONSOLE_OPERATORS`. */
  readonly named: ReadonlySet<string>
}

/**
 * The address under which somebody is an operator; null when they are none. An agent's address was typed by a supervisor,
 * and no mailbox has proved it: it makes nobody an operator.
 */
export async function operatorEmail({ emailOf, named }: Operators, principal: UserPrincipal): Promise<string | null> {
  const email = named.size === 0 || principal.userType === 'agent' ? null : (await emailOf(principal)).toLowerCase()
  return email !== null && named.has(email) ? email : null
}

/** @throws ApiProblem 403 `not_an_operator`, for everyone else in the same words */
export async function requireOperator(operators: Operators, principal: UserPrincipal): Promise<string> {
  const email = await operatorEmail(operators, principal)
  if (email !== null) return email
  throw new ApiProblem(403, 'not_an_operator', 'This is for operators: the accounts that CONSOLE_OPERATORS names.')
}

export const operatorsOnly: ResponseSpec = {
  status: 403,
  description: '`not_an_operator`: for the accounts that `CONSOLE_OPERATORS` names',
}
