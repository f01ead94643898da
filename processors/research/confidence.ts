/**
 * How much to believe. A value's confidence is c = 1 - Π(1 - w·q) over independent sources: w by the kind of source, q
 * how well it matches the company. Two pages of one host are one source; a claim without a page is one weak source per
 * provider. Of values that contradict each other the better founded stands, less half of what speaks for the best other.
 */

import type { Claim, ResearchField } from './answer.ts'
import { sameName } from './answer.ts'
import type { ResearchSettings } from './settings.ts'

/** A claim as it is kept while a session runs: who said it, and whether they searched. */
export type Evidence = Claim & { readonly provider: string; readonly searched: boolean }

export interface Judged {
  readonly field: ResearchField
  readonly value: Claim['value']
  /** 0…1, four decimals. */
  readonly confidence: number
  /** The provider of the strongest claim. */
  readonly provider: string
  readonly sources: Claim['sources']
}

type Weights = Pick<ResearchSettings, 'weights' | 'newsHosts' | 'unsearchedAtMost'>

/** What is believed of one field: one value, for competitors one per name; best first. Empty when nobody said anything. */
export function judge(
  settings: Weights,
  company: { readonly domain?: string | null },
  field: ResearchField,
  evidence: readonly Evidence[],
): Judged[] {
  const claims = evidence.filter((claim) => claim.field === field)
  if (field === 'competitor') {
    const byName = Map.groupBy(claims, (claim) => sameName(textOf(claim.value['name'])))
    byName.delete('')
    return [...byName.values()].map((group) => weigh(settings, company, field, group)).sort(byConfidence)
  }
  const [best, other] = agreeing(field, claims)
    .map((group) => weigh(settings, company, field, group))
    .sort(byConfidence)
  if (best === undefined) return []
  const confidence = other === undefined ? best.confidence : rounded(best.confidence - other.confidence / 2)
  return [{ ...best, confidence }]
}

const byConfidence = (a: Judged, b: Judged): number => b.confidence - a.confidence

function weigh(
  settings: Weights,
  company: { readonly domain?: string | null },
  field: ResearchField,
  claims: readonly Evidence[],
): Judged {
  const strength = new Map<string, number>()
  const add = (source: string, weight: number, match: number): void => {
    strength.set(source, Math.max(strength.get(source) ?? 0, weight * Math.min(1, Math.max(0, match))))
  }
  for (const claim of claims) {
    const own = [company.domain ?? '', field === 'competitor' ? hostOf(textOf(claim.value['url'])) : '']
    if (claim.sources.length === 0) add(`said by ${claim.provider}`, settings.weights.claim, claim.match)
    for (const { url } of claim.sources) add(hostOf(url), weightOf(settings, own, hostOf(url)), claim.match)
  }
  const doubt = [...strength.values()].reduce((product, believed) => product * (1 - believed), 1)
  const atMost = claims.some((claim) => claim.searched) ? 1 : settings.unsearchedAtMost
  const strongest = claims.reduce((best, claim) => (strengthOf(claim) > strengthOf(best) ? claim : best))
  return {
    field,
    value: merged(claims.map((claim) => claim.value)),
    confidence: Math.min(atMost, rounded(1 - doubt)),
    provider: strongest.provider,
    sources: distinct(claims.flatMap((claim) => claim.sources)),
  }
}

const strengthOf = (claim: Evidence): number => claim.match * (claim.sources.length + (claim.searched ? 1 : 0))

function weightOf(settings: Weights, own: readonly string[], host: string): number {
  const within = (site: string): boolean => site !== '' && (host === site || host.endsWith(`.${site}`))
  if (own.some(within)) return settings.weights.ownSite
  return settings.newsHosts.some(within) ? settings.weights.news : settings.weights.aggregator
}

/** Groups of claims that can all be true, in the order they were made. */
function agreeing(field: ResearchField, claims: readonly Evidence[]): Evidence[][] {
  const groups: Evidence[][] = []
  for (const claim of claims) {
    const fits = groups.find((group) => group.every((other) => agree[field](claim.value, other.value)))
    if (fits === undefined) groups.push([claim])
    else fits.push(claim)
  }
  return groups
}

type Value = Claim['value']

/** Only what can be compared contradicts: figures that are far apart. Texts are worded differently by everyone. */
const agree: Readonly<Record<ResearchField, (a: Value, b: Value) => boolean>> = {
  company_info: (a, b) => within(a['founded'], b['founded'], 1.001) && within(a['employees'], b['employees'], 3),
  competitor: () => true,
  pricing: (a, b) =>
    within(a['starting_price'], b['starting_price'], 1.2) &&
    (textOf(a['currency']) === textOf(b['currency']) || a['currency'] == null || b['currency'] == null),
  tech_stack: () => true,
  volume_prediction: (a, b) => within(a['monthly_conversations'], b['monthly_conversations'], 3),
}

function within(a: unknown, b: unknown, factor: number): boolean {
  if (typeof a !== 'number' || typeof b !== 'number') return true
  return Math.max(a, b) <= Math.min(a, b) * factor
}

/** The first value, its gaps filled and its lists joined from the others. */
function merged(values: readonly Value[]): Value {
  const result: Record<string, Value[string]> = {}
  for (const value of values)
    for (const [name, part] of Object.entries(value)) {
      const known = result[name] ?? null
      if (known === null) result[name] = part
      else if (Array.isArray(known) && Array.isArray(part))
        result[name] = [...new Set([...known, ...part])].slice(0, 40)
    }
  return result
}

const sourcesKept = 10

function distinct(sources: Claim['sources']): Claim['sources'] {
  return [...new Map(sources.map((source) => [source.url, source])).values()].slice(0, sourcesKept)
}

/** The host of a web address in lower case without `www.`; '' when it is none. */
function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname.toLowerCase().replace(/^www\./, '') : ''
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
const rounded = (confidence: number): number => Math.max(0, Math.round(confidence * 10_000) / 10_000)
