/**
 * A person decided on doubtful findings, or nobody did in time, and the session goes on.
 *   approve  they stand as they are
 *   edit     what the person wrote takes their place, certain; the rest stands
 *   reject   they are withdrawn; with nothing left the research has failed
 *   nobody   they stand, believed no more than something nobody looked up
 */

import { researchEvents, reviewEvents } from '../../schemas/index.ts'
import type { StepContext } from '../define.ts'
import { defineProcessor } from '../define.ts'
import { edited, findingRecorded, isEdits, replaced, unverified, withdraw, withdrawn } from '../research/findings.ts'
import { after, announced, end, fail, weakFields } from '../research/session.ts'
import type { ResearchSettings } from '../research/settings.ts'
import type { Finding, ResearchState } from '../research/state.ts'
import { researchState } from '../research/state.ts'

export const researchReview = (settings: ResearchSettings) =>
  defineProcessor({
    name: 'research-review',
    reads: reviewEvents,
    writes: [researchEvents, reviewEvents],
    state: researchState,
    handle(state, input, context) {
      if (input.event_type !== 'review_decided' && input.event_type !== 'review_expired') return { state }
      if (state?.status !== 'review' || state.review_id !== input.review_id) return { state }
      const way = input.event_type === 'review_decided' ? input.decision : input.fallback
      switch (way) {
        case 'approve':
          return end(settings, state, context)
        case 'edit': {
          const edits = input.event_type === 'review_decided' && isEdits(input.edits) ? input.edits : {}
          const { changed, findings } = edited(state, edits, context)
          return decided(settings, { ...state, findings }, changed, context)
        }
        case 'reject':
          return rejected(settings, state, context)
        case 'proceed_marked_unverified':
          return undecided(settings, state, context)
        case 'escalate':
          return { state } // somebody else will decide
      }
    },
  })

function rejected(settings: ResearchSettings, state: ResearchState, context: StepContext) {
  const weak = weakFields(settings, state)
  const gone = state.findings.filter((f) => weak.includes(f.finding_type)).map((f) => withdraw(f, context))
  return decided(settings, { ...state, findings: replaced(state.findings, gone) }, gone, context)
}

/** Each doubtful finding is withdrawn and told again: where the surest word counts, the surer one before is no more. */
function undecided(settings: ResearchSettings, state: ResearchState, context: StepContext) {
  const doubted = unverified(settings, state)
  const gone = doubted.map((finding) => findingRecorded(state.session_id, { ...finding, confidence: 0 }))
  return after(gone, decided(settings, { ...state, findings: replaced(state.findings, doubted) }, doubted, context))
}

function decided(settings: ResearchSettings, state: ResearchState, changed: readonly Finding[], context: StepContext) {
  const told = changed.flatMap((finding) => announced(state.session_id, finding))
  const nothingLeft = state.findings.every(withdrawn)
  return after(told, nothingLeft ? fail(settings, state, 'rejected', context) : end(settings, state, context))
}
