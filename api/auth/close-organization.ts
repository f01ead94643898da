/**
 * An owner closes their organization. Invariants:
 * D1 It is closed for everyone at once: sessions, API keys, invitations and join requests end in the same transaction, and
 *    `organization_deleted` says it for all of them.
 * D2 Users stay, in no organization: they may be invited elsewhere. The verified host is free for another sign-up, theirs
 *    too (S3 of signup.ts).
 */

import { authEvents } from '../../schemas/index.ts'
import type { UserPrincipal } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'
import type { IdentityContext } from './context.ts'
import type { CloseOrganizationRequest } from './membership-schemas.ts'
import type { Decided } from './membership.ts'
import { draft, partyOfPrincipal } from './outbox.ts'
import { takeTurn } from './turn.ts'

/** Each ends what its table holds of one organization; `$2` is the time. */
const endings: readonly string[] = [
  `update auth.organizations set status = 'deleted', deleted_at = $2 where organization_id = $1`,
  `update auth.sessions s set revoked_at = $2, revoked_reason = 'organization_deleted' from auth.users u
   where u.user_id = s.user_id and u.organization_id = $1 and s.revoked_at is null`,
  'update auth.api_keys set revoked_at = $2 where organization_id = $1 and revoked_at is null',
  `update auth.invitations set status = 'revoked', ended_at = $2 where organization_id = $1 and status = 'pending'`,
  `update auth.join_requests set status = 'withdrawn', decided_at = $2
   where organization_id = $1 and status = 'pending'`,
  `delete from auth.codes where invitation_id in (select invitation_id from auth.invitations
   where organization_id = $1 and ended_at <= $2)`,
]

/** @throws ApiProblem 403 `forbidden`, 422 `confirmation_differs` */
export async function closeOrganization(
  context: IdentityContext,
  owner: UserPrincipal,
  { confirm }: CloseOrganizationRequest,
): Promise<Decided> {
  return context.decide(async (client) => {
    if ((await takeTurn(client, owner)) !== 'owner')
      throw new ApiProblem(403, 'forbidden', 'Only an owner may close the organization.')
    const { rows } = await client.query<{ email_host: string }>(
      'select email_host from auth.organizations where organization_id = $1',
      [owner.organizationId],
    )
    if (rows[0]!.email_host !== confirm.toLowerCase())
      throw new ApiProblem(422, 'confirmation_differs', 'Confirm with the host of your organization, such as acme.com.')
    const now = new Date(context.clock.now())
    for (const ending of endings) await client.query(ending, [owner.organizationId, now])
    const position = await context.outbox.put(client, partyOfPrincipal(owner), [
      draft(authEvents, 'organization_deleted', { mode: 'close' }),
    ])
    return { position }
  })
}
