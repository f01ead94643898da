/** Words the scenarios of the demo service share. */

import { clientEvents, demoEvents, researchEvents } from '../../schemas/index.ts'
import type { Expected, ScenarioInput, ScenarioStep } from '../define.ts'
import { last } from '../define.ts'

/** Midnight of 1 January 2026. */
export const start = 1_767_225_600_000
export const seconds = (n: number): number => start + n * 1_000
export const days = (n: number): number => start + n * 24 * 60 * 60 * 1_000

export const client: ScenarioInput = {
  topic: clientEvents,
  type: 'client_created',
  payload: { company_name: 'Acme', domain: 'acme.example', industry: 'Logistics' },
  at: start,
}

export const finding = (
  finding_id: string,
  data: Readonly<Record<string, unknown>>,
  confidence = 0.8,
): ScenarioInput => ({
  topic: researchEvents,
  type: 'finding_recorded',
  payload: {
    finding_id,
    research_session_id: 's1',
    finding_type: 'company_info',
    data,
    confidence_score: confidence,
    finding_source: 'perplexity',
    citations: [],
  },
  at: seconds(1),
})

export const researched = (at = seconds(2), research_session_id = 's1'): ScenarioInput => ({
  topic: researchEvents,
  type: 'research_completed',
  payload: { research_session_id, findings_count: 1, competitors_count: 3, min_confidence: 0.8, cost: 1_000 },
  at,
})

export const requested: Expected = { type: 'demo_requested', payload: { research_session_id: 's1' } }
export const called = (
  provider: string,
  operation: string,
  more: Readonly<Record<string, unknown>> = {},
): Expected => ({
  type: 'call_requested',
  payload: { provider, operation, ...more },
})
export const asksModel = called('llm', 'complete')
export const renders = called('rendering', 'demo')
export const removes = called('rendering', 'remove')

export const answer = (at: number, output: Readonly<Record<string, unknown>>): ScenarioInput => ({
  answer: { class: 'ok', status: 200, output },
  at,
})
export const refusal = (at: number, more: Readonly<Record<string, unknown>> = {}): ScenarioInput => ({
  answer: { class: 'retry', status: 503, error: 'llm answered 503', ...more },
  at,
})

export const written = {
  headline: 'Support that keeps up with 120 people',
  pain_points: [{ text: 'Customers ask 120 colleagues where their parcel is.', finding_id: 'f1' }],
  steps: [
    { title: 'A parcel is late', text: 'The customer asks.', finding_id: 'f1' },
    { title: 'The agent knows', text: 'It answers with the source.', finding_id: null },
  ],
  call_to_action: 'Talk about a pilot',
}

const ref = (key: string) => ({ bucket: 'lifecycle', key, version_id: 'v1', sha256: 'ab', bytes: 10 })
export const page = (version = 1) => ({
  ref: ref(`d/${version}/page.html`),
  qr_ref: ref(`d/${version}/qr.svg`),
  share_token: 'token',
  url: 'https://demo.example/d/token',
})

export const generated = (personalization: Readonly<Record<string, unknown>>, version = 1): Expected => ({
  type: 'demo_generated',
  payload: { version, research_session_id: 's1', personalization },
})
export const published = (expires_at: number, version = 1): Expected => ({
  type: 'demo_published',
  payload: { version, share_token: 'token', expires_at },
})

/** From nothing to a demo of two steps, published at second 4. */
export const made: readonly ScenarioStep[] = [
  { when: client },
  { when: finding('f1', { employees: 120 }) },
  { when: researched(), then: [requested, asksModel] },
  { when: answer(seconds(3), { json: written, model: 'gpt-6-luna' }), then: [renders] },
  {
    when: answer(seconds(4), page()),
    then: [
      generated({ company_name: 'Acme', industry: 'Logistics', ...written }),
      published(seconds(4) + 14 * 86_400_000),
    ],
  },
]

const demo_id = last('demo_published', 'demo_id')
export const viewed = (at: number, viewer_hash = 'v', device = 'desktop'): ScenarioInput => ({
  topic: demoEvents,
  type: 'demo_viewed',
  payload: { demo_id, viewer_hash, session_id: 'x', device },
  at,
})
export const stepped = (at: number, step: string, dwell_ms = 0, viewer_hash = 'v'): ScenarioInput => ({
  topic: demoEvents,
  type: 'demo_step_completed',
  payload: { demo_id, viewer_hash, session_id: 'x', step, dwell_ms },
  at,
})
export const clicked = (at: number, viewer_hash = 'v'): ScenarioInput => ({
  topic: demoEvents,
  type: 'demo_cta_clicked',
  payload: { demo_id, viewer_hash, session_id: 'x', cta: 'pilot' },
  at,
})
export const engagement = (more: Readonly<Record<string, unknown>>): Expected => ({
  type: 'demo_engagement_changed',
  payload: more,
})
export const compensated = (at: number, step = 'demo'): ScenarioInput => ({
  topic: clientEvents,
  type: 'compensation_requested',
  payload: { step, refs: {}, attempt: 1 },
  at,
})
export const erasing = (at: number): ScenarioInput => ({
  topic: clientEvents,
  type: 'client_erased',
  payload: { mode: 'erase' },
  at,
})
