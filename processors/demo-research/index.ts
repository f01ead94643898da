/** What research finds out is what a demo may say; when a session is complete, a demo of it is asked for. */

import { demoEvents, researchEvents } from '../../schemas/index.ts'
import { defineProcessor, emit } from '../define.ts'
import type { DemoState, Finding } from '../demo/state.ts'
import { demoState, noDemo } from '../demo/state.ts'

const findingsKept = 30
const longestData = 4_000
const sessionsRemembered = 20
/** A finding that nobody vouches for is not shown to the company it is about. */
const shownFrom = 0.6

export const demoResearch = () =>
  defineProcessor({
    name: 'demo-research',
    reads: researchEvents,
    writes: [demoEvents],
    state: demoState,
    handle(state, input) {
      if (state?.status === 'erased') return { state }
      switch (input.event_type) {
        case 'finding_recorded': {
          const { finding_id, research_session_id: session_id, finding_type, data, confidence_score } = input
          const fits = typeof data === 'object' && data !== null && JSON.stringify(data).length <= longestData
          const finding = {
            finding_id,
            session_id,
            finding_type,
            data: data as Finding['data'],
            confidence: confidence_score,
          }
          return { state: learnt(state ?? noDemo, finding, fits && confidence_score >= shownFrom) }
        }
        case 'research_completed': {
          const { research_session_id } = input
          const known = state ?? noDemo
          // Who was taken with a demo is not shown another because research was done again.
          if (known.engaged || known.asked.includes(research_session_id)) return { state }
          const wanted = { research_session_id, reason: 'research_completed' }
          return {
            state: { ...known, asked: [...known.asked, research_session_id].slice(-sessionsRemembered) },
            emit: [emit(demoEvents, 'demo_requested', wanted)],
          }
        }
        default:
          return { state }
      }
    },
  })

/** A later word on a finding replaces the earlier one; one that does not hold any more is dropped. */
function learnt(state: DemoState, finding: Finding, holds: boolean): DemoState {
  const place = state.findings.findIndex(({ finding_id }) => finding_id === finding.finding_id)
  if (!holds) return place === -1 ? state : { ...state, findings: state.findings.toSpliced(place, 1) }
  const findings = place === -1 ? [...state.findings, finding] : state.findings.with(place, finding)
  return { ...state, findings: findings.slice(-findingsKept) }
}
