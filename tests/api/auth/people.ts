/** Members of an organization, as tests of who decides what need them. */

import type { UserPrincipal } from '../../../api/http/endpoint.ts'
import type { Role } from '../../../api/auth/membership-schemas.ts'
import type { World } from './world.ts'
import { password } from './world.ts'

/** Logs in. */
export async function enter(world: World, email: string, secret = password): Promise<UserPrincipal> {
  const { access_token } = await world.identity.login({ email, password: secret }, { ip: '203.0.113.7' })
  return world.identity.authenticate(access_token)
}

/** Signs up with an organization of their own. */
export async function founder(world: World, email: string): Promise<UserPrincipal> {
  await world.join(email)
  return enter(world, email)
}

/** Invites, accepts and logs in. */
export async function colleague(world: World, owner: UserPrincipal, email: string, role: Role): Promise<UserPrincipal> {
  await world.identity.invite(owner, { email, role })
  const code = await world.codeOf(email, 'invitation')
  await world.identity.acceptInvitation({ code, password, first_name: 'Bob', last_name: 'Cole' })
  return enter(world, email)
}
