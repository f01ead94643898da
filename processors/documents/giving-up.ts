/** What a person is told of an envelope that we cannot bring to an end ourselves. */

import { reviewEvents } from '../../schemas/index.ts'
import type { Emission } from '../define.ts'
import { emit } from '../define.ts'
import type { Around } from './document.ts'
import type { SalesDocument } from './state.ts'

/**
 * create, void, fetch: that call was given up · late: all had signed before the envelope could be voided, and the lifecycle
 * goes back all the same
 */
export type Trouble = 'create' | 'void' | 'fetch' | 'late'

const reasons: Readonly<Record<Trouble, string>> = {
  create:
    'the envelope may be live, though the signature service never said so: void it there before there is another one',
  void: 'the envelope could not be voided: void it at the signature service',
  fetch: 'all have signed, and the signed file could not be fetched: approve to try again',
  late: 'all had signed before the envelope could be voided',
}

export function personTold({ settings, state, context }: Around, document: SalesDocument, trouble: Trouble): Emission {
  const { document_id, document_type, version, envelope_id, call } = document
  const told = trouble === 'create' ? state.early.map((webhook) => webhook.envelope_id) : []
  return emit(reviewEvents, 'review_requested', {
    review_id: context.id(`${trouble}:${document_id}:${version}`),
    subject_type: 'document',
    subject_ref: document_id,
    reason: reasons[trouble],
    risk: 'high',
    proposed_action: {
      document_type,
      envelope_id: envelope_id ?? null,
      ...(trouble === 'create' ? { transaction_id: call?.call_id ?? null, envelopes_told_of: [...new Set(told)] } : {}),
    },
    options: ['approve', 'reject'],
    requester: 'documents',
    due_at: context.time + settings.approval.withinMs,
  })
}
