/** Why a message is not sent: what its reader wished, what became of earlier ones, and how many there were. */

import type { communicationEvents, PayloadOf } from '../../schemas/index.ts'
import type { CommunicationSettings } from './settings.ts'
import type { Message, State } from './state.ts'
import { noContact } from './state.ts'

type Request = PayloadOf<typeof communicationEvents.events, 'message_requested'>
type Wish = Pick<
  PayloadOf<typeof communicationEvents.events, 'contact_preference_changed'>,
  'subscribed' | 'preference_source'
>

/** Signing up is no wish against an earlier one. */
export function wished(state: State, { subscribed, preference_source }: Wish): State {
  if (!subscribed) return { ...state, wish: 'unsubscribed' }
  if (preference_source !== 'signup') return { ...state, wish: 'subscribed', complained: false }
  return state.wish === 'unknown' ? { ...state, wish: 'signed_up' } : state
}

/** What became of a message says whether there will be more. */
export function told(state: State | null, status: string): State | null {
  if (status === 'bounced') return { ...(state ?? noContact), bounced: true }
  return status === 'complained' ? { ...(state ?? noContact), complained: true } : state
}

type Reason = PayloadOf<typeof communicationEvents.events, 'message_suppressed'>['reason']

/** Null: it may go. */
export function heldBack(settings: CommunicationSettings, state: State, message: Request, time: number): Reason | null {
  const within = (ms: number) => (known: Message) => time - known.at < ms && holdsKey(known)
  if (state.bounced) return 'hard_bounce'
  if (message.purpose !== 'transactional') {
    if (state.complained || state.wish === 'unsubscribed') return 'unsubscribed'
    if (state.wish !== 'subscribed' && (state.wish === 'unknown' || message.purpose === 'campaign')) return 'no_consent'
    const counted = state.messages.filter(within(settings.capMs)).filter((known) => known.purpose !== 'transactional')
    if (counted.length >= settings.cap) return 'frequency_cap'
  }
  const same = state.messages.filter(within(settings.dedupeMs))
  return same.some(({ dedupe_key }) => dedupe_key === message.dedupe_key) ? 'duplicate' : null
}

export const isRecent = (settings: CommunicationSettings, time: number) => (known: Message) =>
  time - known.at <
  (known.purpose === 'transactional' ? settings.dedupeMs : Math.max(settings.dedupeMs, settings.capMs))

const holdsKey = (message: Message): boolean => message.status === 'sending' || message.status === 'sent'
