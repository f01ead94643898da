/** From the code of an invitation to a member (I2, I3 of invitations.ts). */

import type { PoolClient, Queryable } from '../../connectors/postgres/index.ts'
import { authEvents } from '../../schemas/index.ts'
import { ApiProblem } from '../http/problem.ts'
import { plainCode } from './codes.ts'
import type { IdentityContext } from './context.ts'
import { sha256, uuid } from './digest.ts'
import { parseEmail } from './email.ts'
import type { AcceptInvitationRequest, Role } from './membership-schemas.ts'
import { draft } from './outbox.ts'
import { checkNewPassword } from './passwords.ts'
import { lockOrganization, requireRoom } from './turn.ts'

interface Invitation {
  readonly invitation_id: string
  readonly tenant_id: string
  readonly organization_id: string
  readonly email: string
  readonly role: Role
}

/** Whoever holds the address today. */
interface Person {
  readonly user_id: string
  readonly organization_id: string
  readonly verified: boolean
  /** Whether they belong to an organization that is there. */
  readonly belongs: boolean
}

/** What somebody without a password brings. */
interface NewPerson {
  readonly passwordHash: string
  readonly firstName: string
  readonly lastName: string
}

export interface Accepted {
  readonly organizationId: string
  readonly position: string
}

/** @throws ApiProblem 400 `invalid_invitation`, 409 `already_in_organization` or `changed_meanwhile`, 422 */
export async function acceptInvitation(context: IdentityContext, request: AcceptInvitationRequest): Promise<Accepted> {
  const hash = sha256(plainCode(request.code))
  const found = await findInvitation(context, context.pool, hash)
  if (found === null) throw invalid()
  const before = await findPerson(context.pool, found.email)
  const brought = await newPerson(context, request, found.email, before)
  return context.decide(async (client) => {
    await lockOrganization(client, found.organization_id)
    const invitation = await findInvitation(context, client, hash, 'for update of i')
    if (invitation === null) throw invalid()
    await requireRoom(context, client, invitation.organization_id)
    await withdrawRequests(context, client, invitation.email)
    const person = await findPerson(client, invitation.email, 'for update of u')
    if (person?.belongs === true) throw elsewhere()
    if ((person?.verified ?? false) !== (brought === null)) throw changedMeanwhile()
    const userId =
      person === null
        ? await insert(context, client, invitation, brought!)
        : await move(context, client, invitation, person, brought)
    return { organizationId: invitation.organization_id, position: await conclude(context, client, invitation, userId) }
  })
}

/** I3. Hashed only for who showed a good code. */
async function newPerson(
  { hasher }: IdentityContext,
  request: AcceptInvitationRequest,
  address: string,
  person: Person | null,
): Promise<NewPerson | null> {
  const { password, first_name, last_name } = request
  if (person?.belongs === true) throw elsewhere()
  if (person?.verified === true) {
    if (password === undefined && first_name === undefined && last_name === undefined) return null
    throw new ApiProblem(422, 'has_password', 'You have a name and a password here: send the code alone.')
  }
  for (const [field, value] of Object.entries({ password, first_name, last_name }))
    if (value === undefined) throw new ApiProblem(422, 'missing_field', `${field}: is needed from who is new here.`)
  checkNewPassword(password!, parseEmail(address)!)
  return { passwordHash: await hasher.hash(password!), firstName: first_name!, lastName: last_name! }
}

/** I2. */
async function findInvitation(
  { clock }: IdentityContext,
  client: Queryable,
  hash: Buffer,
  lock = '',
): Promise<Invitation | null> {
  const { rows } = await client.query<Invitation>(
    `select i.invitation_id, i.tenant_id, i.organization_id, i.email, i.role
     from auth.invitations i join auth.organizations o using (organization_id)
     where i.code_hash = $1 and i.status = 'pending' and i.expires_at > $2 and o.status = 'active' ${lock}`,
    [hash, new Date(clock.now())],
  )
  return rows[0] ?? null
}

