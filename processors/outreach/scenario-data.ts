/** Words the scenarios of outreach share. */

import { authEvents } from '../../schemas/index.ts'
import type { Expected, ScenarioInput, ScenarioStep } from '../define.ts'

/** Midnight of 1 January 2026. */
export const start = 1_767_225_600_000
export const seconds = (n: number): number => start + n * 1_000
export const days = (n: number): number => start + n * 24 * 60 * 60 * 1_000

export const signedUp: ScenarioInput = {
  topic: authEvents,
  type: 'signup_requested',
  payload: {
    email: 'ada@acme.example',
    password_hash_ref: 'auth.users:u1',
    company_name: 'Acme',
    first_name: 'Ada',
    last_name: 'Byron',
    domain: 'acme.example',
  },
  at: start,
}

export const created: ScenarioInput = {
  topic: authEvents,
  type: 'organization_created',
  payload: { company_name: 'Acme', domain: 'acme.example', owner_user_id: 'u1' },
  at: seconds(1),
}

/** An owner whose address is known. */
export const known: readonly ScenarioStep[] = [
  { when: signedUp },
  { when: created, then: [{ type: 'contact_preference_changed' }] },
]

/** A message is asked for, and goes out. */
export const letter = (
  key: string,
  template: string,
  data: Readonly<Record<string, unknown>> = {},
  to: { readonly contact_id: string; readonly to: string } = { contact_id: 'u1', to: 'ada@acme.example' },
  purpose = 'transactional',
): readonly Expected[] => [
  {
    type: 'message_requested',
    payload: {
      ...to,
      message_id: key,
      dedupe_key: key,
      purpose,
      template,
      channel: 'email',
      data: { first_name: 'Ada', ...data },
    },
  },
  { type: 'call_requested', payload: { contact_id: to.contact_id, provider: 'sendgrid', operation: 'send' } },
]
