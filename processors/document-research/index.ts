/** What research found that a first offer is made from: how many conversations there are, and how many people. */

import { documentEvents, researchEvents } from '../../schemas/index.ts'
import type { PayloadOf } from '../../schemas/index.ts'
import { defineProcessor } from '../define.ts'
import { caughtUp, stepOf, untouched } from '../documents/flow.ts'
import type { DocumentsSettings } from '../documents/settings.ts'
import type { DocumentsState } from '../documents/state.ts'
import { documentsState, nothingYet } from '../documents/state.ts'

export const documentResearch = (settings: DocumentsSettings) =>
  defineProcessor({
    name: 'document-research',
    reads: researchEvents,
    writes: [documentEvents],
    state: documentsState,
    handle(state, input) {
      const known = state ?? nothingYet
      if (known.status === 'erased') return { state }
      switch (input.event_type) {
        case 'finding_recorded':
          return { state: learnt(known, input) ?? state }
        case 'research_completed': {
          if (known.research === 'known') return { state }
          const now = untouched({ ...known, research: 'known' })
          return stepOf(settings, caughtUp(settings, now, 'pricing', 'nda_signed'))
        }
        default:
          return { state }
      }
    },
  })

const kinds = {
  volume_prediction: { kind: 'conversations', field: 'monthly_conversations' },
  company_info: { kind: 'employees', field: 'employees' },
} as const
const findingsRemembered = 20
/** Beyond it a finding is a slip, not a volume. */
const mostQuantity = 1_000_000_000

/** A finding replaces the one of its id; withdrawn ones (confidence 0) go. Null when it is of no use here. */
function learnt(
  state: DocumentsState,
  finding: PayloadOf<typeof researchEvents.events, 'finding_recorded'>,
): DocumentsState | null {
  if (finding.finding_type !== 'volume_prediction' && finding.finding_type !== 'company_info') return null
  const { kind, field } = kinds[finding.finding_type]
  const { finding_id, confidence_score: confidence } = finding
  const others = state.volume.filter((known) => known.finding_id !== finding_id)
  const told = (finding.data as Readonly<Record<string, unknown>> | null)?.[field]
  const usable = typeof told === 'number' && told > 0 && told <= mostQuantity && confidence > 0
  if (!usable) return others.length === state.volume.length ? null : { ...state, volume: others }
  const volume = [...others, { finding_id, kind, quantity: Math.ceil(told), confidence }]
  return { ...state, volume: volume.slice(-findingsRemembered) }
}
