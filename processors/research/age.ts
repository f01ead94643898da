/**
 * Research grows old. When it does, that is said once (`research_stale`); a client that is still with us is researched
 * again, by a request like any other. A newer session that completes begins the time anew.
 */

import { researchEvents } from '../../schemas/index.ts'
import type { Emission, Step, StepContext } from '../define.ts'
import { emit } from '../define.ts'
import type { ResearchSettings } from './settings.ts'
import type { ResearchState } from './state.ts'

export const staleTimer = 'research_stale'
const dayMs = 24 * 60 * 60 * 1000

/** The timer of research that completed at `time`; never at or before its last firing. */
export const agesFrom = (settings: ResearchSettings, state: ResearchState, time: number) => ({
  [staleTimer]: Math.max(time + settings.staleAfterMs, (state.stale_fired_at ?? -1) + 1),
})

/** The time is over. While another session runs, or after one that failed, there is nothing that could be old. */
export function aged(settings: ResearchSettings, known: ResearchState, context: StepContext): Step<ResearchState> {
  const state = { ...known, stale_fired_at: context.time }
  if (state.status !== 'done') return { state }
  const age_days = Math.floor(settings.staleAfterMs / dayMs)
  const told: Emission[] = [emit(researchEvents, 'research_stale', { research_session_id: state.session_id, age_days })]
  if (isActive(settings, state)) told.push(askedAgain(state))
  return { state, emit: told }
}

function isActive({ inactiveStages }: ResearchSettings, { stage, closed }: ResearchState): boolean {
  return closed !== true && (stage == null || !inactiveStages.includes(stage))
}

function askedAgain({ company }: ResearchState): Emission {
  return emit(researchEvents, 'research_requested', {
    company_name: company?.company_name ?? '',
    domain: company?.domain ?? null,
    depth: 'standard',
    reason: 'stale',
  })
}
