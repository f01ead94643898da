/** Whom to write to: who signed up, who owns the organization, who was asked in. Whoever asks for a demo agrees to mail about it. */

import type { Erased } from '../../schemas/index.ts'
import { authEvents, communicationEvents } from '../../schemas/index.ts'
import type { Step } from '../define.ts'
import { defineProcessor, emit } from '../define.ts'
import type { OutreachState } from '../outreach/state.ts'
import { closedState, nothingYet, outreachState } from '../outreach/state.ts'
import { delivered } from '../outreach/write.ts'

type Person = OutreachState['people'][number]

const peopleKept = 100

export const outreachAuth = () =>
  defineProcessor({
    name: 'outreach-auth',
    reads: authEvents,
    writes: [communicationEvents],
    state: outreachState,
    handle(state, input) {
      if (state?.closed === true) return { state }
      const known = state ?? nothingYet
      switch (input.event_type) {
        case 'signup_requested': {
          const { password_hash_ref, email, first_name } = input
          return delivered(
            met(known, { user_id: userIn(password_hash_ref), invitation_id: '', ...told(email, first_name) }),
          )
        }
        case 'member_invited':
          return { state: met(known, { user_id: '', invitation_id: input.invitation_id, ...told(input.email, null) }) }
        case 'invitation_accepted': {
          const { invitation_id, user_id } = input
          const people = known.people.map((person) =>
            person.invitation_id === invitation_id ? { ...person, user_id } : person,
          )
          return delivered({ ...known, people })
        }
        case 'organization_created':
          return consented({ ...known, owner_user_id: input.owner_user_id }, input.owner_user_id)
        case 'member_role_changed':
          return input.new_role === 'owner' ? delivered({ ...known, owner_user_id: input.user_id }) : { state }
        case 'member_removed':
          return { state: { ...known, people: known.people.filter(({ user_id }) => user_id !== input.user_id) } }
        case 'organization_deleted':
          return { state: closedState }
        default:
          return { state }
      }
    },
  })

const told = (email: string | Erased, first_name: string | Erased | null) => ({
  email: typeof email === 'string' ? email : null,
  first_name: typeof first_name === 'string' ? first_name : null,
})

/** The reference to the password names whose it is. */
const userIn = (passwordRef: string): string => passwordRef.slice(passwordRef.indexOf(':') + 1)

/** A later word on a person replaces the earlier one. */
function met(state: OutreachState, person: Person): OutreachState {
  const others = state.people.filter(
    ({ user_id, invitation_id }) => user_id !== person.user_id || invitation_id !== person.invitation_id,
  )
  return { ...state, people: [...others, person].slice(-peopleKept) }
}

function consented(state: OutreachState, contact_id: string): Step<OutreachState> {
  if (state.consented.includes(contact_id)) return delivered(state)
  const agreed = emit(communicationEvents, 'contact_preference_changed', {
    contact_id,
    channel: 'email',
    subscribed: true,
    preference_source: 'signup',
  })
  const move = delivered({ ...state, consented: [...state.consented, contact_id] })
  return { ...move, emit: [agreed, ...(move.emit ?? [])] }
}
