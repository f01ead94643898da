/** Sales documents as they stand, and each version of them. Amounts are in minor units. */

import { documentEvents } from '../../schemas/index.ts'
import { defineProjection } from '../projection.ts'
import { count, defineTable, instant, json, long, nullable, patch, put, text, uuid } from '../table.ts'

/** What a version offers. */
const figures = {
  currency: nullable(text),
  amount: nullable(long),
  list_amount: nullable(long),
  discount_basis_points: nullable(count),
  margin_basis_points: nullable(count),
  quantity: nullable(count),
}

export const documentsTable = defineTable('documents', {
  key: { tenant_id: uuid, document_id: text },
  columns: {
    organization_id: uuid,
    document_type: text,
    /** The newest. */
    version: count,
    /** generated · approved · rejected · failed · sent · viewed · signed · declined · voided · expired */
    status: text,
    ...figures,
    generated_at: instant,
    approved_by: nullable(text),
    envelope_id: nullable(text),
    sent_at: nullable(instant),
    expires_at: nullable(instant),
    viewed_at: nullable(instant),
    reminders: nullable(count),
    signed_at: nullable(instant),
    terms: nullable(json),
    /** Why it ended without a signature. */
    reason: nullable(text),
    ended_at: nullable(instant),
  },
})

export const documentVersionsTable = defineTable('document_versions', {
  key: { tenant_id: uuid, document_id: text, version: count },
  columns: {
    organization_id: uuid,
    document_type: text,
    template_version: count,
    ...figures,
    /** Where the drawn-up file stands. */
    ref: json,
    generated_at: instant,
    approved_by: nullable(text),
    approved_at: nullable(instant),
    envelope_id: nullable(text),
    sent_at: nullable(instant),
    signed_at: nullable(instant),
    signed_ref: nullable(json),
    certificate_ref: nullable(json),
  },
})

export const documents = defineProjection({
  name: 'documents',
  reads: documentEvents,
  tables: [documentsTable, documentVersionsTable],
  apply(event) {
    switch (event.event_type) {
      case 'document_generated': {
        const { document_type, version, template_version, ref } = event
        const common = {
          ...{ organization_id: event.organization_id, document_type, generated_at: event.timestamp },
          ...figuresOf(event),
        }
        return [
          put(documentsTable, keyOf(event), { ...common, version, status: 'generated' }),
          put(documentVersionsTable, versionOf(event), { ...common, template_version, ref }),
        ]
      }
      case 'document_approved':
        return [
          patch(documentsTable, keyOf(event), { status: 'approved', approved_by: event.by }),
          patch(documentVersionsTable, versionOf(event), { approved_by: event.by, approved_at: event.timestamp }),
        ]
      case 'envelope_sent': {
        const sent = { envelope_id: event.envelope_id, sent_at: event.timestamp }
        return [
          patch(documentsTable, keyOf(event), { ...sent, status: 'sent', expires_at: event.expires_at }),
          patch(documentVersionsTable, versionOf(event), sent),
        ]
      }
      case 'document_viewed':
        return [patch(documentsTable, keyOf(event), { status: 'viewed', viewed_at: event.timestamp })]
      case 'reminder_due':
        return [patch(documentsTable, keyOf(event), { reminders: event.n })]
      case 'document_signed': {
        const { signed_at, signed_ref, certificate_ref, terms = null } = event
        return [
          patch(documentsTable, keyOf(event), { status: 'signed', signed_at, terms, ended_at: event.timestamp }),
          patch(documentVersionsTable, versionOf(event), { signed_at, signed_ref, certificate_ref }),
        ]
      }
      case 'document_rejected':
        return [ended(event, 'rejected', event.reason)]
      case 'document_generation_failed':
        return [ended(event, 'failed', event.reason)]
      case 'document_declined':
        return [ended(event, 'declined', event.reason)]
      case 'document_voided':
        return [ended(event, 'voided', event.reason)]
      case 'document_expired':
        return [ended(event, 'expired', null)]
      default:
        return []
    }
  },
})

interface Named {
  readonly tenant_id: string
  readonly document_id: string
  readonly timestamp: number
}

const keyOf = ({ tenant_id, document_id }: Named) => ({ tenant_id, document_id })
const versionOf = (event: Named & { readonly version: number }) => ({ ...keyOf(event), version: event.version })

const ended = (event: Named, status: string, reason: string | null) =>
  patch(documentsTable, keyOf(event), { status, reason, ended_at: event.timestamp })

type Figures = { readonly [K in keyof typeof figures]?: (typeof figures)[K] extends { value?: infer T } ? T : never }

const figuresOf = (event: Figures): Figures => ({
  currency: event.currency ?? null,
  amount: event.amount ?? null,
  list_amount: event.list_amount ?? null,
  discount_basis_points: event.discount_basis_points ?? null,
  margin_basis_points: event.margin_basis_points ?? null,
  quantity: event.quantity ?? null,
})
