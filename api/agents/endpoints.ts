/** The supervisors' doors, as data: mounted and documented by api/http. */

import type { Endpoint, ResponseSpec, UserPrincipal } from '../http/endpoint.ts'
import { endpoint } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'
import * as schemas from './schemas.ts'
import type { Staff } from './staff.ts'

const refusals: readonly ResponseSpec[] = [
  { status: 403, description: '`forbidden`: only a supervisor' },
  { status: 404, description: '`not_found`: also for what another team has, and for anybody who is no agent' },
]

export function agentEndpoints(staff: Staff): readonly Endpoint[] {
  return [...agents(staff), ...assignments(staff)]
}

function agents(staff: Staff): Endpoint[] {
  return [
    endpoint({
      method: 'post',
      path: '/agents',
      summary: 'Take an agent into your team',
      tag: 'agents',
      auth: 'bearer',
      request: schemas.createAgentRequest,
      response: [
        { status: 201, description: 'The agent, and a password shown this once', schema: schemas.newAgentAnswer },
        { status: 409, description: '`email_taken`' },
        { status: 422, description: '`invalid_email`, or `which_team` of several' },
        ...refusals,
      ],
      handler: async ({ principal, body }) => {
        const { team_id, ...applicant } = body
        const agent = await staff.hire(supervisor(principal), { ...applicant, team: { id: team_id ?? null } })
        return { status: 201, body: agent, headers: { 'Cache-Control': 'no-store' } }
      },
    }),
    endpoint({
      method: 'get',
      path: '/agents',
      summary: 'The agents of your teams',
      tag: 'agents',
      auth: 'bearer',
      response: [{ status: 200, description: 'By team', schema: schemas.agentsAnswer }, ...refusals],
      handler: async ({ principal }) => ({
        status: 200,
        body: { agents: await staff.agents(supervisor(principal)) },
      }),
    }),
    endpoint({
      method: 'delete',
      path: '/agents/:id',
      summary: 'An agent leaves: no login, no session, no client any more',
      tag: 'agents',
      auth: 'bearer',
      response: [{ status: 204, description: 'Gone at once' }, { status: 409, description: '`yourself`' }, ...refusals],
      handler: async ({ principal, params }) => {
        await staff.dismiss(supervisor(principal), params.id ?? '')
        return { status: 204 }
      },
    }),
  ]
}

function assignments(staff: Staff): Endpoint[] {
  return [
    endpoint({
      method: 'post',
      path: '/assignments',
      summary: 'Let an agent look after a client of your team, or one that nobody has',
      tag: 'agents',
      auth: 'bearer',
      request: schemas.assignmentRequest,
      response: [
        { status: 200, description: 'So it is; saying it again changes nothing', schema: schemas.assignmentAnswer },
        ...refusals,
      ],
      handler: async ({ principal, body }) => {
        const { assignment, position } = await staff.assign(supervisor(principal), body)
        return { status: 200, body: assignment, headers: position === null ? {} : { Position: position } }
      },
    }),
    endpoint({
      method: 'get',
      path: '/assignments',
      summary: 'Who looks after whom in your teams, and which clients nobody has',
      tag: 'agents',
      auth: 'bearer',
      response: [{ status: 200, description: 'Oldest first', schema: schemas.assignmentsAnswer }, ...refusals],
      handler: async ({ principal }) => {
        const acting = supervisor(principal)
        const [held, unassigned] = await Promise.all([staff.assignments(acting), staff.unassigned()])
        return { status: 200, body: { assignments: held, unassigned } }
      },
    }),
    endpoint({
      method: 'delete',
      path: '/assignments/:organization_id/:user_id',
      summary: 'End an assignment',
      tag: 'agents',
      auth: 'bearer',
      response: [{ status: 204, description: 'The agent does not see the client any more' }, ...refusals],
      handler: async ({ principal, params }) => {
        const acting = supervisor(principal)
        const position = await staff.unassign(acting, params.organization_id ?? '', params.user_id ?? '')
        return { status: 204, headers: { Position: position } }
      },
    }),
  ]
}

/** A client learns nothing of our staff, not even that there is one. @throws ApiProblem 404, 403 */
function supervisor({ userType, role, userId }: UserPrincipal): { readonly userId: string } {
  if (userType !== 'agent') throw new ApiProblem(404, 'not_found', 'There is no such thing.')
  if (role !== 'supervisor') throw new ApiProblem(403, 'forbidden', 'Only a supervisor may do that.')
  return { userId }
}
