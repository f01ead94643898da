/** What a look at the demo leads to: the analytics as they stand, and one `demo_engaged`; and what nobody's looking does. */

import { demoEvents } from '../../schemas/index.ts'
import type { Emission, StepContext } from '../define.ts'
import { emit } from '../define.ts'
import type { Look } from './engagement.ts'
import { attention, seen } from './engagement.ts'
import { noted } from './exports.ts'
import type { DemoSettings } from './settings.ts'
import type { DemoState } from './state.ts'
import { demoTimers, taking } from './state.ts'
import type { Move } from './studio.ts'

/** @param name what the look is called in product analytics, and what was touched */
export function looked(
  settings: DemoSettings,
  state: DemoState,
  demoId: string,
  look: Look,
  name: { readonly name: string; readonly detail: string },
  context: StepContext,
): Move {
  if (demoId !== state.demo_id || state.demo_id === '') return { state } // of a demo that is gone
  const taken = taking(state, context.eventId)
  if (taken === null) return { state }
  const after = seen(settings, taken, look)
  const { sessions, dwellMs } = attention(settings, after)
  const engages = !state.engaged && after.score >= settings.engagedAt
  const told: Emission[] = []
  if (moved(settings, state, after)) told.push(changed(after, sessions, dwellMs))
  if (engages) told.push(emit(demoEvents, 'demo_engaged', { demo_id: state.demo_id, score: after.score, sessions }))
  if (look.isRobot) return { state: after, emit: told }
  const exported = noted(
    settings,
    { ...after, engaged: state.engaged || engages },
    { ...name, viewer: look.viewer },
    context,
  )
  return { ...exported, emit: [...told, ...(exported.emit ?? [])] }
}

function moved(settings: DemoSettings, before: DemoState, after: DemoState): boolean {
  const [was, is] = [attention(settings, before), attention(settings, after)]
  return (
    before.score !== after.score ||
    was.sessions !== is.sessions ||
    before.bots !== after.bots ||
    before.steps_done.length !== after.steps_done.length
  )
}

function changed(state: DemoState, sessions: number, dwell_ms: number): Emission {
  return emit(demoEvents, 'demo_engagement_changed', {
    demo_id: state.demo_id,
    score: state.score,
    sessions,
    viewers: state.viewers.length,
    steps_completed: state.steps_done.length,
    dwell_ms,
    cta_clicked: state.cta_clicked ? 'yes' : 'no',
    bots_ignored: state.bots,
  })
}

const dayMs = 24 * 60 * 60 * 1000

/** Told once for each of the times, as long as nobody has looked. */
export function unviewed(settings: DemoSettings, state: DemoState): Move {
  if (state.status !== 'published' || attention(settings, state).sessions > 0) return { state }
  const n = state.nudges + 1
  const days = Math.round((settings.nudgeAfterMs[state.nudges] ?? 0) / dayMs)
  const next = settings.nudgeAfterMs[n]
  return {
    state: { ...state, nudges: n },
    emit: [emit(demoEvents, 'demo_unviewed', { demo_id: state.demo_id, days, n })],
    timers: { [demoTimers.nudge]: next === undefined ? null : state.published_at + next },
  }
}
