/** Documents were signed, declined, ran out or were voided. A proposal that is made says that its pricing was approved. */

import { clientEvents, documentEvents, reviewEvents } from '../../schemas/index.ts'
import type { EventOf } from '../../schemas/index.ts'
import { defineProcessor } from '../define.ts'
import type { Fact } from '../lifecycle-saga/moves.ts'
import { observed } from '../lifecycle-saga/progress.ts'
import type { SagaSettings } from '../lifecycle-saga/settings.ts'
import { sagaState } from '../lifecycle-saga/state.ts'

export const sagaDocument = (settings: SagaSettings) =>
  defineProcessor({
    name: 'saga-document',
    reads: documentEvents,
    writes: [clientEvents, reviewEvents],
    state: sagaState,
    handle(state, input, context) {
      const fact = factOf(input)
      return fact === null ? { state } : observed(settings, state, fact, context)
    },
  })

function factOf(input: EventOf<typeof documentEvents.events> | { readonly event_type: '$timer' }): Fact | null {
  switch (input.event_type) {
    case 'document_generated':
      return input.document_type === 'proposal' ? about(input, 'pricing', 'completed') : null
    case 'document_rejected':
      return about(input, 'pricing', 'declined', 'pricing_rejected')
    case 'document_signed':
      return about(input, input.document_type, 'completed')
    case 'document_generation_failed':
      return about(input, input.document_type, 'failed', input.reason)
    case 'document_declined':
      return about(input, input.document_type, 'declined', `${input.document_type}_declined`)
    case 'document_expired':
      return about(input, input.document_type, 'expired')
    case 'document_voided':
      return about(input, input.document_type, 'undone')
    default:
      return null
  }
}

const about = (
  input: { readonly timestamp: number; readonly document_id: string; readonly event_id: string },
  step: Fact['step'],
  kind: Fact['kind'],
  reason = '',
): Fact => ({ step, kind, at: input.timestamp, ref: input.document_id, reason, event_id: input.event_id })
