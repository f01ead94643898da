/** What is remembered of an organization to write to it: its people, what is on its way, and what was written. */

import {
  array,
  boolean,
  instant,
  oneOf,
  optional,
  personal,
  personalJson,
  record,
  string,
} from '../../schemas/index.ts'
import type { StateOf } from '../define.ts'
import { defineState } from '../define.ts'

export const outreachState = defineState({
  store: 'outreach',
  version: 1,
  fields: {
    /** Deleted: nothing is written any more. */
    closed: boolean(),
    owner_user_id: string(),
    /** Whose address is known: who signed up, and who was asked in (then by the invitation until it is accepted). */
    people: array(
      record('Person', {
        user_id: string(),
        invitation_id: string(),
        email: optional(personal()),
        first_name: optional(personal()),
      }),
    ),
    /** Who agreed to mail about their demo by asking for it. */
    consented: array(string()),
    demo: optional(record('Demo', { demo_id: string(), url: optional(personal()), expires_at: instant() })),
    /** A demo did what it was for: one that is made anew is not written about. */
    engaged: boolean(),
    documents: array(record('Document', { document_id: string(), document_type: string(), envelope_id: string() })),
    /** Written, or waiting to be, by key; in the order of their times. */
    written: array(record('Written', { key: string(), at: instant() })),
    /** Messages that wait for an address. */
    waiting: array(
      record('Waiting', {
        key: string(),
        at: instant(),
        template: string(),
        purpose: oneOf('transactional', 'lifecycle'),
        data: optional(personalJson()),
      }),
    ),
  },
  example: {
    closed: false,
    owner_user_id: 'u1',
    people: [{ user_id: 'u1', invitation_id: '', email: 'ada@acme.example', first_name: 'Ada' }],
    consented: ['u1'],
    demo: { demo_id: 'd1', url: 'https://demo.example/d/b1c5', expires_at: 1_768_435_200_000 },
    engaged: false,
    documents: [{ document_id: 'doc1', document_type: 'nda', envelope_id: 'env1' }],
    written: [{ key: 'demo_link:e1', at: 1_767_225_600_000 }],
    waiting: [
      {
        key: 'invoice:in_1',
        at: 1_767_312_000_000,
        template: 'invoice',
        purpose: 'transactional',
        data: { amount: 'USD 1,680.00' },
      },
    ],
  },
})

export type OutreachState = StateOf<typeof outreachState>
export type Waiting = OutreachState['waiting'][number]

export const nothingYet: OutreachState = Object.freeze({
  closed: false,
  owner_user_id: '',
  people: [],
  consented: [],
  engaged: false,
  documents: [],
  written: [],
  waiting: [],
})

/** All that is left of an organization that is gone. */
export const closedState: OutreachState = Object.freeze({ ...nothingYet, closed: true })
