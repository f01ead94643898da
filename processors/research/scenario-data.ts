/** Words the scenarios of the research service share: a company, what is asked and answered about it. */

import { authEvents, researchEvents } from '../../schemas/index.ts'
import type { Expected, ScenarioInput } from '../define.ts'
import type { Claim, ResearchAnswer, ResearchField, Source } from './answer.ts'

/** Midnight of 1 January 2026. */
export const start = 1_767_225_600_000
export const seconds = (n: number): number => start + n * 1_000
export const days = (n: number): number => start + n * 24 * 60 * 60 * 1_000

export const created: ScenarioInput = {
  topic: authEvents,
  type: 'organization_created',
  payload: { company_name: 'Acme', domain: 'acme.example', industry: 'Logistics', owner_user_id: 'u1' },
  at: start,
}

export const asked = (at: number, payload: Readonly<Record<string, unknown>> = {}): ScenarioInput => ({
  topic: researchEvents,
  type: 'research_requested',
  payload: { company_name: 'Acme', domain: 'acme.example', depth: 'standard', reason: 'asked', ...payload },
  at,
})

const page = (url: string): Source => ({ url, title: url, date: null })
/** Weights 0.6 (own site) and 0.3 each (aggregators). */
export const own = page('https://www.acme.example/about')
export const directory = page('https://directory.example/acme')
export const list = page('https://list.example/acme')
export const news = page('https://www.reuters.com/acme')

/** 1 - 0.4·0.7·0.7 = 0.804 at full match. */
const sure: readonly Source[] = [own, directory, list]

export const values: Readonly<Record<ResearchField, Claim['value']>> = {
  company_info: {
    summary: 'Acme moves things.',
    industry: 'Logistics',
    employees: 120,
    headquarters: null,
    founded: 2011,
  },
  competitor: { name: 'Globex', url: null, pricing: null },
  pricing: { model: 'subscription', starting_price: 49, currency: 'USD', unit: 'user' },
  tech_stack: { technologies: ['Kafka', 'PostgreSQL'] },
  volume_prediction: { monthly_conversations: 4_000, basis: '120 employees' },
}

export const claim = (
  field: ResearchField,
  sources: readonly Source[] = sure,
  value = values[field],
  match = 1,
): Claim => ({
  field,
  value,
  match,
  sources,
})

export const competitor = (name: string, sources: readonly Source[] = sure): Claim =>
  claim('competitor', sources, { name, url: null, pricing: null })

export const threeCompetitors = [competitor('Globex'), competitor('Initech'), competitor('Hooli')]

/** Everything, found at once and surely. */
export const everything: readonly Claim[] = [
  claim('company_info'),
  ...threeCompetitors,
  claim('pricing'),
  claim('tech_stack'),
  claim('volume_prediction'),
]

export const without = (...fields: readonly ResearchField[]): readonly Claim[] =>
  everything.filter((known) => !fields.includes(known.field))

export const answer = (
  at: number,
  claims: readonly Claim[],
  more: Readonly<Record<string, unknown>> = {},
): ScenarioInput => ({
  answer: { output: { searched: true, claims } satisfies ResearchAnswer, cost_microdollars: 1_000, ...more },
  at,
})

export const refusal = (
  at: number,
  as: 'retry' | 'auth' | 'quota' | 'invalid',
  retry_at: number | null = null,
): ScenarioInput => ({
  answer: { class: as, status: as === 'retry' ? 429 : 400, retry_at, error: 'refused' },
  at,
})

export const started: Expected = { type: 'research_started' }
export const called = (operation: string, more: Readonly<Record<string, unknown>> = {}): Expected => ({
  type: 'call_requested',
  payload: { operation, ...more },
})
export const recorded = (finding_type: ResearchField, more: Readonly<Record<string, unknown>> = {}): Expected => ({
  type: 'finding_recorded',
  payload: { finding_type, ...more },
})
export const identified = (name: string): Expected => ({ type: 'competitor_identified', payload: { name } })
export const completed = (more: Readonly<Record<string, unknown>> = {}): Expected => ({
  type: 'research_completed',
  payload: more,
})

export const competitorsRecorded: readonly Expected[] = ['Globex', 'Initech', 'Hooli'].flatMap((name) => [
  recorded('competitor'),
  identified(name),
])

export const everythingRecorded: readonly Expected[] = [
  recorded('company_info'),
  ...competitorsRecorded,
  recorded('pricing'),
  recorded('tech_stack'),
  recorded('volume_prediction'),
]
