/** Bodies of the endpoints about members, invitations and join requests. */

import { z } from 'zod'
import { email, newPassword, text } from './schemas.ts'

export const roleSchema = z.enum(['owner', 'admin', 'member'])
export type Role = z.infer<typeof roleSchema>

export const memberAnswer = z.object({
  user_id: z.uuid(),
  email: z.string(),
  first_name: z.string(),
  last_name: z.string(),
  role: roleSchema,
  joined_at: z.iso.datetime(),
})
export type MemberAnswer = z.infer<typeof memberAnswer>
export const membersAnswer = z.object({ members: z.array(memberAnswer) })

export const changeRoleRequest = z.strictObject({ role: roleSchema })
export const roleAnswer = z.object({ user_id: z.uuid(), role: roleSchema })

export const inviteRequest = z.strictObject({ email, role: roleSchema })
export type InviteRequest = z.infer<typeof inviteRequest>

export const invitationAnswer = z.object({
  id: z.uuid(),
  email: z.string(),
  role: roleSchema,
  invited_by: z.uuid(),
  created_at: z.iso.datetime(),
  expires_at: z.iso.datetime(),
  expired: z.boolean(),
})
export type InvitationAnswer = z.infer<typeof invitationAnswer>
export const invitationsAnswer = z.object({ invitations: z.array(invitationAnswer) })

export const acceptInvitationRequest = z.strictObject({
  code: z.string().min(1).max(100).meta({ description: 'From the mail' }),
  password: newPassword.optional().meta({ description: 'For somebody who has none yet' }),
  first_name: text(100).optional(),
  last_name: text(100).optional(),
})
export type AcceptInvitationRequest = z.infer<typeof acceptInvitationRequest>
export const acceptedAnswer = z.object({ message: z.string(), organization_id: z.uuid() })

export const closeOrganizationRequest = z.strictObject({
  confirm: text(253).meta({
    description: 'The verified host of the organization, as a person types it',
    example: 'acme.example',
  }),
})
export type CloseOrganizationRequest = z.infer<typeof closeOrganizationRequest>

export const joinRequestAnswer = z.object({
  id: z.uuid(),
  user_id: z.uuid(),
  email: z.string(),
  first_name: z.string(),
  last_name: z.string(),
  created_at: z.iso.datetime(),
})
export type JoinRequestAnswer = z.infer<typeof joinRequestAnswer>
export const joinRequestsAnswer = z.object({ join_requests: z.array(joinRequestAnswer) })

export const joinDecisionRequest = z.strictObject({
  decision: z.enum(['approve', 'reject']),
  role: roleSchema.optional().meta({ description: 'Of whom is approved; member unless told' }),
})
export type JoinDecisionRequest = z.infer<typeof joinDecisionRequest>
export const joinDecisionAnswer = z.object({ id: z.uuid(), status: z.enum(['approved', 'rejected']) })
