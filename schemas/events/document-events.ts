/** NDA, pricing, proposal and contract: drafts, envelopes, signatures. Amounts in minor units of their currency. */

import { callEvents, event, eventTopic } from '../envelope.ts'
import { array, int, instant, long, map, oneOf, optional, record, string } from '../fields.ts'
import { exampleRef, ref } from './ref.ts'

export const documentTypes = ['nda', 'pricing', 'proposal', 'contract'] as const
const documentType = () => oneOf(...documentTypes)

/** What was agreed; the figures that billing charges. */
const terms = () =>
  record('Terms', {
    plan: string(),
    quantity: int(),
    interval: oneOf('month', 'year'),
    currency: string(),
    /** Of one interval, tax left out. */
    amount: long(),
  })

export const documentEvents = eventTopic({
  name: 'document_events',
  key: 'O',
  retention: 'forever',
  events: {
    /** A person may ask for a new version of a document, with other figures (`inputs`, by name). */
    document_requested: event({ document_type: documentType(), inputs: map(string()), reason: string() }, 'public', {
      document_type: 'pricing',
      inputs: { seats: '40' },
      reason: 'negotiated',
    }),
    document_generated: event(
      {
        document_id: string(),
        document_type: documentType(),
        version: int(),
        template_version: int(),
        ref: ref(),
        currency: optional(string()),
        amount: optional(long()),
        list_amount: optional(long()),
        discount_basis_points: optional(int()),
        margin_basis_points: optional(int()),
        quantity: optional(int()),
      },
      'internal',
      {
        document_id: 'doc1',
        document_type: 'pricing',
        version: 1,
        template_version: 1,
        ref: exampleRef,
        currency: 'USD',
        amount: 168_000,
        list_amount: 196_000,
        discount_basis_points: 1_429,
        margin_basis_points: 6_400,
        quantity: 40,
      },
    ),
    document_approved: event({ document_id: string(), version: int(), by: string() }, 'internal', {
      document_id: 'doc1',
      version: 1,
      by: 'policy',
    }),
    document_rejected: event({ document_id: string(), reason: string() }, 'internal', {
      document_id: 'doc1',
      reason: 'rejected by h1',
    }),
    document_generation_failed: event(
      { document_id: string(), document_type: documentType(), reason: string() },
      'internal',
      { document_id: 'doc1', document_type: 'nda', reason: 'exhausted' },
    ),

    envelope_sent: event(
      {
        document_id: string(),
        version: int(),
        envelope_id: string(),
        recipients: array(record('Recipient', { role: string(), order: int() })),
        expires_at: instant(),
      },
      'internal',
      {
        document_id: 'doc1',
        version: 1,
        envelope_id: 'env1',
        recipients: [
          { role: 'client', order: 1 },
          { role: 'provider', order: 2 },
        ],
        expires_at: 1_769_817_600_000,
      },
    ),
    /** As the signature service told it, checked and appended once per delivery; `recipient` is a role. */
    envelope_webhook_received: event(
      {
        envelope_id: string(),
        event: string(),
        generated_at: instant(),
        delivery_id: string(),
        recipient: optional(string()),
        reason: optional(string()),
      },
      'webhook',
      {
        envelope_id: 'env1',
        event: 'envelope-completed',
        generated_at: 1_767_312_000_000,
        delivery_id: 'env1:envelope-completed:2026-01-02T00:00:00Z',
      },
    ),
    document_viewed: event({ document_id: string(), recipient: string() }, 'internal', {
      document_id: 'doc1',
      recipient: 'client',
    }),
    document_signed: event(
      {
        document_id: string(),
        document_type: documentType(),
        version: int(),
        envelope_id: string(),
        signed_ref: ref(),
        certificate_ref: ref(),
        signed_at: instant(),
        terms: optional(terms()),
      },
      'internal',
      {
        document_id: 'doc1',
        document_type: 'contract',
        version: 1,
        envelope_id: 'env1',
        signed_ref: exampleRef,
        certificate_ref: exampleRef,
        signed_at: 1_767_312_000_000,
        terms: { plan: 'growth', quantity: 40, interval: 'month', currency: 'USD', amount: 168_000 },
      },
    ),
    document_declined: event({ document_id: string(), document_type: documentType(), reason: string() }, 'internal', {
      document_id: 'doc1',
      document_type: 'contract',
      reason: 'budget',
    }),
    /** Also the answer to compensation. */
    document_voided: event({ document_id: string(), document_type: documentType(), reason: string() }, 'internal', {
      document_id: 'doc1',
      document_type: 'contract',
      reason: 'compensation',
    }),
    document_expired: event({ document_id: string(), document_type: documentType() }, 'internal', {
      document_id: 'doc1',
      document_type: 'nda',
    }),
    /** The next signer in routing order is to be reminded, for the n-th time. */
    reminder_due: event({ document_id: string(), n: int(), recipient: string() }, 'internal', {
      document_id: 'doc1',
      n: 1,
      recipient: 'client',
    }),
    /** A move that the state machine does not know; nothing changed. For the count of them. */
    document_move_ignored: event({ document_id: string(), status: string(), move: string() }, 'internal', {
      document_id: 'doc1',
      status: 'signed',
      move: 'voided',
    }),
    ...callEvents,
  },
})
