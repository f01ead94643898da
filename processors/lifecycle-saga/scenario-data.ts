/** Words the scenarios of the saga share. */

import { authEvents, researchEvents, reviewEvents } from '../../schemas/index.ts'
import type { Expected, ScenarioInput } from '../define.ts'

/** Midnight of 1 January 2026. */
export const start = 1_767_225_600_000
export const seconds = (n: number): number => start + n * 1_000
export const deadline = seconds(300)

export const created = {
  topic: authEvents,
  type: 'organization_created',
  payload: { company_name: 'Acme', domain: 'acme.example', industry: 'Logistics', owner_user_id: 'u1' },
  at: start,
} satisfies ScenarioInput

export const begun: readonly Expected[] = [
  { type: 'lifecycle_started', payload: { template: 'b2b_saas', version: 1 } },
  { type: 'client_created', payload: { company_name: 'Acme', domain: 'acme.example', industry: 'Logistics' } },
  { type: 'stage_changed', payload: { to: 'researching' } },
  { type: 'step_started', payload: { step: 'research', deadline } },
]

export const researchCompleted = (at: number): ScenarioInput => ({
  topic: researchEvents,
  type: 'research_completed',
  payload: { research_session_id: 's1', findings_count: 7, competitors_count: 3, min_confidence: 0.8, cost: 1_000 },
  at,
})

export const researchFailed = (at: number): ScenarioInput => ({
  topic: researchEvents,
  type: 'research_failed',
  payload: { research_session_id: 's1', reason: 'exhausted' },
  at,
})

export const researchInReview = (at: number): ScenarioInput => ({
  topic: reviewEvents,
  type: 'review_requested',
  payload: {
    review_id: 'r-research',
    subject_type: 'finding',
    subject_ref: 's1',
    reason: 'not sure enough of company_info',
    risk: 'medium',
    proposed_action: {},
    options: ['approve', 'reject', 'edit'],
    requester: 'research',
    due_at: at + 1,
  },
  at,
})

export const stepCompleted = (ms: number): Expected => ({ type: 'step_completed', payload: { step: 'research', ms } })
export const stepFailed = (attempt: number): Expected => ({
  type: 'step_failed',
  payload: { step: 'research', class: 'exhausted', attempt },
})
export const personAsked: Expected = {
  type: 'review_requested',
  payload: { requester: 'lifecycle-saga', options: ['approve', 'reject'] },
}
