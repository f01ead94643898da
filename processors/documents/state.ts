/** What the documents service remembers of one organization: its four documents, and what they are made from. */

import { array, double, instant, int, long, oneOf, optional, record, string } from '../../schemas/index.ts'
import type { StateOf } from '../define.ts'
import { defineState } from '../define.ts'
import { handledOnce } from '../handled.ts'

export const documentTypes = ['nda', 'pricing', 'proposal', 'contract'] as const
export type DocumentType = (typeof documentTypes)[number]

const documentType = () => oneOf(...documentTypes)
const ref = (name: string) =>
  record(name, { bucket: string(), key: string(), version_id: string(), sha256: string(), bytes: long() })

/**
 * draft: being drawn up · approval: a person decides · approved: as it stands (pricing ends here) · sending: its envelope
 * is being made · sent, viewed: signers have it · completed: all have signed, the file is being fetched · signed ·
 * rejected, failed, declined, voided, expired: ended, a new version may be asked for
 */
export const statuses = [
  'draft',
  'approval',
  'approved',
  'sending',
  'sent',
  'viewed',
  'completed',
  'signed',
  'rejected',
  'failed',
  'declined',
  'voided',
  'expired',
] as const
export type Status = (typeof statuses)[number]

const quoteRecord = (name: string) =>
  record(name, {
    seats: int(),
    conversations: long(),
    interval: oneOf('month', 'year'),
    discountBasisPoints: int(),
    plan: string(),
    currency: string(),
    list_amount: long(),
    amount: long(),
    discount_basis_points: int(),
    margin_basis_points: int(),
  })

export const documentsState = defineState({
  store: 'documents',
  version: 1,
  fields: {
    /** erased: the client is gone for good; what is left are envelopes that still have to be voided. */
    status: oneOf('active', 'erased'),
    company: optional(
      record('Company', { company_name: string(), domain: optional(string()), industry: optional(string()) }),
    ),
    /** Findings that stand, by id: what the first offer is made from. */
    volume: array(
      record('Volume', {
        finding_id: string(),
        kind: oneOf('conversations', 'employees'),
        quantity: long(),
        confidence: double(),
      }),
    ),
    research: oneOf('unknown', 'known'),
    /** Its turn has come, and what it is made from is not read yet. */
    waiting: optional(oneOf('nda', 'pricing')),
    /** At most one of each type; a change is a new version of it. */
    documents: array(
      record('Document', {
        document_id: string(),
        document_type: documentType(),
        version: int(),
        status: oneOf(...statuses),
        quote: optional(quoteRecord('Quote')),
        /** Who approved this version beforehand: a person who wrote its figures. */
        approved_by: optional(string()),
        ref: optional(ref('Ref')),
        review_id: optional(string()),
        call: optional(
          record('Call', {
            call_id: string(),
            purpose: oneOf('render', 'create', 'void', 'fetch'),
            attempt: int(),
            /** An earlier try may have reached the provider. */
            doubtful: oneOf('yes', 'no'),
          }),
        ),
        envelope_id: optional(string()),
        sent_at: optional(instant()),
        reminders: int(),
        /** Roles that have signed. */
        signed_by: array(string()),
        completed_at: optional(instant()),
        /** Declined while its envelope was being voided: the reason. */
        declined: optional(string()),
        /** Why the envelope is being voided, or will be once it is known. */
        closing: optional(
          record('Closing', { why: oneOf('change', 'expired', 'compensation', 'erased'), reason: string() }),
        ),
        /** A change that waits for the old envelope's end. */
        next: optional(record('Next', { quote: optional(quoteRecord('NextQuote')), by: optional(string()) })),
        /** Envelopes of earlier versions, newest last, bounded. */
        past_envelopes: array(string()),
        /** What was stored for it, newest last, bounded: removed when the client is erased. */
        keys: array(string()),
      }),
    ),
    /** What an erased client left in the store, until it is gone. */
    removal: optional(record('Removal', { call_id: string(), attempt: int(), keys: array(string()) })),
    /** Told of envelopes whose ids are not known yet, bounded. */
    early: array(
      record('Early', {
        envelope_id: string(),
        event: string(),
        generated_at: instant(),
        recipient: optional(string()),
        reason: optional(string()),
      }),
    ),
    /** Commands and deliveries handled, newest last, bounded. */
    handled: array(string()),
  },
  example: {
    status: 'active',
    company: { company_name: 'Acme', domain: 'acme.example', industry: 'Logistics' },
    volume: [{ finding_id: 'f1', kind: 'conversations', quantity: 4_000, confidence: 0.8 }],
    research: 'known',
    documents: [
      {
        document_id: 'doc1',
        document_type: 'nda',
        version: 1,
        status: 'sent',
        ref: { bucket: 'lifecycle', key: 'tenants/t1/documents/doc1/v1.pdf', version_id: 'v1', sha256: '00', bytes: 1 },
        envelope_id: 'env1',
        sent_at: 1_767_225_600_000,
        reminders: 0,
        signed_by: ['client'],
        past_envelopes: [],
        keys: ['tenants/t1/documents/doc1/v1.pdf'],
      },
    ],
    early: [],
    handled: ['e1'],
  },
})

export type DocumentsState = StateOf<typeof documentsState>
export type SalesDocument = DocumentsState['documents'][number]
export type Ref = NonNullable<SalesDocument['ref']>
export type Webhook = DocumentsState['early'][number]

export const nothingYet: DocumentsState = Object.freeze({
  status: 'active',
  volume: [],
  research: 'unknown',
  documents: [],
  early: [],
  handled: [],
})

const handledRemembered = 300
const earlyRemembered = 50
const keysRemembered = 60
const envelopesRemembered = 30

/** Notes a command or a delivery; null when it was handled before. */
export function noted(state: DocumentsState, id: string): DocumentsState | null {
  return handledOnce(state, id, handledRemembered)
}

export const keptEarly = (early: readonly Webhook[], webhook: Webhook): readonly Webhook[] =>
  [...early, webhook].slice(-earlyRemembered)
export const keptKeys = (keys: readonly string[], ...more: readonly string[]): readonly string[] =>
  [...keys, ...more].slice(-keysRemembered)
export const keptEnvelopes = (envelopes: readonly string[], id: string): readonly string[] =>
  [...envelopes, id].slice(-envelopesRemembered)

export const documentOf = (state: DocumentsState, type: DocumentType): SalesDocument | undefined =>
  state.documents.find((document) => document.document_type === type)

export function isRef(value: unknown): value is Ref {
  if (typeof value !== 'object' || value === null) return false
  const { bucket, key, version_id, sha256, bytes } = value as Readonly<Record<string, unknown>>
  return [bucket, key, version_id, sha256].every((part) => typeof part === 'string') && typeof bytes === 'number'
}

/** A ref without what else a provider may have told. */
export const refOf = ({ bucket, key, version_id, sha256, bytes }: Ref): Ref => ({
  bucket,
  key,
  version_id,
  sha256,
  bytes,
})
