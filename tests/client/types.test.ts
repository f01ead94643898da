/** What the compiler says of events: each `@ts-expect-error` fails the check of types when the line beneath it is taken. */

import { expect, test } from 'vitest'
import type { EventClient, EventToSend } from '../../client/index.ts'

const payload = { contact_id: 'u1', channel: 'email', subscribed: true, preference_source: 'x' } as const

const faxed = { ...payload, channel: 'fax' } as const

/** Never called: it is here to be compiled. */
export function compiled(client: EventClient): readonly Promise<unknown>[] {
  return [
    client.send('communication_events', { type: 'contact_preference_changed', payload, sequence: 1, priority: 'low' }),
    client.send('research_events', {
      type: 'research_requested',
      payload: { company_name: 'Acme', depth: 'quick', reason: 'asked' },
    }),
    client.sendBatch('review_events', [
      {
        type: 'suggestion_used',
        payload: { suggestion_id: 'g1', action: 'edited', edit_distance: 1, ms_to_action: 2 },
      },
      { type: 'review_claim_requested', payload: { review_id: 'r1' } },
    ]),
    // @ts-expect-error no such topic
    client.send('somewhere', { type: 'contact_preference_changed', payload }),
    // @ts-expect-error no such type on this topic
    client.send('research_events', { type: 'contact_preference_changed', payload }),
    // @ts-expect-error the platform alone writes this type
    client.send('communication_events', { type: 'message_sent', payload: { contact_id: 'u1' } }),
    // @ts-expect-error a topic without public types takes nothing
    client.send('billing_events', { type: 'call_requested', payload: {} }),
    // @ts-expect-error not one of the channels
    client.send('communication_events', { type: 'contact_preference_changed', payload: faxed }),
    // @ts-expect-error a field is missing
    client.send('communication_events', { type: 'contact_preference_changed', payload: { contact_id: 'u1' } }),
    // @ts-expect-error the payload of another type of the topic
    client.send('review_events', { type: 'suggestion_used', payload: { review_id: 'r1' } }),
    // @ts-expect-error no such priority
    client.send('communication_events', { type: 'contact_preference_changed', payload, priority: 'urgent' }),
  ]
}

test('an event is a union by its type', () => {
  const event: EventToSend<'review_events'> = {
    type: 'suggestion_used',
    payload: { suggestion_id: 'g1', action: 'edited', edit_distance: 1, ms_to_action: 2 },
  }
  expect(event.type === 'suggestion_used' ? event.payload.action : '').toBe('edited')
})
