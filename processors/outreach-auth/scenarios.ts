import { authEvents, billingEvents } from '../../schemas/index.ts'
import type { Scenario } from '../define.ts'
import { created, letter, seconds, signedUp, start } from '../outreach/scenario-data.ts'

const invoice = (invoice_id: string, at: number, more: Readonly<Record<string, unknown>> = {}) => ({
  topic: billingEvents,
  type: 'invoice_issued',
  payload: { invoice_id, subscription_id: 'sub_1', currency: 'USD', amount_due: 168_000, due_at: start, ...more },
  at,
})
const auth = (type: string, payload: Readonly<Record<string, unknown>>, at: number) => ({
  topic: authEvents,
  type,
  payload,
  at,
})
const agreed = {
  type: 'contact_preference_changed',
  payload: { contact_id: 'u1', channel: 'email', subscribed: true, preference_source: 'signup' },
}

export const scenarios: readonly Scenario[] = [
  {
    it: 'knows whom to write to from sign-up on, and that they agreed to mail about what they asked for',
    play: [
      { when: signedUp },
      { when: created, then: [agreed] },
      {
        when: invoice('in_1', seconds(2)),
        then: letter('invoice:in_1', 'invoice', { invoice: 'in_1', amount: 'USD 1,680.00', due: '2026-01-01' }),
      },
    ],
  },
  {
    it: 'keeps what is to be written until it is known to whom',
    play: [
      { when: invoice('in_1', seconds(0)) },
      { when: signedUp },
      { when: created, then: [agreed, ...letter('invoice:in_1', 'invoice')] },
    ],
  },
  {
    it: 'writes to a new owner who was asked in, once their address is known',
    play: [
      { when: signedUp },
      { when: created, then: [agreed] },
      { when: auth('member_role_changed', { user_id: 'u2', old_role: 'admin', new_role: 'owner' }, seconds(3)) },
      { when: invoice('in_1', seconds(4)) },
      {
        when: auth(
          'member_invited',
          { invitation_id: 'i1', email: 'bob@acme.example', role: 'admin', code_ref: 'c', expires_at: start },
          seconds(5),
        ),
      },
      {
        when: auth('invitation_accepted', { invitation_id: 'i1', user_id: 'u2' }, seconds(6)),
        then: letter('invoice:in_1', 'invoice', { first_name: 'there' }, { contact_id: 'u2', to: 'bob@acme.example' }),
      },
    ],
  },
  {
    it: 'writes nothing to an owner who is gone, or of an organization that is',
    play: [
      { when: signedUp },
      { when: created, then: [agreed] },
      { when: auth('member_removed', { user_id: 'u1' }, seconds(3)) },
      { when: invoice('in_1', seconds(4)) },
      { when: auth('organization_deleted', { mode: 'erase' }, seconds(5)) },
      { when: signedUp },
      { when: created },
      { when: invoice('in_2', seconds(6)) },
    ],
  },
]
