/**
/**
 * What becomes of a client: a corrected profile is used by the next session, the stage says whether old research is worth
 * a refresh, an erased client is forgotten for good, and of one that is let go nothing that was found out is used again.
 */

import { clientEvents, researchEvents } from '../../schemas/index.ts'
import type { Step, StepContext } from '../define.ts'
import { defineProcessor, emit } from '../define.ts'
import { fieldsOf } from '../fields.ts'
import { staleTimer } from '../research/age.ts'
import { remembered } from '../research/session.ts'
import type { Company, ResearchState } from '../research/state.ts'
import { companyOf, erasedState, nothingYet, researchState } from '../research/state.ts'

export const researchClient = () =>
  defineProcessor({
    name: 'research-client',
    reads: clientEvents,
    writes: [researchEvents],
    state: researchState,
    handle(state, input, context) {
      if (state?.status === 'erased') return { state }
      switch (input.event_type) {
        case 'client_erased':
          return { state: erasedState, timers: { [staleTimer]: null } }
        case 'compensation_requested':
          return input.step === 'research' ? letGo(state ?? nothingYet, context) : { state }
        case 'stage_changed':
          return { state: { ...(state ?? nothingYet), stage: input.to } }
        case 'client_profile_updated': {
          if (input.profile_source === 'research') return { state } // our own words, repeated
          const known = state ?? nothingYet
          return { state: { ...known, profile: corrected(known.profile ?? { company_name: '' }, input.fields) } }
        }
        default:
          return { state }
      }
    },
  })

/** A session that runs is left; an answer to it comes too late. The same request again is answered once. */
function letGo(state: ResearchState, context: StepContext): Step<ResearchState> {
  if (state.sessions.includes(context.eventId)) return { state }
  const oldest = Math.min(context.time, ...state.findings.map(({ found_at }) => found_at))
  const age_days = Math.floor((context.time - oldest) / dayMs)
  const { session_id } = state
  return {
    state: {
      ...nothingYet,
      session_id,
      sessions: remembered(state.sessions, context.eventId),
      stage: state.stage ?? null,
      profile: state.profile ?? null,
    },
    timers: { [staleTimer]: null },
    emit: [emit(researchEvents, 'research_stale', { research_session_id: session_id, age_days })],
  }
}

const dayMs = 24 * 60 * 60 * 1000

function corrected(profile: Company, fields: unknown): Company {
  const told = fieldsOf(fields)
  const text = (name: string): string | null => {
    const value = told[name]
    return typeof value === 'string' && value !== '' ? value : null
  }
  return companyOf({
    company_name: text('company_name') ?? profile.company_name,
    domain: text('domain') ?? profile.domain ?? null,
    industry: text('industry') ?? profile.industry ?? null,
  })
}
