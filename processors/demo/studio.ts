/**
 * The making of a demo: asked for, written by the model, rendered, published; and its taking down. One thing is in flight at a
 * time. A request that comes meanwhile waits, a taking down too: whatever is published after it was asked goes down at once.
 */

import { demoEvents } from '../../schemas/index.ts'
import type { Json, PayloadOf } from '../../schemas/index.ts'
import type { Emission, Step, StepContext } from '../define.ts'
import { emit } from '../define.ts'
import { fieldsOf } from '../fields.ts'
import type { NextTry } from '../retry.ts'
import { nextTry } from '../retry.ts'
import { neutralPersonalization, personalizationOf, scriptRequest } from './script.ts'
import type { Personalization } from './script.ts'
import type { DemoSettings } from './settings.ts'
import type { DemoState } from './state.ts'
import { demoTimers, disarmed, erasedDemo, taking } from './state.ts'

export type Move = Step<DemoState> & { readonly state: DemoState }
export type Answer = PayloadOf<typeof demoEvents.events, 'call_answered'>

/** Whom a kind of work is asked from. */
const asked = {
  writing: { provider: 'llm', operation: 'complete' },
  rendering: { provider: 'rendering', operation: 'demo' },
  removing: { provider: 'rendering', operation: 'remove' },
} as const
type Work = keyof typeof asked

/** A demo is wanted; the same request twice is one. */
export function wanted(
  settings: DemoSettings,
  state: DemoState,
  request: { readonly session_id: string; readonly persona: string | null },
  context: StepContext,
): Move {
  const taken = taking(state, context.eventId)
  return taken === null ? { state } : begin(settings, { ...taken, wanted: request, takedown: null }, context)
}

/** Begins what is wanted, if the client is known and nothing else is in the making. */
export function begin(settings: DemoSettings, state: DemoState, context: StepContext): Move {
  const { wanted: next, company } = state
  if (next == null || company == null || isBusy(state)) return { state }
  const demo_id = state.demo_id === '' ? context.id('demo') : state.demo_id
  const begun: DemoState = {
    ...state,
    status: 'writing',
    wanted: null,
    demo_id,
    version: state.version + 1,
    session_id: next.session_id,
    persona: next.persona ?? null,
  }
  return call(begun, 'writing', requestOf(settings, begun, 'writing'), context)
}

const isBusy = ({ status }: DemoState): boolean => status in asked

const usable = (settings: DemoSettings, { findings, session_id }: DemoState) =>
  findings.filter((finding) => finding.session_id === session_id).slice(0, settings.findingsUsed)

/** The answer to the call in flight; any other is late and moves nothing. */
export function answered(settings: DemoSettings, state: DemoState, answer: Answer, context: StepContext): Move {
  const { call: open, status } = state
  if (open == null || open.call_id !== answer.call_id || open.attempt !== answer.attempt) return { state }
  const work = status as Work
  const next = nextTry(settings.retry, answer, { time: context.time, chance: context.id('retry') })
  if (next !== null) return again(settings, state, work, open.call_id, next)
  const ok = answer.class === 'ok' ? fieldsOf(answer.output) : null
  switch (work) {
    case 'writing':
      return written(settings, state, ok, context)
    case 'rendering':
      return rendered(settings, state, ok, answer.error ?? answer.class, context)
    case 'removing':
      return removed(settings, state, ok !== null, answer.class, context)
  }
}

function again(settings: DemoSettings, state: DemoState, work: Work, call_id: string, next: NextTry): Move {
  const call = { call_id, attempt: next.attempt }
  return { state: { ...state, call }, emit: [requested(work, call, next.notBefore, requestOf(settings, state, work))] }
}

function requestOf(settings: DemoSettings, state: DemoState, work: Work): Json {
  const { demo_id, version, draft, keys, company, persona = null } = state
  switch (work) {
    case 'writing':
      return scriptRequest(settings, company ?? { company_name: '' }, usable(settings, state), persona)
    case 'rendering':
      return { demo_id, version, personalization: draft?.personalization ?? null }
    case 'removing':
      return { demo_id, keys }
  }
}

/** With an answer or without: a model that is away does not keep a prospect from a demo, a neutral one is made. */
function written(
  settings: DemoSettings,
  state: DemoState,
  said: Readonly<Record<string, unknown>> | null,
  context: StepContext,
): Move {
  const company = state.company ?? { company_name: '' }
  const personalization =
    said === null ? neutralPersonalization(company) : personalizationOf(company, usable(settings, state), said['json'])
  const model = said !== null && typeof said['model'] === 'string' ? said['model'].slice(0, 100) : 'none'
  const draft = { personalization: personalization as unknown as Json, model }
  const next: DemoState = { ...state, status: 'rendering', draft }
  return call(next, 'rendering', requestOf(settings, next, 'rendering'), context)
}

