/** What an operator may do about our own people: the first agent has nobody else to come from. */

import type { Applicant, Staff } from '../api/index.ts'
import { createAgentRequest, operator } from '../api/index.ts'
import type { AdminCommand } from './admin-socket.ts'

const roles = ['owner', 'support', 'observer'] as const

export function agentCommands(staff: Staff): Readonly<Record<string, AdminCommand>> {
  return {
    'agent create': async (args, say) => {
      const agent = await staff.hire(operator, applicantOf(args))
      say(`${agent.email} is ${agent.role} ${agent.user_id} of team ${agent.team_id}`)
      say(`password, shown this once: ${agent.initial_password}`)
    },
    'agent list': async (_, say) => {
      const agents = await staff.agents(operator)
      if (agents.length === 0) say('no agents')
      for (const { email, user_id, role, team, clients } of agents)
        say(`${email} ${user_id} ${role} of ${team}, ${clients} clients`)
    },
    'agent assign': async ([email = '', organization_id = '', given = 'owner'], say) => {
      const role = roles.find((known) => known === given)
      if (role === undefined) throw new Error(`role ${given}: it is one of ${roles.join(', ')}`)
      const { user_id } = await agentOf(staff, email)
      const { position } = await staff.assign(operator, { organization_id, user_id, role })
      say(position === null ? 'it is so already' : `${email} looks after ${organization_id} as ${role}`)
    },
    'agent dismiss': async ([email = ''], say) => {
      const { user_id } = await agentOf(staff, email)
      await staff.dismiss(operator, user_id)
      say(`${email} cannot log in any more`)
    },
  }
}

/** @throws Error with one line */
function applicantOf([email, first_name, last_name, team = '', role = 'agent']: readonly string[]): Applicant {
  const parsed = createAgentRequest.safeParse({ email, first_name, last_name, role })
  const issue = parsed.error?.issues[0]
  if (issue !== undefined || parsed.data === undefined)
    throw new Error(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not usable'}`)
  const name = team.trim()
  if (name === '' || name.length > 100 || name.includes('\0')) throw new Error('team: 1 to 100 characters')
  const { email: address, first_name: first, last_name: last, role: as } = parsed.data
  return { email: address, first_name: first, last_name: last, role: as, team: { name } }
}

async function agentOf(staff: Staff, email: string): Promise<{ readonly user_id: string }> {
  const found = (await staff.agents(operator)).find((agent) => agent.email === email.trim().toLowerCase())
  if (found === undefined) throw new Error(`no agent has the address ${email}`)
  return found
}
