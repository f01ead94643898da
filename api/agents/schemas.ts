/** Bodies of the staff's endpoints. Strict: a field that is not named here is an error, never ignored. */

import { z } from 'zod'

const text = (maxLength: number): z.ZodString =>
  z
    .string()
    .trim()
    .min(1)
    .max(maxLength)
    .refine((value) => !value.includes('\0') && value.isWellFormed(), {
      error: 'must be text without NUL or lone surrogates',
    })

const role = z.enum(['agent', 'supervisor'])
const assignmentRole = z.enum(['owner', 'support', 'observer'])

export const createAgentRequest = z.strictObject({
  email: z.string().min(3).max(320).meta({ example: 'grace@house.example' }),
  first_name: text(100),
  last_name: text(100),
  role: role.default('agent'),
  team_id: z.uuid().optional().meta({ description: 'Needed by those who supervise several teams' }),
})
export type CreateAgentRequest = z.infer<typeof createAgentRequest>

export const newAgentAnswer = z.object({
  user_id: z.uuid(),
  email: z.string(),
  role,
  team_id: z.uuid(),
  initial_password: z.string().meta({ description: 'Shown this once' }),
})
export type NewAgentAnswer = z.infer<typeof newAgentAnswer>

export const agentAnswer = z.object({
  user_id: z.uuid(),
  email: z.string(),
  display_name: z.string(),
  role,
  team_id: z.uuid(),
  team: z.string(),
  clients: z.int().meta({ description: 'How many clients the agent looks after' }),
})
export const agentsAnswer = z.object({ agents: z.array(agentAnswer) })

export const assignmentRequest = z.strictObject({
  organization_id: z.uuid(),
  user_id: z.uuid(),
  role: assignmentRole.default('owner'),
})
export type AssignmentRequest = z.infer<typeof assignmentRequest>

export const assignmentAnswer = z.object({
  organization_id: z.uuid(),
  user_id: z.uuid(),
  team_id: z.uuid(),
  role: assignmentRole,
})
export type AssignmentAnswer = z.infer<typeof assignmentAnswer>

const unassignedAnswer = z.object({ organization_id: z.uuid(), company_name: z.string() })
export type UnassignedAnswer = z.infer<typeof unassignedAnswer>

export const assignmentsAnswer = z.object({
  assignments: z.array(assignmentAnswer),
  unassigned: z.array(unassignedAnswer).meta({ description: 'Clients that nobody looks after, oldest first' }),
})
