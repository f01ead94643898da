/** The doors to members, invitations and join requests. */

import type { Endpoint, ResponseSpec } from '../http/endpoint.ts'
import { endpoint } from '../http/endpoint.ts'
import type { Identity } from './identity.ts'
import * as schemas from './membership-schemas.ts'

const problem = (status: number, description: string): ResponseSpec => ({ status, description })
const ok = (status: number, description: string, schema?: ResponseSpec['schema']): ResponseSpec =>
  schema === undefined ? { status, description } : { status, description, schema }

/** Where the events of a decision leave; nowhere when it changed nothing. */
const at = (position: string | null): Readonly<Record<string, string>> =>
  position === null ? {} : { Position: position }

const forbidden = problem(403, '`forbidden`: your role does not decide this')
const notFound = problem(404, '`not_found`: it does not exist, or is not yours')
const lastOwner = problem(409, '`last_owner`: an organization keeps at least one')

export function membershipEndpoints(identity: Identity): readonly Endpoint[] {
  return [...members(identity), ...invitations(identity), ...joinRequests(identity), closing(identity)]
}

function members(identity: Identity): Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/members',
      summary: 'Who belongs to your organization, and as what',
      tag: 'members',
      auth: 'bearer',
      response: [ok(200, 'Owners first', schemas.membersAnswer), forbidden],
      handler: async ({ principal }) => ({ status: 200, body: { members: await identity.listMembers(principal) } }),
    }),
    endpoint({
      method: 'patch',
      path: '/members/:user_id',
      summary: 'Give a member another role',
      tag: 'members',
      auth: 'bearer',
      request: schemas.changeRoleRequest,
      response: [ok(200, 'The role from now on', schemas.roleAnswer), forbidden, notFound, lastOwner],
      handler: async ({ principal, params, body, ip }) => {
        const userId = params.user_id ?? ''
        const { position } = await identity.from({ ip }).changeRole(principal, userId, body.role)
        return { status: 200, body: { user_id: userId, role: body.role }, headers: at(position) }
      },
    }),
    endpoint({
      method: 'delete',
      path: '/members/:user_id',
      summary: 'Remove a member, or leave; their sessions and API keys end at once',
      tag: 'members',
      auth: 'bearer',
      response: [ok(204, 'They are out'), forbidden, notFound, lastOwner],
      handler: async ({ principal, params, ip }) => {
        const { position } = await identity.from({ ip }).removeMember(principal, params.user_id ?? '')
        return { status: 204, headers: at(position) }
      },
    }),
  ]
}

function invitations(identity: Identity): Endpoint[] {
  return [
    endpoint({
      method: 'post',
      path: '/invitations',
      summary: 'Invite an address; it gets a code by mail. Inviting it again ends the code before',
      tag: 'members',
      auth: 'bearer',
      request: schemas.inviteRequest,
      response: [
        ok(201, 'The code is on its way', schemas.invitationAnswer),
        forbidden,
        problem(409, '`already_member`, `too_many_invitations`'),
        problem(422, '`invalid_email`'),
        problem(429, '`too_many_attempts`: this address was invited too often; Retry-After says when'),
      ],
      handler: async ({ principal, body, ip }) => {
        const { invitation, position } = await identity.from({ ip }).invite(principal, body)
        return { status: 201, body: invitation, headers: at(position) }
      },
    }),
    endpoint({
      method: 'get',
      path: '/invitations',
      summary: 'Open invitations',
      tag: 'members',
      auth: 'bearer',
      response: [ok(200, 'Newest first', schemas.invitationsAnswer), forbidden],
      handler: async ({ principal }) => ({
        status: 200,
        body: { invitations: await identity.listInvitations(principal) },
      }),
    }),
    endpoint({
      method: 'delete',
      path: '/invitations/:id',
      summary: 'Revoke an invitation; its code ends',
      tag: 'members',
      auth: 'bearer',
      response: [ok(204, 'Nobody can accept it any more'), forbidden, notFound],
      handler: async ({ principal, params, ip }) => {
        const { position } = await identity.from({ ip }).revokeInvitation(principal, params.id ?? '')
        return { status: 204, headers: at(position) }
      },
    }),
    endpoint({
      method: 'post',
      path: '/auth/invitations/accept',
      summary: 'Accept an invitation with the code from the mail; who is new chooses a password',
      tag: 'auth',
      auth: 'none',
      request: schemas.acceptInvitationRequest,
      response: [
        ok(200, 'You belong to the organization; log in', schemas.acceptedAnswer),
        problem(400, '`invalid_invitation`: unknown, late, revoked, or accepted before'),
        problem(409, '`already_in_organization`, `too_many_members`, `changed_meanwhile`'),
        problem(422, '`missing_field`, `has_password`, or a rule of passwords'),
        problem(503, '`busy`; Retry-After says when'),
      ],
      handler: async ({ body, ip }) => {
        const { organizationId, position } = await identity.from({ ip }).acceptInvitation(body)
        const answer = { message: 'Welcome. Log in with your password.', organization_id: organizationId }
        return { status: 200, body: answer, headers: at(position) }
      },
    }),
  ]
}

function joinRequests(identity: Identity): Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/join-requests',
      summary: 'People of your verified host who ask to join',
      tag: 'members',
      auth: 'bearer',
      response: [ok(200, 'Those that wait, oldest first', schemas.joinRequestsAnswer), forbidden],
      handler: async ({ principal }) => ({
        status: 200,
        body: { join_requests: await identity.listJoinRequests(principal) },
      }),
    }),
    endpoint({
      method: 'post',
      path: '/join-requests/:id/decision',
      summary: 'Let somebody in, or not. The first decision counts; repeating it changes nothing',
      tag: 'members',
      auth: 'bearer',
      request: schemas.joinDecisionRequest,
      response: [
        ok(200, 'Decided', schemas.joinDecisionAnswer),
        forbidden,
        notFound,
        problem(409, '`already_decided`, `too_many_members`'),
      ],
      handler: async ({ principal, params, body, ip }) => {
        const id = params.id ?? ''
        const { status, position } = await identity.from({ ip }).decideJoinRequest(principal, id, body)
        return { status: 200, body: { id, status }, headers: at(position) }
      },
    }),
  ]
}

function closing(identity: Identity): Endpoint {
  return endpoint({
    method: 'post',
    path: '/organization/close',
    summary: 'Close your organization for everyone, at once and for good',
    tag: 'members',
    auth: 'bearer',
    request: schemas.closeOrganizationRequest,
    response: [
      ok(204, 'No session and no API key of it is good any more'),
      forbidden,
      problem(422, '`confirmation_differs`'),
    ],
    handler: async ({ principal, body, ip }) => {
      const { position } = await identity.from({ ip }).closeOrganization(principal, body)
      return { status: 204, headers: at(position) }
    },
  })
}
