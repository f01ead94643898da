/**
 * A research session, move by move. A session asks the rungs of the waterfall one after the other, each only for the
 * fields that are still open; a field is settled, and recorded, by the first rung that makes it sure enough.
 *
 * Invariants
 * 1. One session at a time per organization; an event begins at most one.
 * 2. While `status` is running exactly one call is in flight: `state.call`. Only its answer moves the session.
 * 3. A try keeps its call id until a definite failure of the rung; the next rung has a new one.
 * 4. A session ends once: research_completed or research_failed.
 */

import type { Emission, Step, StepContext } from '../define.ts'
import { emit } from '../define.ts'
import { researchEvents, reviewEvents } from '../../schemas/index.ts'
import { nextTry } from '../retry.ts'
import type { ResearchField } from './answer.ts'
import { readAnswer } from './answer.ts'
import { agesFrom } from './age.ts'
import { judge } from './confidence.ts'
import type { Judged } from './confidence.ts'
import { cachedFindings, competitorIdentified, findingRecorded, withdrawn } from './findings.ts'
import type { ResearchSettings } from './settings.ts'
import type { Company, Finding, ResearchState } from './state.ts'

type Move = Step<ResearchState> & { readonly state: ResearchState; readonly emit: readonly Emission[] }

/** What a session is to find out. `fresh`: even what is known from the last days. */
export interface Assignment {
  readonly session_id: string
  readonly company: Company
  readonly plan: readonly ResearchField[]
  readonly fresh: boolean
}

const sessionsRemembered = 20
export const remembered = (sessions: readonly string[], id: string): string[] =>
  [...sessions, id].slice(-sessionsRemembered)

/** Begins a session: takes what is known and recent enough, and asks for the rest. */
export function begin(
  settings: ResearchSettings,
  state: ResearchState,
  assignment: Assignment,
  context: StepContext,
): Move {
  const { session_id, company, plan, fresh } = assignment
  const cached = fresh ? [] : cachedFindings(settings, state, company, context.time)
  const known = plan
    .flatMap((field) => cached.filter((finding) => finding.finding_type === field))
    .map((finding, n) => ({ ...finding, finding_id: context.id(`finding:${session_id}:cached:${n}`) }))
  const begun: ResearchState = {
    ...state,
    status: 'running',
    session_id,
    sessions: remembered(state.sessions, session_id),
    company,
    plan,
    open: plan.filter((field) => !known.some((finding) => finding.finding_type === field)),
    rung: -1,
    call: null,
    answered: known.length > 0,
    evidence: [],
    findings: known,
    cost: 0,
    review_id: null,
    next: null,
  }
  const started = emit(researchEvents, 'research_started', { research_session_id: session_id, plan })
  const recorded = known.flatMap((finding) => announced(session_id, finding))
  return after([started, ...recorded], climb(settings, begun, context))
}

export interface Answer {
  readonly call_id: string
  readonly attempt: number
  readonly class: 'ok' | 'retry' | 'auth' | 'quota' | 'invalid'
  readonly retry_at?: number | null
  readonly output?: unknown
  readonly cost_microdollars: number
}

/** The answer to the call in flight; any other answer is late or not ours and moves nothing. */
export function answered(
  settings: ResearchSettings,
  state: ResearchState,
  answer: Answer,
  context: StepContext,
): Move | null {
  const { call } = state
  if (call == null || call.call_id !== answer.call_id || call.attempt !== answer.attempt) return null
  const paid = { ...state, cost: state.cost + answer.cost_microdollars }
  if (answer.class !== 'ok') return failed(settings, paid, { ...answer, class: answer.class }, context)
  const said = readAnswer(answer.output)
  if (said === null) return failed(settings, paid, { ...answer, class: 'invalid' }, context)
  const { provider } = rungOf(settings, state)
  const evidence = said.claims
    .filter((claim) => state.open.includes(claim.field))
    .map((claim) => ({ ...claim, provider, searched: said.searched }))
  const learnt = { ...paid, call: null, answered: true, evidence: [...state.evidence, ...evidence] }
  const settled = settle(settings, learnt, context)
  return after(settled.emit, climb(settings, settled.state, context))
}

