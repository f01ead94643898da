/**
 * Who looked at a demo, and how far they were taken with it. Looks of one viewer are a session until they pause; a session
 * counts when it lasted or something was touched in it; known robots do not count at all.
 *
 *   score = 40 · steps seen + 25 · time spent (5 min is all) + 20 · call to action + 15 · further sessions (2 are all)
 */

import type { DemoSettings } from './settings.ts'
import type { DemoState } from './state.ts'

export interface Look {
  readonly at: number
  readonly viewer: string
  readonly isRobot: boolean
  /** Something was done: a step, a click, a question. */
  readonly touched: boolean
  readonly step?: string
  /** Told by the page: time on a step. */
  readonly dwellMs?: number
  readonly cta?: boolean
}

const viewersKept = 50
const stepsKept = 20
const longestDwellMs = 10 * 60 * 1000

/** The state after somebody looked, its score counted anew. */
export function seen(settings: DemoSettings, state: DemoState, look: Look): DemoState {
  if (look.isRobot) return { ...state, bots: state.bots + 1 }
  const { step } = look
  const known = step !== undefined && !state.steps_done.includes(step) && state.steps_done.length < stepsKept
  const visited = folded(settings, { ...state, sessions: visits(settings, state, look) })
  return scored(settings, {
    ...visited,
    viewers: state.viewers.includes(look.viewer) ? state.viewers : [...state.viewers, look.viewer].slice(-viewersKept),
    steps_done: known ? [...state.steps_done, step] : state.steps_done,
    cta_clicked: state.cta_clicked || look.cta === true,
  })
}

/** The sessions with this look in one of them: the viewer's last, unless that was too long ago. */
function visits(settings: DemoSettings, state: DemoState, look: Look): DemoState['sessions'] {
  const last = state.sessions.findLastIndex(({ viewer }) => viewer === look.viewer)
  const session = state.sessions[last]
  const dwell = Math.min(Math.max(0, look.dwellMs ?? 0), longestDwellMs)
  if (session === undefined || look.at - session.last_at > settings.sessionGapMs) {
    const begun = { viewer: look.viewer, started_at: look.at, last_at: look.at, dwell_ms: dwell, touched: look.touched }
    return [...state.sessions, begun]
  }
  const started_at = Math.min(session.started_at, look.at)
  const last_at = Math.max(session.last_at, look.at)
  const touched = session.touched || look.touched
  return state.sessions.with(last, { ...session, started_at, last_at, dwell_ms: session.dwell_ms + dwell, touched })
}

/** Only so many sessions are kept one by one; older ones are counted. */
function folded(settings: DemoSettings, state: DemoState): DemoState {
  const more = state.sessions.length - settings.sessionsKept
  if (more <= 0) return state
  const gone = state.sessions.slice(0, more).filter((session) => counts(settings, session))
  return {
    ...state,
    sessions: state.sessions.slice(more),
    sessions_before: state.sessions_before + gone.length,
    dwell_before_ms: state.dwell_before_ms + gone.reduce((sum, session) => sum + timeOf(session), 0),
  }
}

const timeOf = (session: DemoState['sessions'][number]): number =>
  Math.max(session.dwell_ms, session.last_at - session.started_at)

const counts = (settings: DemoSettings, session: DemoState['sessions'][number]): boolean =>
  session.touched || timeOf(session) >= settings.shortestVisitMs

/** Sessions that count, and the time spent in them. */
export function attention(
  settings: DemoSettings,
  state: DemoState,
): { readonly sessions: number; readonly dwellMs: number } {
  const counted = state.sessions.filter((session) => counts(settings, session))
  return {
    sessions: state.sessions_before + counted.length,
    dwellMs: state.dwell_before_ms + counted.reduce((sum, session) => sum + timeOf(session), 0),
  }
}

function scored(settings: DemoSettings, state: DemoState): DemoState {
  const { weights, fullDwellMs, fullReturns } = settings
  const { sessions, dwellMs } = attention(settings, state)
  if (sessions === 0) return { ...state, score: 0 }
  const completion = state.steps === 0 ? 0 : Math.min(1, state.steps_done.length / state.steps)
  const score =
    weights.completion * completion +
    weights.dwell * Math.min(1, dwellMs / fullDwellMs) +
    weights.cta * (state.cta_clicked ? 1 : 0) +
    weights.returns * Math.min(1, (sessions - 1) / fullReturns)
  return { ...state, score: Math.min(100, Math.round(score)) }
}
