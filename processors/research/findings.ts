/** Findings that stand: how they are told, used again, and corrected by a person. */

import type { Json } from '../../schemas/index.ts'
import { researchEvents } from '../../schemas/index.ts'
import type { Emission, StepContext } from '../define.ts'
import { emit } from '../define.ts'
import type { ResearchField } from './answer.ts'
import { sameName } from './answer.ts'
import type { ResearchSettings } from './settings.ts'
import type { Company, Finding, ResearchState } from './state.ts'

export const withdrawn = (finding: Finding): boolean => finding.confidence === 0 && finding.source === 'human'

export function findingRecorded(sessionId: string, finding: Finding): Emission {
  return emit(researchEvents, 'finding_recorded', {
    finding_id: finding.finding_id,
    research_session_id: sessionId,
    finding_type: finding.finding_type,
    data: finding.data,
    confidence_score: finding.confidence,
    finding_source: finding.source,
    citations: finding.citations,
  })
}

export function competitorIdentified(finding: Finding): Emission {
  const { name, url, pricing } = finding.data
  return emit(researchEvents, 'competitor_identified', {
    name: typeof name === 'string' ? name : '',
    url: typeof url === 'string' ? url : null,
    pricing: pricing ?? null,
    confidence_score: finding.confidence,
  })
}

/**
 * The findings of the last session that may be used again: the question is the same, they are recent, and their field is
 * settled (for competitors: enough of them).
 */
export function cachedFindings(
  settings: ResearchSettings,
  state: ResearchState,
  company: Company,
  time: number,
): readonly Finding[] {
  if (state.status !== 'done' || !sameQuestion(state.company, company)) return []
  const good = state.findings.filter(
    (finding) => finding.confidence >= settings.settledAt && time - finding.found_at < settings.cacheMs,
  )
  const competitors = good.filter((finding) => finding.finding_type === 'competitor')
  const enough =
    competitors.length >= settings.competitorsWanted || competitors.some(({ source }) => source === 'human')
  return good.filter((finding) => finding.finding_type !== 'competitor' || enough)
}

export function sameQuestion(a: Company | null | undefined, b: Company): boolean {
  const domain = (company: Company): string => (company.domain ?? '').toLowerCase()
  return a != null && sameName(a.company_name) === sameName(b.company_name) && domain(a) === domain(b)
}

/**
 * What a person made of the doubtful fields. `edits` holds, by finding type, the corrected data: laid over what was
 * found, or for competitors the whole list. What a person wrote is certain; what it takes the place of is withdrawn.
 */
export function edited(
  state: ResearchState,
  edits: Readonly<Record<string, Json>>,
  context: StepContext,
): { readonly changed: readonly Finding[]; readonly findings: readonly Finding[] } {
  const changed = state.plan.flatMap((field) => {
    const data = edits[field]
    const before = state.findings.filter((finding) => finding.finding_type === field)
    if (field === 'competitor') return Array.isArray(data) ? editedCompetitors(before, data, context) : []
    if (!isEdits(data) || !fits(data)) return []
    const id = before[0]?.finding_id ?? context.id(`finding:${state.session_id}:human:${field}`)
    return [byHuman(id, field, { ...before[0]?.data, ...data }, 1, context)]
  })
  return { changed, findings: replaced(state.findings, changed) }
}

/** A state holds what a person writes, so it is bounded: a longer text is left out, what was found stands. */
const fits = (data: Json): boolean => Buffer.byteLength(JSON.stringify(data)) <= 4_096
const editedCompetitorsKept = 25

function editedCompetitors(before: readonly Finding[], list: readonly Json[], context: StepContext): Finding[] {
  const named = list
    .filter(isEdits)
    .filter((entry) => typeof entry['name'] === 'string' && entry['name'] !== '' && fits(entry))
    .slice(0, editedCompetitorsKept)
  const known = new Map(before.map((finding) => [sameName(String(finding.data['name'])), finding]))
  const kept = new Map(named.map((entry) => [sameName(String(entry['name'])), entry]))
  const gone = before.filter((finding) => !kept.has(sameName(String(finding.data['name']))))
  const written = [...kept].map(([name, entry]) => {
    const id = known.get(name)?.finding_id ?? context.id(`finding:human:competitor:${name}`)
    return byHuman(id, 'competitor', { ...known.get(name)?.data, ...entry }, 1, context)
  })
  return [...written, ...gone.map((finding) => withdraw(finding, context))]
}

export function withdraw(finding: Finding, context: StepContext): Finding {
  return byHuman(finding.finding_id, finding.finding_type, finding.data, 0, context)
}

/** What nobody confirmed in time, believed as little as what was never looked up; a finding that is sure stays sure. */
export function unverified(settings: ResearchSettings, state: ResearchState): Finding[] {
  const { reviewBelow, unverifiedAtMost } = settings
  return state.findings
    .filter(({ confidence, source }) => source !== 'human' && confidence < reviewBelow && confidence > unverifiedAtMost)
    .map((finding) => ({ ...finding, confidence: unverifiedAtMost }))
}

function byHuman(
  finding_id: string,
  finding_type: ResearchField,
  data: Finding['data'],
  confidence: number,
  context: StepContext,
): Finding {
  return { finding_id, finding_type, data, confidence, source: 'human', citations: [], found_at: context.time }
}

/** The findings with those that changed in their places, and new ones behind. */
export function replaced(findings: readonly Finding[], changed: readonly Finding[]): Finding[] {
  const byId = new Map(changed.map((finding) => [finding.finding_id, finding]))
  const kept = findings.map((finding) => byId.get(finding.finding_id) ?? finding)
  return [
    ...kept,
    ...changed.filter((finding) => !findings.some(({ finding_id }) => finding_id === finding.finding_id)),
  ]
}

export const isEdits = (value: unknown): value is { readonly [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