/** Too early, broken, refused: try again, or leave the rung. */
function failed(
  settings: ResearchSettings,
  state: ResearchState,
  answer: Answer & { readonly class: 'retry' | 'auth' | 'quota' | 'invalid' },
  context: StepContext,
): Move {
  const { provider } = rungOf(settings, state)
  const next = nextTry(settings.retry, answer, { time: context.time, chance: context.id(`retry:${answer.call_id}`) })
  const told = { provider, class: answer.class, attempt: answer.attempt, retry_at: next?.notBefore ?? null }
  const failure = emit(researchEvents, 'research_call_failed', told)
  if (next !== null) {
    const call = { call_id: answer.call_id, attempt: next.attempt }
    return after([failure], ask(settings, { ...state, call }, next.notBefore))
  }
  // A refused key or an empty purse holds for every operation of that provider.
  const skip = answer.class === 'auth' || answer.class === 'quota' ? provider : null
  return after([failure], climb(settings, { ...state, call: null }, context, skip))
}

/** The next rung, or the end of the session when nothing is open or nobody is left to ask. */
function climb(
  settings: ResearchSettings,
  state: ResearchState,
  context: StepContext,
  skip: string | null = null,
): Move {
  if (state.open.length === 0) return end(settings, state, context)
  const rung = settings.waterfall.findIndex((next, place) => place > state.rung && next.provider !== skip)
  if (rung === -1) return exhausted(settings, state, context)
  const call = { call_id: context.id(`call:${state.session_id}:${rung}`), attempt: 1 }
  return ask(settings, { ...state, rung, call }, context.time)
}

function ask(settings: ResearchSettings, state: ResearchState, notBefore: number): Move {
  const { provider, operation } = rungOf(settings, state)
  const request = {
    company_name: state.company?.company_name ?? '',
    domain: state.company?.domain ?? null,
    industry: state.company?.industry ?? null,
    fields: state.open,
  }
  const { call_id, attempt } = state.call ?? { call_id: '', attempt: 1 }
  const call = { call_id, provider, operation, attempt, not_before: notBefore, request }
  return { state, emit: [emit(researchEvents, 'call_requested', call)] }
}

/** Records every open field that is sure enough by now. */
function settle(settings: ResearchSettings, state: ResearchState, context: StepContext): Move {
  return recordFields(
    settings,
    state,
    context,
    (judged, field) => surenessOf(settings, field, judged) >= settings.settledAt,
  )
}

function recordFields(
  settings: ResearchSettings,
  state: ResearchState,
  context: StepContext,
  wanted: (judged: readonly Judged[], field: ResearchField) => boolean,
): Move {
  const findings: Finding[] = []
  const closed = new Set<ResearchField>()
  for (const field of state.open) {
    const judged = judge(settings, state.company ?? {}, field, state.evidence)
    if (judged.length === 0 || !wanted(judged, field)) continue
    closed.add(field)
    for (const value of worthKeeping(settings, field, judged))
      findings.push(findingOf(state, value, findings.length, context))
  }
  return {
    state: {
      ...state,
      open: state.open.filter((field) => !closed.has(field)),
      evidence: state.evidence.filter((claim) => !closed.has(claim.field)),
      findings: [...state.findings, ...findings],
    },
    emit: findings.flatMap((finding) => announced(state.session_id, finding)),
  }
}

/** How sure a field is: of competitors, the last one that is wanted. */
function surenessOf(settings: ResearchSettings, field: ResearchField, judged: readonly Judged[]): number {
  const place = field === 'competitor' ? settings.competitorsWanted - 1 : 0
  return judged[place]?.confidence ?? 0
}

/** With enough good competitors the doubtful ones are left out; else all are shown to the person who decides. */
function worthKeeping(settings: ResearchSettings, field: ResearchField, judged: readonly Judged[]): readonly Judged[] {
  const good = judged.filter((value) => value.confidence >= settings.reviewBelow)
  const enough = field === 'competitor' && good.length >= settings.competitorsWanted
  return (enough ? good : judged).slice(0, settings.competitorsKept)
}

function findingOf(state: ResearchState, judged: Judged, n: number, context: StepContext): Finding {
  return {
    finding_id: context.id(`finding:${state.session_id}:${judged.field}:${n}`),
    finding_type: judged.field,
    data: judged.value,
    confidence: judged.confidence,
    source: judged.provider,
    citations: judged.sources.map(({ title, url, date }) => ({ title, url, date: date ?? null })),
    found_at: context.time,
  }
}

