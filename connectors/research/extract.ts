/**
 * Reads claims out of pages (search results, scraped text) by plain patterns: cheap, deterministic, and modest. A page
 * counts only when it names the company or stands on its site; what several pages say is one claim with several sources.
 */

import type { Claim, ResearchQuestion, Source } from './answer.ts'
import { bounds, clip, hostOf } from './answer.ts'

export interface Document {
  readonly url: string
  readonly title: string
  readonly text: string
  readonly date: string | null
}

interface Page extends Document {
  readonly source: Source
  readonly ownSite: boolean
  /** Title and text, bounded: patterns run over it. */
  readonly all: string
}

const longestText = 20_000

export function claimsFrom(question: ResearchQuestion, documents: readonly Document[]): Claim[] {
  const pages = documents.flatMap((document) => pageOf(question, document))
  return question.fields.flatMap((field) => readers[field](question, pages))
}

function pageOf(question: ResearchQuestion, document: Document): Page[] {
  const host = hostOf(document.url)
  if (host === null) return []
  const ownSite = question.domain !== null && (host === question.domain || host.endsWith(`.${question.domain}`))
  const all = `${document.title}\n${document.text}`.slice(0, longestText)
  if (!ownSite && !all.toLowerCase().includes(question.company_name.toLowerCase())) return []
  const source = { url: document.url, title: document.title, date: document.date }
  return [{ ...document, source, ownSite, all }]
}

const readers: Readonly<Record<Claim['field'], (question: ResearchQuestion, pages: readonly Page[]) => Claim[]>> = {
  company_info: companyInfo,
  competitor: competitors,
  pricing,
  tech_stack: techStack,
  volume_prediction: volume,
}

/** The company's own words first, else the first page that names it. */
function companyInfo(question: ResearchQuestion, pages: readonly Page[]): Claim[] {
  const told = pages.find((page) => page.ownSite && page.text !== '') ?? pages.find((page) => page.text !== '')
  if (told === undefined) return []
  const value = {
    summary: firstSentences(told.text),
    industry: question.industry,
    employees: numberAfter(pages, /([\d.,]+)\s*(k|thousand)?\+?\s+employees/i),
    headquarters: firstMatch(pages, /headquartered in ([A-Z][\p{L} .-]{1,40}?)(?=[,.;]|$)/u),
    founded: numberAfter(pages, /founded in ((?:19|20)\d\d)\b/i),
  }
  return [{ field: 'company_info', value, match: 0.9, sources: sourcesOf(pages) }]
}

/** "X vs Y" in a title, "competitors include A, B and C", "alternatives to X: A, B and C". */
function competitors(question: ResearchQuestion, pages: readonly Page[]): Claim[] {
  const named = new Map<string, { name: string; pages: Page[] }>()
  for (const page of pages) {
    for (const name of new Set(namesIn(question, page))) {
      const key = name.toLowerCase()
      const known = named.get(key)
      if (known === undefined) named.set(key, { name, pages: [page] })
      else known.pages.push(page)
    }
  }
  return [...named.values()].slice(0, bounds.competitors).map(({ name, pages: by }) => ({
    field: 'competitor' as const,
    value: { name, url: null, pricing: null },
    match: 0.8,
    sources: sourcesOf(by),
  }))
}

function namesIn(question: ResearchQuestion, page: Page): string[] {
  const company = question.company_name
  const versus = new RegExp(`${escaped(company)}\\s+vs\\.?\\s+(${properName})`, 'giu')
  const lists =
    /(?:competitors|alternatives|rivals)\b[^.:;\n]{0,60}?(?::|include|are|such as|like)\s+([^.;:\n]{3,300})/giu
  const listed = [...page.all.matchAll(lists)].flatMap((found) => (found[1] ?? '').split(/,\s*(?:and\s+)?|\s+and\s+/))
  return [...[...page.all.matchAll(versus)].map((found) => found[1] ?? ''), ...listed]
    .map((name) => name.trim())
    .filter((name) => wholeName.test(name) && name.toLowerCase() !== company.toLowerCase())
}

