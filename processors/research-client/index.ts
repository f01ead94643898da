/**
 * What becomes of a client: a corrected profile is used by the next session, the stage says whether old research is worth
 * a refresh, an erased client is forgotten for good.
 */

import { clientEvents } from '../../schemas/index.ts'
import { defineProcessor } from '../define.ts'
import { staleTimer } from '../research/age.ts'
import type { Company } from '../research/state.ts'
import { companyOf, erasedState, nothingYet, researchState } from '../research/state.ts'

export const researchClient = () =>
  defineProcessor({
    name: 'research-client',
    reads: clientEvents,
    writes: [],
    state: researchState,
    handle(state, input) {
      if (state?.status === 'erased') return { state }
      switch (input.event_type) {
        case 'client_erased':
          return { state: erasedState, timers: { [staleTimer]: null } }
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

function corrected(profile: Company, fields: unknown): Company {
  const told = (typeof fields === 'object' && fields !== null ? fields : {}) as Readonly<Record<string, unknown>>
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
