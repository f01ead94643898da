/** Words the scenarios of the saga share. */

import {
  authEvents,
  billingEvents,
  demoEvents,
  documentEvents,
  researchEvents,
  reviewEvents,
} from '../../schemas/index.ts'
import type { Expected, ScenarioInput, ScenarioStep } from '../define.ts'

/** Midnight of 1 January 2026. */
export const start = 1_767_225_600_000
export const seconds = (n: number): number => start + n * 1_000
export const day = 24 * 60 * 60 * 1_000
export const days = (n: number): number => start + n * day
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

export const completed = (step: string, ms: number): Expected => ({ type: 'step_completed', payload: { step, ms } })
export const stage = (from: string, to: string): Expected => ({ type: 'stage_changed', payload: { from, to } })
export const stepStarted = (step: string, due: number): Expected => ({
  type: 'step_started',
  payload: { step, deadline: due },
})
/** Research is done: the demo is waited for. */
export const researchDone = (ms: number): readonly Expected[] => [
  completed('research', ms),
  stage('researching', 'demo'),
  stepStarted('demo', start + ms + 14 * day),
]
export const stepFailed = (attempt: number): Expected => ({
  type: 'step_failed',
  payload: { step: 'research', class: 'exhausted', attempt },
})
export const personAsked: Expected = {
  type: 'review_requested',
  payload: { requester: 'lifecycle-saga', options: ['approve', 'reject'] },
}

const ref = { bucket: 'b', key: 'k', version_id: 'v', sha256: 's', bytes: 1 }

export const demo = (type: string, at: number, more: Readonly<Record<string, unknown>> = {}): ScenarioInput => ({
  topic: demoEvents,
  type,
  payload: { demo_id: 'd1', ...more },
  at,
})
export const engaged = (at: number): ScenarioInput => demo('demo_engaged', at, { score: 70, sessions: 1 })

export const document = (
  type: string,
  document_type: string,
  at: number,
  more: Readonly<Record<string, unknown>> = {},
): ScenarioInput => ({
  topic: documentEvents,
  type,
  payload: { document_id: `doc-${document_type}`, document_type, ...more },
  at,
})
export const signed = (document_type: string, at: number): ScenarioInput =>
  document('document_signed', document_type, at, {
    version: 1,
    envelope_id: 'e',
    signed_ref: ref,
    certificate_ref: ref,
    signed_at: at,
    terms: null,
  })
export const proposalMade = (at: number): ScenarioInput =>
  document('document_generated', 'proposal', at, { version: 1, template_version: 1, ref })

export const billing = (type: string, at: number, payload: Readonly<Record<string, unknown>>): ScenarioInput => ({
  topic: billingEvents,
  type,
  payload,
  at,
})
export const activated = (at: number, subscription_id = 'sub_1'): ScenarioInput =>
  billing('subscription_activated', at, {
    subscription_id,
    plan: 'growth',
    currency: 'USD',
    mrr: 1,
    period_start: at,
    period_end: at + 30 * day,
  })

/** Each step a day after the one before. */
const way: readonly ScenarioStep[] = [
  { when: created, then: begun },
  { when: researchCompleted(seconds(4)), then: researchDone(4_000) },
  {
    when: engaged(days(1)),
    then: [completed('demo', day - 4_000), stage('demo', 'negotiating'), stepStarted('nda', days(31))],
  },
  { when: signed('nda', days(2)), then: [completed('nda', day), stepStarted('pricing', days(32))] },
  { when: proposalMade(days(3)), then: [completed('pricing', day), stepStarted('proposal', days(33))] },
  {
    when: signed('proposal', days(4)),
    then: [completed('proposal', day), stage('negotiating', 'signing'), stepStarted('contract', days(34))],
  },
  {
    when: signed('contract', days(5)),
    then: [completed('contract', day), stage('signing', 'billing'), stepStarted('billing', days(12))],
  },
  { when: activated(days(6)), then: [completed('billing', day), stage('billing', 'scoping')] },
]
const places = ['created', 'research', 'demo', 'nda', 'pricing', 'proposal', 'contract', 'billing'] as const
/** From the sign-up up to this step's end. */
export const until = (step: (typeof places)[number]): readonly ScenarioStep[] => way.slice(0, places.indexOf(step) + 1)

export const undoing = (step: string, attempt = 1): Expected => ({
  type: 'compensation_requested',
  payload: { step, attempt },
})
export const undone = (step: string): Expected => ({ type: 'compensation_step_done', payload: { step } })
export const abortedFor = (reason: string, from: string, compensated: readonly string[]): readonly Expected[] => [
  { type: 'lifecycle_aborted', payload: { reason, compensated } },
  { type: 'stage_changed', payload: { from, to: 'lost', reason } },
]
export const stale = (at: number): ScenarioInput => ({
  topic: researchEvents,
  type: 'research_stale',
  payload: { research_session_id: 's1', age_days: 0 },
  at,
})
