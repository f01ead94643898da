/** What is remembered of a person who is written to. */

import {
  array,
  boolean,
  instant,
  int,
  oneOf,
  optional,
  personalJson,
  record,
  string,
  withDefault,
} from '../../schemas/index.ts'
import type { StateOf } from '../define.ts'
import { defineState } from '../define.ts'

const purpose = () => oneOf('transactional', 'lifecycle', 'campaign')

const messageFields = {
  message_id: string(),
  dedupe_key: string(),
  at: instant(),
  status: oneOf('sending', 'sent', 'failed', 'suppressed'),
  /** While sending: the call in flight, and what it was asked. */
  call: optional(record('Call', { call_id: string(), attempt: int(), request: personalJson() })),
}

export const communicationState = defineState({
  store: 'contacts',
  version: 2,
  fields: {
    /** Messages of the last days, oldest first. A failed one may be asked for again under its key. */
    messages: array(record('Message', { ...messageFields, purpose: withDefault(purpose(), 'transactional') })),
    /** What the person wished last. Who signed up agreed to mail about what they asked for, and to no campaign. */
    wish: withDefault(oneOf('unknown', 'signed_up', 'subscribed', 'unsubscribed'), 'unknown'),
    /** The address takes no mail. */
    bounced: withDefault(boolean(), false),
    /** The person called a mail of ours spam. */
    complained: withDefault(boolean(), false),
  },
  example: {
    messages: [
      {
        message_id: 'm1',
        dedupe_key: 'verify:c1',
        at: 1_767_225_600_000,
        status: 'sending',
        call: { call_id: 'c1', attempt: 1, request: { template: 'verify_email', message_id: 'm1' } },
        purpose: 'transactional',
      },
    ],
    wish: 'signed_up',
    bounced: false,
    complained: false,
  },
  earlier: [
    {
      fields: { messages: array(record('Message', messageFields)) },
      upcast: ({ messages }) => ({
        // Before there were consents only transactional mail was sent.
        messages: (messages as readonly object[]).map((message) => ({ ...message, purpose: 'transactional' })),
        wish: 'unknown',
        bounced: false,
        complained: false,
      }),
    },
  ],
})

export type State = StateOf<typeof communicationState>
export type Message = State['messages'][number]

export const noContact: State = Object.freeze({ messages: [], wish: 'unknown', bounced: false, complained: false })