/** Nobody is left to ask: what there is is recorded as it is, and a person is asked when it is too little. */
function exhausted(settings: ResearchSettings, state: ResearchState, context: StepContext): Move {
  if (!state.answered) return fail(settings, state, 'exhausted', context)
  const recorded = recordFields(settings, state, context, () => true)
  const weak = weakFields(settings, recorded.state)
  if (weak.length === 0) return after(recorded.emit, end(settings, recorded.state, context))
  const review_id = context.id(`review:${state.session_id}`)
  const review = emit(reviewEvents, 'review_requested', {
    review_id,
    subject_type: 'finding',
    subject_ref: state.session_id,
    reason: `not sure enough of ${weak.join(', ')}`,
    risk: 'medium',
    proposed_action: {
      company_name: state.company?.company_name ?? '',
      domain: state.company?.domain ?? null,
      findings: recorded.state.findings
        .filter((finding) => weak.includes(finding.finding_type))
        .map(({ finding_id, finding_type, data, confidence }) => ({ finding_id, finding_type, data, confidence })),
    },
    options: ['approve', 'reject', 'edit'],
    requester: 'research',
    due_at: context.time + settings.reviewWithinMs,
  })
  return after([...recorded.emit, review], {
    state: { ...recorded.state, status: 'review', review_id, call: null, evidence: [] },
    emit: [],
  })
}

/** Must be there; the others are not known of every company, and nobody has to approve that. */
const required: readonly ResearchField[] = ['company_info', 'competitor']

/** The fields of this session that a person has to look at: below the bar, or required and not there. */
export function weakFields(settings: ResearchSettings, state: ResearchState): ResearchField[] {
  return state.plan.filter((field) => {
    const found = state.findings.filter((finding) => finding.finding_type === field && finding.source !== 'human')
    const enough = field === 'competitor' ? settings.competitorsWanted : required.includes(field) ? 1 : 0
    const human = state.findings.some((finding) => finding.finding_type === field && finding.source === 'human')
    return !human && (found.length < enough || found.some((finding) => finding.confidence < settings.reviewBelow))
  })
}

/** Ends a session that has what it can have, and begins the one that waits. */
export function end(settings: ResearchSettings, state: ResearchState, context: StepContext): Move {
  const standing = state.findings.filter((finding) => !withdrawn(finding))
  const completed = emit(researchEvents, 'research_completed', {
    research_session_id: state.session_id,
    findings_count: standing.length,
    competitors_count: standing.filter((finding) => finding.finding_type === 'competitor').length,
    min_confidence: standing.length === 0 ? 0 : Math.min(...standing.map((finding) => finding.confidence)),
    cost: state.cost,
  })
  const move = followed(settings, { ...state, status: 'done', findings: standing }, completed, context)
  return move.state.status === 'done' ? { ...move, timers: agesFrom(settings, move.state, context.time) } : move
}

export function fail(settings: ResearchSettings, state: ResearchState, reason: string, context: StepContext): Move {
  const failure = emit(researchEvents, 'research_failed', { research_session_id: state.session_id, reason })
  return followed(settings, { ...state, status: 'failed', findings: [] }, failure, context)
}

function followed(settings: ResearchSettings, ended: ResearchState, last: Emission, context: StepContext): Move {
  const state: ResearchState = { ...ended, open: [], call: null, evidence: [], review_id: null, next: null }
  if (ended.next == null) return { state, emit: [last] }
  return after([last], begin(settings, state, ended.next, context))
}

/** What a finding is told as: the finding, and for a competitor that stands its own event too. */
export function announced(sessionId: string, finding: Finding): Emission[] {
  const told = [findingRecorded(sessionId, finding)]
  if (finding.finding_type === 'competitor' && !withdrawn(finding)) told.push(competitorIdentified(finding))
  return told
}

function rungOf(settings: ResearchSettings, state: ResearchState): { provider: string; operation: string } {
  return settings.waterfall[state.rung] ?? { provider: 'none', operation: 'none' }
}

export const after = (first: readonly Emission[], move: Move): Move => ({
  ...move,
  emit: [...first, ...move.emit],
})
