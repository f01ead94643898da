/**
 * Drives research on its own topic: requests begin a session, answers move it. A request for what is being researched
 * joins that session; another question waits for its end (the newest one does). Facts the service wrote itself come back
 * here and are ignored. Research that has grown old is asked for again.
 */

import { researchEvents, reviewEvents } from '../../schemas/index.ts'
import type { PayloadOf } from '../../schemas/index.ts'
import type { StepContext } from '../define.ts'
import { defineProcessor } from '../define.ts'
import { aged, staleTimer } from '../research/age.ts'
import type { ResearchField } from '../research/answer.ts'
import { researchFields } from '../research/answer.ts'
import { sameQuestion } from '../research/findings.ts'
import type { Assignment } from '../research/session.ts'
import { answered, begin, remembered } from '../research/session.ts'
import type { ResearchSettings } from '../research/settings.ts'
import type { ResearchState } from '../research/state.ts'
import { companyOf, nothingYet, researchState } from '../research/state.ts'

export const researchSession = (settings: ResearchSettings) =>
  defineProcessor({
    name: 'research-session',
    reads: researchEvents,
    writes: [researchEvents, reviewEvents],
    state: researchState,
    timers: [staleTimer],
    handle(state, input, context) {
      const known = state ?? nothingYet
      if (known.status === 'erased') return { state }
      switch (input.event_type) {
        case '$timer':
          return aged(settings, known, context)
        case 'research_requested':
          return requested(settings, known, assignmentOf(known, input, context), context)
        case 'call_answered':
          return answered(settings, known, input, context) ?? { state }
        default:
          return { state }
      }
    },
  })

function requested(settings: ResearchSettings, state: ResearchState, assignment: Assignment, context: StepContext) {
  if (state.sessions.includes(assignment.session_id)) return { state }
  if (state.status !== 'running' && state.status !== 'review') return begin(settings, state, assignment, context)
  const covered = assignment.plan.every((field) => state.plan.includes(field)) && !assignment.fresh
  if (!covered || !sameQuestion(state.company, assignment.company))
    return { state: { ...state, next: { ...assignment } } }
  return { state: { ...state, sessions: remembered(state.sessions, assignment.session_id) } }
}

/** quick: the company and its competitors · standard: everything · deep: everything anew, whatever is known. */
const plans: Readonly<
  Record<PayloadOf<typeof researchEvents.events, 'research_requested'>['depth'], readonly ResearchField[]>
> = { quick: ['company_info', 'competitor'], standard: researchFields, deep: researchFields }

function assignmentOf(
  state: ResearchState,
  request: PayloadOf<typeof researchEvents.events, 'research_requested'>,
  context: StepContext,
): Assignment {
  const { company_name, domain, depth } = request
  const before = sameQuestion(state.company, { company_name, domain: state.company?.domain ?? null })
    ? state.company
    : null
  const company = companyOf({
    company_name,
    domain: domain ?? state.profile?.domain ?? before?.domain ?? null,
    industry: state.profile?.industry ?? before?.industry ?? null,
  })
  return { session_id: context.id('session'), company, plan: plans[depth], fresh: depth === 'deep' }
}