function rendered(
  settings: DemoSettings,
  state: DemoState,
  output: Readonly<Record<string, unknown>> | null,
  reason: string,
  context: StepContext,
): Move {
  const page = output === null ? null : pageOf(output)
  const { demo_id, version, session_id, draft } = state
  if (page === null || draft == null) {
    const failed = emit(demoEvents, 'demo_generation_failed', {
      demo_id,
      reason: output === null ? reason : 'unreadable',
    })
    // An earlier version stays where it is.
    const status = state.expires_at > context.time && state.keys.length > 0 ? 'published' : 'failed'
    return followed(settings, { ...state, status, call: null, draft: null }, [failed], context)
  }
  const personalization = draft.personalization as unknown as Personalization
  const expires_at = context.time + settings.expiresAfterMs
  const published: DemoState = {
    ...state,
    status: 'published',
    call: null,
    draft: null,
    keys: [...state.keys, page.ref.key, page.qr_ref.key].slice(-keysRemembered),
    steps: personalization.steps.length,
    published_at: context.time,
    expires_at,
    nudges: 0,
  }
  const generated = {
    demo_id,
    version,
    research_session_id: session_id,
    ref: page.ref,
    personalization,
    model: draft.model,
  }
  const { share_token, url, qr_ref } = page
  const told = [
    emit(demoEvents, 'demo_generated', {
      ...generated,
      personalization: {
        ...personalization,
        pain_points: [...personalization.pain_points],
        steps: [...personalization.steps],
      },
    }),
    emit(demoEvents, 'demo_published', { demo_id, version, share_token, url, qr_ref, expires_at }),
  ]
  const move = followed(settings, published, told, context)
  if (move.state.status !== 'published') return move
  const [first] = settings.nudgeAfterMs
  const nudge = first === undefined ? null : context.time + first
  return { ...move, timers: { ...move.timers, [demoTimers.expiry]: expires_at, [demoTimers.nudge]: nudge } }
}

const keysRemembered = 40

/** The demo goes down: at once, or when what is in the making has ended. */
export function takenDown(settings: DemoSettings, before: DemoState, reason: string, context: StepContext): Move {
  const state = taking(before, context.eventId)
  if (state === null) return { state: before }
  if (state.status === 'unpublished' || state.status === 'none' || state.demo_id === '')
    return {
      state: { ...state, wanted: null, status: state.status === 'none' ? 'none' : 'unpublished' },
      emit: [emit(demoEvents, 'demo_unpublished', { demo_id: state.demo_id, reason })],
    }
  const noted: DemoState = { ...state, wanted: null, takedown: reason }
  return isBusy(state) ? { state: noted } : remove(settings, noted, [], context)
}

function remove(settings: DemoSettings, state: DemoState, before: readonly Emission[], context: StepContext): Move {
  const removing: DemoState = { ...state, status: 'removing' }
  const move = call(removing, 'removing', requestOf(settings, removing, 'removing'), context)
  return { ...move, emit: [...before, ...(move.emit ?? [])], timers: disarmed }
}

/** What cannot be removed now is tried again until it is: nobody is told that it is gone before. */
function removed(settings: DemoSettings, state: DemoState, gone: boolean, failure: string, context: StepContext): Move {
  if (!gone) {
    const retry_at = context.time + settings.removeAgainAfterMs
    const failed = emit(demoEvents, 'demo_removal_failed', { demo_id: state.demo_id, reason: failure, retry_at })
    return { state: { ...state, call: null }, emit: [failed], timers: { [demoTimers.removal]: retry_at } }
  }
  const reason = state.takedown ?? 'asked'
  const told = emit(demoEvents, 'demo_unpublished', { demo_id: state.demo_id, reason })
  if (reason === 'erased') return { state: erasedDemo, emit: [told], timers: disarmed }
  const down: DemoState = { ...state, status: 'unpublished', call: null, takedown: null, keys: [] }
  const next = begin(settings, down, context)
  return { ...next, emit: [told, ...(next.emit ?? [])], timers: { ...disarmed, ...next.timers } }
}

export function removedAgain(settings: DemoSettings, state: DemoState, context: StepContext): Move {
  return state.status === 'removing' && state.call == null ? remove(settings, state, [], context) : { state }
}

/** What waited for the end of the making: the taking down first. */
function followed(settings: DemoSettings, state: DemoState, told: readonly Emission[], context: StepContext): Move {
  if (state.takedown != null) return remove(settings, state, told, context)
  const next = begin(settings, state, context)
  return { ...next, emit: [...told, ...(next.emit ?? [])] }
}

function call(state: DemoState, work: Work, request: Json, context: StepContext): Move {
  const open = { call_id: context.id(`${work}:${state.demo_id}:${state.version}`), attempt: 1 }
  return { state: { ...state, call: open }, emit: [requested(work, open, context.time, request)] }
}

function requested(
  work: Work,
  { call_id, attempt }: { readonly call_id: string; readonly attempt: number },
  not_before: number,
  request: Json,
): Emission {
  return emit(demoEvents, 'call_requested', { call_id, ...asked[work], attempt, not_before, request })
}

type Ref = PayloadOf<typeof demoEvents.events, 'demo_generated'>['ref']
interface Page {
  readonly ref: Ref
  readonly qr_ref: Ref
  readonly share_token: string
  readonly url: string
}

function pageOf({ ref, qr_ref, share_token, url }: Readonly<Record<string, unknown>>): Page | null {
  const [page, code] = [refOf(ref), refOf(qr_ref)]
  if (page === null || code === null || typeof share_token !== 'string' || typeof url !== 'string') return null
  return { ref: page, qr_ref: code, share_token, url }
}

function refOf(value: unknown): Ref | null {
  const { bucket, key, version_id, sha256, bytes } = fieldsOf(value)
  const texts = [bucket, key, version_id, sha256]
  if (!texts.every((text) => typeof text === 'string') || !Number.isSafeInteger(bytes)) return null
  return { bucket, key, version_id, sha256, bytes } as Ref
}
