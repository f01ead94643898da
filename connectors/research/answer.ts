/**
 * What research asks and what every research provider answers, whatever its wire format.
 *
 *   request  { company_name, domain, industry, fields: ['company_info', …] }
 *   output   { searched, claims: [{ field, value, match, sources: [{ url, title, date }] }] }
 *
 * A claim is one value with the pages that say it. `match` (0…1) is how surely those pages speak of this company.
 * `searched` is false when the provider answered without looking anything up. Values by field:
 *   company_info       { summary, industry, employees, headquarters, founded }
 *   competitor         { name, url, pricing }             one claim per competitor
 *   pricing            { model, starting_price, currency, unit }
 *   tech_stack         { technologies: [text] }
 *   volume_prediction  { monthly_conversations, basis }
 * Unknown parts are null. Everything is bounded here, because what a provider says ends in a keyed state.
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

export type Source = { readonly url: string; readonly title: string; readonly date: string | null }

export type Claim = {
  readonly field: ResearchField
  readonly value: { readonly [name: string]: Json }
  readonly match: number
  readonly sources: readonly Source[]
}

export type ResearchAnswer = { readonly searched: boolean; readonly claims: readonly Claim[] }

/** Lengths in characters. A whole answer stays under 64 KiB: three of them fit a keyed state. */
export const bounds = {
  summary: 400,
  text: 120,
  title: 120,
  url: 300,
  sources: 4,
  competitors: 10,
  technologies: 30,
  claims: 14,
}

/** The question in a call's request, or null when it is not one. */
export function readQuestion(request: Json): ResearchQuestion | null {
  if (!isObject(request)) return null
  const { company_name, domain, industry, fields } = request
  if (typeof company_name !== 'string' || company_name === '' || !Array.isArray(fields)) return null
  const known = researchFields.filter((field) => fields.includes(field))
  if (known.length === 0) return null
  return { company_name, domain: textOrNull(domain), industry: textOrNull(industry), fields: known }
}

/** Keeps what was asked, cuts what is too long, drops sources that are no web address. */
export function boundAnswer(question: ResearchQuestion, answer: ResearchAnswer): ResearchAnswer {
  const claims = answer.claims
    .filter((claim) => question.fields.includes(claim.field))
    .slice(0, bounds.claims)
    .map((claim) => ({
      field: claim.field,
      value: boundValue(claim.value, bounds.summary) as Claim['value'],
      match: Math.min(1, Math.max(0, Number.isFinite(claim.match) ? claim.match : 0)),
      sources: boundSources(claim.sources),
    }))
  return { searched: answer.searched, claims }
}

function boundSources(sources: readonly Source[]): Source[] {
  return sources
    .filter((source) => source.url.length <= bounds.url && hostOf(source.url) !== null)
    .slice(0, bounds.sources)
    .map((source) => ({
      url: source.url,
      title: clip(source.title, bounds.title),
      date: source.date === null ? null : clip(source.date, 40),
    }))
}

function boundValue(value: Json, length: number): Json {
  if (typeof value === 'string') return clip(value, length)
  if (Array.isArray(value)) return value.slice(0, bounds.technologies).map((part) => boundValue(part, bounds.text / 2))
  if (!isObject(value)) return value
  const parts = Object.entries(value).slice(0, 8)
  return Object.fromEntries(
    parts.map(([name, part]) => [name, boundValue(part, name === 'summary' ? bounds.summary : bounds.text)]),
  )
}

/** The host of a web address in lower case without `www.`, or null. */
export function hostOf(url: string): string | null {
  if (!URL.canParse(url)) return null
  const { protocol, hostname } = new URL(url)
  if (protocol !== 'https:' && protocol !== 'http:') return null
  return hostname.toLowerCase().replace(/^www\./, '')
}

/** Cuts by code points: half a surrogate pair has no UTF-8 form. */
export function clip(text: string, length: number): string {
  if (text.length <= length) return text
  const cut = text.slice(0, length)
  return /[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut
}

export const isObject = (value: unknown): value is { readonly [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const textOrNull = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null)
