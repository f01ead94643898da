/** Sign-up, organizations, members and sessions. Facts are decided in SQL and arrive through the outbox. */

import { callEvents, event, eventTopic } from '../envelope.ts'
import type { EventDefinition, EventDefinitions } from '../envelope.ts'
import { array, int, instant, json, oneOf, optional, personal, string } from '../fields.ts'

const origin = { ip_hash: optional(string()) }
type WithOrigin<D extends EventDefinitions> = {
  readonly [K in keyof D]: EventDefinition<D[K]['fields'] & typeof origin, D[K]['visibility']>
}

const role = () => oneOf('owner', 'admin', 'member')

/** What identity decides. Each event says from where it was asked, as a hash, when it was asked over HTTP. */
const decided = withOrigin({
  signup_requested: event(
    {
      email: personal(),
      /** Where the hash stands in SQL; the hash itself never travels. */
      password_hash_ref: string(),
      company_name: string(),
      first_name: personal(),
      last_name: personal(),
      domain: string(),
    },
    'internal',
    {
      email: 'ada@acme.example',
      password_hash_ref: 'auth.users:u1',
      company_name: 'Acme',
      first_name: 'Ada',
      last_name: 'Byron',
      domain: 'acme.example',
    },
  ),
  signup_rejected: event({ email_domain: string(), reason: string() }, 'internal', {
    email_domain: 'gmail.com',
    reason: 'personal_email',
  }),
  verification_code_issued: event(
    { user_id: string(), /** Where the code stands; never the code. */ code_ref: string(), expires_at: instant() },
    'internal',
    { user_id: 'u1', code_ref: 'auth.codes:c1', expires_at: 1_767_226_500_000 },
  ),
  email_verified: event({ user_id: string() }, 'internal', { user_id: 'u1' }),

  organization_created: event(
    {
      company_name: string(),
      domain: optional(string()),
      industry: optional(string()),
      owner_user_id: string(),
      plan_hint: optional(string()),
    },
    'internal',
    { company_name: 'Acme', domain: 'acme.example', industry: 'Logistics', owner_user_id: 'u1' },
  ),
  /** `changed` holds facts about the company, never about a person. */
  organization_updated: event({ changed: json() }, 'internal', { changed: { industry: 'Freight' } }),
  organization_suspended: event({ reason: string() }, 'internal', { reason: 'payment_failed' }),
  organization_deleted: event({ mode: oneOf('close', 'erase') }, 'internal', { mode: 'erase' }),

  member_added: event({ user_id: string(), role: role() }, 'internal', { user_id: 'u2', role: 'member' }),
  member_role_changed: event({ user_id: string(), old_role: role(), new_role: role() }, 'internal', {
    user_id: 'u2',
    old_role: 'member',
    new_role: 'admin',
  }),
  member_removed: event({ user_id: string() }, 'internal', { user_id: 'u2' }),

  /** An address is asked in; `code_ref` names where the code of the mail stands, never the code. */
  member_invited: event(
    { invitation_id: string(), email: personal(), role: role(), code_ref: string(), expires_at: instant() },
    'internal',
    {
      invitation_id: 'i1',
      email: 'bob@acme.example',
      role: 'member',
      code_ref: 'auth.codes:c2',
      expires_at: 1_767_830_400_000,
    },
  ),
  invitation_accepted: event({ invitation_id: string(), user_id: string() }, 'internal', {
    invitation_id: 'i1',
    user_id: 'u2',
  }),
  invitation_revoked: event({ invitation_id: string(), reason: string() }, 'internal', {
    invitation_id: 'i1',
    reason: 'revoked',
  }),
  /** Somebody of the organization's verified host signed up; an owner decides. */
  join_requested: event({ join_request_id: string(), user_id: string() }, 'internal', {
    join_request_id: 'j1',
    user_id: 'u3',
  }),
  join_approved: event({ join_request_id: string(), user_id: string() }, 'internal', {
    join_request_id: 'j1',
    user_id: 'u3',
  }),
  join_rejected: event({ join_request_id: string(), user_id: string() }, 'internal', {
    join_request_id: 'j1',
    user_id: 'u3',
  }),

  /** Our own people, in the house's organization. */
  agent_added: event({ user_id: string(), team_id: string(), role: oneOf('agent', 'supervisor') }, 'internal', {
    user_id: 'u3',
    team_id: 't1',
    role: 'agent',
  }),
  agent_disabled: event({ user_id: string() }, 'internal', { user_id: 'u3' }),

  /** `user_id` is absent when the address is nobody's. */
  password_reset_requested: event({ email_hash: string(), user_id: optional(string()) }, 'internal', {
    email_hash: '8e1a',
    user_id: 'u1',
  }),
  password_changed: event({ user_id: string(), reason: string() }, 'internal', { user_id: 'u1', reason: 'reset' }),
  api_key_created: event({ key_id: string(), name: string(), scopes: array(string()) }, 'internal', {
    key_id: 'k1',
    name: 'importer',
    scopes: ['events:write'],
  }),
  api_key_revoked: event({ key_id: string(), reason: string() }, 'internal', { key_id: 'k1', reason: 'revoked' }),

  login_failed: event({ email_hash: string(), reason: string(), attempts_in_window: int() }, 'internal', {
    email_hash: '8e1a',
    reason: 'bad_password',
    attempts_in_window: 2,
  }),
  login_locked: event({ email_hash: string(), until: instant() }, 'internal', {
    email_hash: '8e1a',
    until: 1_767_226_500_000,
  }),
  token_refreshed: event({ user_id: string(), jti: string() }, 'internal', { user_id: 'u1', jti: 'j2' }),
  token_revoked: event({ user_id: string(), jti: string(), reason: string() }, 'internal', {
    user_id: 'u1',
    jti: 'j1',
    reason: 'logout',
  }),
})

export const authEvents = eventTopic({
  name: 'auth_events',
  key: 'O',
  retention: 'forever',
  events: {
    ...decided,
    login_succeeded: event(
      { user_id: string(), ip_hash: string(), method: oneOf('password', 'refresh', 'sso') },
      'internal',
      { user_id: 'u1', ip_hash: '5f2c', method: 'password' },
    ),
    ...callEvents,
  },
})

/** Adds `ip_hash` to events, for the audit log. */
function withOrigin<const D extends EventDefinitions>(events: D): WithOrigin<D> {
  const entries = Object.entries(events).map(([type, of]) => [
    type,
    { ...of, fields: { ...of.fields, ...origin }, example: { ...of.example, ip_hash: '5f2c' } },
  ])
  return Object.fromEntries(entries) as WithOrigin<D>
}
