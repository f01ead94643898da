/**
 * A new organization is researched, once: a second delivery, or a session that began otherwise, starts nothing. A deleted
 * one is not researched again.
 */

import { authEvents, researchEvents, reviewEvents } from '../../schemas/index.ts'
import { defineProcessor } from '../define.ts'
import { researchFields } from '../research/answer.ts'
import { begin } from '../research/session.ts'
import type { ResearchSettings } from '../research/settings.ts'
import { companyOf, nothingYet, researchState } from '../research/state.ts'

export const researchStart = (settings: ResearchSettings) =>
  defineProcessor({
    name: 'research-start',
    reads: authEvents,
    writes: [researchEvents, reviewEvents],
    state: researchState,
    handle(state, input, context) {
      const known = state ?? nothingYet
      if (known.status === 'erased') return { state }
      if (input.event_type === 'organization_deleted') return { state: { ...known, closed: true } }
      if (input.event_type !== 'organization_created' || known.sessions.length > 0) return { state }
      const company = companyOf(input)
      const session_id = context.id('session')
      return begin(settings, known, { session_id, company, plan: researchFields, fresh: false }, context)
    },
  })
