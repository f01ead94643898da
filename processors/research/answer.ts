/**
 * What research asks of a provider and what it reads in the answer; the words on the wire between the step and the
 * provider's client. Values by field:
 *
 *   company_info       { summary, industry, employees, headquarters, founded }
 *   competitor         { name, url, pricing }             one claim per competitor
 *   pricing            { model, starting_price, currency, unit }
 *   tech_stack         { technologies: [text] }
 *   volume_prediction  { monthly_conversations, basis }
 */

import type { Json } from '../../schemas/index.ts'

export const researchFields = ['company_info', 'competitor', 'pricing', 'tech_stack', 'volume_prediction'] as const
export type ResearchField = (typeof researchFields)[number]

export type ResearchQuestion = {
  readonly company_name: string
  readonly domain: string | null
  readonly industry: string | null
  readonly fields: readonly ResearchField[]
}

export type Source = { readonly url: string; readonly title: string; readonly date?: string | null }

export type Claim = {
  readonly field: ResearchField
  readonly value: { readonly [name: string]: Json }
  /** 0…1: how surely the sources speak of this company. */
  readonly match: number
  readonly sources: readonly Source[]
}

export type ResearchAnswer = {
  /** False when the provider answered without looking anything up. */
  readonly searched: boolean
  readonly claims: readonly Claim[]
}

/**
 * The answer in a call's output, or null. Clients bound and shape what they return; this only tells an answer from what
 * stands there otherwise (an erased output, an answer of another kind).
 */
export function readAnswer(output: unknown): ResearchAnswer | null {
  if (typeof output !== 'object' || output === null) return null
  const { searched, claims } = output as Partial<ResearchAnswer>
  return typeof searched === 'boolean' && Array.isArray(claims) ? { searched, claims } : null
}

/** Names that differ only in case, spaces and legal form are one name. */
export function sameName(name: string): string {
  return name
    .toLowerCase()
    .replace(/[.,]/g, '')
    .replace(/\s+(inc|ltd|llc|gmbh|ag|plc|corp|co)$/, '')
    .replace(/\s+/g, ' ')
    .trim()
}