const nameWord = String.raw`\p{Lu}(?:[\p{L}\p{N}&'-]|\.(?=[\p{L}\p{N}]))*`
const properName = `${nameWord}(?: ${nameWord}){0,3}`
const wholeName = new RegExp(`^${properName}$`, 'u')

function pricing(_question: ResearchQuestion, pages: readonly Page[]): Claim[] {
  const price = /([$€£])\s?(\d{1,6}(?:[.,]\d{1,2})?)\s*(?:\/|per )\s?((?:user|seat|agent|month|mo|year|transaction)\b)/i
  const telling = pages.filter((page) => price.test(page.all))
  const found = telling[0] === undefined ? null : price.exec(telling[0].all)
  if (found === null) return []
  const currency = { $: 'USD', '€': 'EUR', '£': 'GBP' }[found[1] ?? ''] ?? null
  const value = {
    model: found[3]?.toLowerCase() === 'transaction' ? 'usage' : 'subscription',
    starting_price: Number((found[2] ?? '').replace(',', '.')),
    currency,
    unit: found[3]?.toLowerCase() ?? null,
  }
  const same = telling.filter((page) => price.exec(page.all)?.[2] === found[2])
  return [{ field: 'pricing', value, match: 0.8, sources: sourcesOf(same) }]
}

const knownTechnologies = (
  'AWS,Azure,Google Cloud,Kubernetes,Docker,Terraform,React,Angular,Vue,Next.js,Node.js,TypeScript,Python,Django,Ruby on Rails,Java,' +
  'Kotlin,Scala,Golang,Rust,PHP,Laravel,.NET,PostgreSQL,MySQL,MongoDB,Redis,Elasticsearch,Kafka,Snowflake,Databricks,BigQuery,' +
  'Salesforce,HubSpot,Zendesk,Intercom,Segment,Stripe,Shopify,WordPress,Cloudflare,GraphQL,Datadog,Twilio,SAP,Oracle'
).split(',')

function techStack(_question: ResearchQuestion, pages: readonly Page[]): Claim[] {
  const says = (page: Page, technology: string): boolean =>
    new RegExp(`(?<![\\p{L}\\p{N}])${escaped(technology)}(?![\\p{L}\\p{N}])`, 'u').test(page.all)
  const technologies = knownTechnologies.filter((technology) => pages.some((page) => says(page, technology)))
  if (technologies.length === 0) return []
  const telling = pages.filter((page) => technologies.some((technology) => says(page, technology)))
  return [{ field: 'tech_stack', value: { technologies }, match: 0.7, sources: sourcesOf(telling) }]
}

/** From the customers a company says it has: one conversation for every ten customers a month. */
function volume(_question: ResearchQuestion, pages: readonly Page[]): Claim[] {
  const told = /([\d.,]+)\s*(k|thousand|million)?\+?\s+(?:customers|clients|businesses|merchants)/i
  const customers = numberAfter(pages, told)
  if (customers === null || customers === 0) return []
  const value = { monthly_conversations: Math.max(1, Math.round(customers / 10)), basis: `${customers} customers` }
  return [{ field: 'volume_prediction', value, match: 0.6, sources: sourcesOf(pages.filter((p) => told.test(p.all))) }]
}

function sourcesOf(pages: readonly Page[]): Source[] {
  return pages.slice(0, bounds.sources).map((page) => page.source)
}

function numberAfter(pages: readonly Page[], pattern: RegExp): number | null {
  const found = pages.map((page) => pattern.exec(page.all)).find((match) => match !== null)
  if (found === undefined) return null
  const scale = { k: 1e3, thousand: 1e3, million: 1e6 }[(found[2] ?? '').toLowerCase()] ?? 1
  const value = Number((found[1] ?? '').replaceAll(',', '')) * scale
  return Number.isFinite(value) ? Math.round(value) : null
}

function firstMatch(pages: readonly Page[], pattern: RegExp): string | null {
  return pages.map((page) => pattern.exec(page.all)?.[1]).find((text) => text !== undefined) ?? null
}

const firstSentences = (text: string): string =>
  clip(
    text
      .split(/(?<=[.!?])\s+/)
      .slice(0, 2)
      .join(' '),
    bounds.summary,
  )
const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