async function findPerson(client: Queryable, address: string, lock = ''): Promise<Person | null> {
  const { rows } = await client.query<Person>(
    `select u.user_id, u.organization_id, u.verified_at is not null as verified,
       u.removed_at is null and o.status = 'active' as belongs
     from auth.users u join auth.organizations o using (organization_id) where u.email = $1 ${lock}`,
    [address],
  )
  return rows[0] ?? null
}

async function insert(
  { random, clock }: IdentityContext,
  client: PoolClient,
  { tenant_id, organization_id, email, role }: Invitation,
  { passwordHash, firstName, lastName }: NewPerson,
): Promise<string> {
  const { rows } = await client.query<{ user_id: string }>(
    `insert into auth.users (user_id, tenant_id, organization_id, email, password_hash, first_name, last_name,
       user_type, role, signed_up_at, verified_at, joined_at)
     values ($1, $2, $3, $4, $5, $6, $7, 'client', $8, $9, $9, $9) on conflict (email) do nothing returning user_id`,
    [uuid(random), tenant_id, organization_id, email, passwordHash, firstName, lastName, role, new Date(clock.now())],
  )
  if (rows[0] === undefined) throw changedMeanwhile()
  return rows[0].user_id
}

/** Out of an organization that never was, or was left, into this one. */
async function move(
  { clock }: IdentityContext,
  client: PoolClient,
  { tenant_id, organization_id, role }: Invitation,
  person: Person,
  brought: NewPerson | null,
): Promise<string> {
  const now = new Date(clock.now())
  await client.query(
    `update auth.users set tenant_id = $2, organization_id = $3, role = $4, joined_at = $5, removed_at = null,
       verified_at = coalesce(verified_at, $5), password_hash = coalesce($6, password_hash),
       first_name = coalesce($7, first_name), last_name = coalesce($8, last_name)
     where user_id = $1`,
    [
      person.user_id,
      tenant_id,
      organization_id,
      role,
      now,
      brought?.passwordHash ?? null,
      brought?.firstName ?? null,
      brought?.lastName ?? null,
    ],
  )
  await client.query(
    `update auth.organizations set status = 'superseded' where organization_id = $1 and status = 'pending'`,
    [person.organization_id],
  )
  await client.query(`delete from auth.codes where user_id = $1 and purpose = 'verify_email'`, [person.user_id])
  return person.user_id
}

/** Before the user's row is locked: whoever decides such a request locks it first, then the user. */
async function withdrawRequests({ clock }: IdentityContext, client: PoolClient, address: string): Promise<void> {
  await client.query(
    `update auth.join_requests set status = 'withdrawn', decided_at = $2
     where status = 'pending' and user_id = (select user_id from auth.users where email = $1)`,
    [address, new Date(clock.now())],
  )
}

async function conclude(
  { clock, outbox }: IdentityContext,
  client: PoolClient,
  { invitation_id, tenant_id, organization_id, role }: Invitation,
  userId: string,
): Promise<string> {
  await client.query(`update auth.invitations set status = 'accepted', ended_at = $2 where invitation_id = $1`, [
    invitation_id,
    new Date(clock.now()),
  ])
  await client.query('delete from auth.codes where invitation_id = $1', [invitation_id])
  return outbox.put(client, { tenantId: tenant_id, organizationId: organization_id, userId }, [
    draft(authEvents, 'invitation_accepted', { invitation_id, user_id: userId }),
    draft(authEvents, 'email_verified', { user_id: userId }),
    draft(authEvents, 'member_added', { user_id: userId, role }),
  ])
}

const invalid = (): ApiProblem =>
  new ApiProblem(400, 'invalid_invitation', 'The invitation is unknown, has ended or was accepted; ask for a new one.')

const elsewhere = (): ApiProblem =>
  new ApiProblem(409, 'already_in_organization', 'You belong to an organization; leave it before you join another.')

const changedMeanwhile = (): ApiProblem =>
  new ApiProblem(409, 'changed_meanwhile', 'Your account changed at this very moment; send it again.')
