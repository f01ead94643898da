/**
 * What viewers did, on its way to product analytics: gathered for a while, sent as one batch, each event under an id that
 * follows from the event here, so that a batch that is sent again counts once there.
 */

import { demoEvents } from '../../schemas/index.ts'
import type { Json } from '../../schemas/index.ts'
import type { StepContext } from '../define.ts'
import { emit } from '../define.ts'
import { nextTry } from '../retry.ts'
import type { DemoSettings } from './settings.ts'
import type { DemoState } from './state.ts'
import { demoTimers } from './state.ts'
import type { Answer, Move } from './studio.ts'

const kept = 500

/** Notes one event for export; a full batch leaves at once. */
export function noted(
  settings: DemoSettings,
  state: DemoState,
  event: { readonly name: string; readonly viewer: string; readonly detail: string },
  context: StepContext,
): Move {
  if (state.exports.length >= kept) return { state }
  const entry = { ...event, at: context.time, insert_id: context.id('export') }
  const exports = [...state.exports, entry]
  const gathered: DemoState = { ...state, exports }
  if (state.export_call != null) return { state: gathered }
  if (exports.length >= settings.exportBatch) return send(settings, gathered, context)
  const timer =
    state.exports.length > 0 ? {} : { timers: { [demoTimers.export]: context.time + settings.exportAfterMs } }
  return { state: gathered, ...timer }
}

/** Sends what was gathered. */
export function send(settings: DemoSettings, state: DemoState, context: StepContext): Move {
  if (state.exports.length === 0 || state.export_call != null) return { state }
  const export_call = { call_id: context.id('export-call'), attempt: 1 }
  const exporting = Math.min(state.exports.length, settings.exportBatch)
  const next: DemoState = { ...state, export_call, exporting }
  return { state: next, emit: [requested(next, export_call, context.time)], timers: { [demoTimers.export]: null } }
}

/** Null when the answer is not to an export. */
export function exportAnswered(
  settings: DemoSettings,
  state: DemoState,
  answer: Answer,
  context: StepContext,
): Move | null {
  const open = state.export_call
  if (open == null || open.call_id !== answer.call_id || open.attempt !== answer.attempt) return null
  const next = nextTry(settings.retry, answer, { time: context.time, chance: context.id('retry') })
  if (next !== null) {
    const export_call = { call_id: open.call_id, attempt: next.attempt }
    return { state: { ...state, export_call }, emit: [requested(state, export_call, next.notBefore)] }
  }
  // What cannot be had is given up, and said so: analytics do not hold back a demo.
  const sent = state.exports.slice(0, state.exporting).map(({ insert_id }) => insert_id)
  const done: DemoState = { ...state, exports: state.exports.slice(state.exporting), exporting: 0, export_call: null }
  const isIn = answer.class === 'ok'
  const result = { demo_id: state.demo_id, insert_ids: isIn ? sent : [], dropped: isIn ? null : sent.length }
  const told = [emit(demoEvents, 'demo_analytics_exported', result)]
  const more = send(settings, done, context)
  return { ...more, emit: [...told, ...(more.emit ?? [])] }
}

function requested(state: DemoState, call: { readonly call_id: string; readonly attempt: number }, not_before: number) {
  const events: Json = state.exports.slice(0, state.exporting).map(({ name, at, viewer, detail, insert_id }) => ({
    event: name,
    properties: { time: at, distinct_id: viewer, $insert_id: insert_id, demo_id: state.demo_id, detail },
  }))
  return emit(demoEvents, 'call_requested', {
    ...call,
    provider: 'mixpanel',
    operation: 'import',
    not_before,
    request: { events },
  })
}
