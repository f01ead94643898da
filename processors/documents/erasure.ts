/**
 * A client is gone for good: live envelopes are voided, calls in flight are waited for and their results undone, and what
 * was stored is removed. Until then just enough is kept to do that; then a mark, so that a late event starts nothing.
 */

import { documentEvents } from '../../schemas/index.ts'
import type { Emission, StepContext } from '../define.ts'
import { emit } from '../define.ts'
import { retryTime } from '../retry.ts'
import type { Answer, Around } from './document.ts'
import type { Draft } from './flow.ts'
import { placed } from './flow.ts'
import { closed, isLive, voided } from './envelope.ts'
import type { DocumentsSettings } from './settings.ts'
import type { DocumentsState, SalesDocument } from './state.ts'
import { isRef, nothingYet } from './state.ts'

const gone = { why: 'erased', reason: 'erased' } as const

export function erased(settings: DocumentsSettings, draft: Draft, context: StepContext): Draft {
  const { documents } = draft.state
  const bare = documents.map(withoutContent)
  const state: DocumentsState = { ...nothingYet, status: 'erased', documents: bare }
  const ended = bare.reduce<Draft>(
    (now, document) => {
      const around: Around = { settings, state: now.state, context }
      if (isLive(document)) return placed(settings, now, closed(around, document, gone))
      if (document.call != null) return placed(settings, now, { document: { ...document, closing: gone }, emit: [] })
      return placed(settings, now, standing(document) ? voided(document, gone.reason) : { document, emit: [] })
    },
    { ...draft, state },
  )
  return removed(
    ended,
    documents.flatMap(({ keys }) => keys),
    context,
  )
}

const standing = ({ status }: SalesDocument): boolean =>
  ['approval', 'approved', 'completed', 'signed'].includes(status)

const withoutContent = (document: SalesDocument): SalesDocument => ({
  ...document,
  quote: null,
  ref: null,
  review_id: null,
  declined: null,
  next: null,
  keys: [],
})

/** Asks for stored files to be removed. */
function removed(draft: Draft, keys: readonly string[], context: StepContext): Draft {
  const all = [...(draft.state.removal?.keys ?? []), ...keys]
  if (keys.length === 0) return draft
  const removal = { call_id: context.id(`remove:${all.length}`), attempt: 1, keys: all }
  return { state: { ...draft.state, removal }, emit: [...draft.emit, removalCall(removal, context.time)] }
}

function removalCall(removal: NonNullable<DocumentsState['removal']>, notBefore: number): Emission {
  const { call_id, attempt, keys } = removal
  const call = { call_id, provider: 'rendering', operation: 'remove', attempt, not_before: notBefore }
  return emit(documentEvents, 'call_requested', { ...call, request: { keys } })
}

/** The store's answer; it is asked until it says that the files are gone. Null when the answer is none of it. */
export function removalAnswered(
  settings: DocumentsSettings,
  state: DocumentsState,
  answer: Answer,
  context: StepContext,
): Draft | null {
  const { removal } = state
  if (removal == null || removal.call_id !== answer.call_id || removal.attempt !== answer.attempt) return null
  if (answer.class === 'ok') return { state: { ...state, removal: null }, emit: [] }
  const early = answer.class === 'retry' && answer.attempt < settings.retry.attempts
  const chance = context.id(`retry:${removal.call_id}`)
  const failed = { time: context.time, attempt: answer.attempt, retryAt: answer.retry_at ?? null, chance }
  const at = early ? retryTime(settings.retry, failed) : context.time + settings.patienceMs
  const again = { ...removal, attempt: removal.attempt + 1 }
  return { state: { ...state, removal: again }, emit: [removalCall(again, at)] }
}

/** A file that came into the store after the client was gone goes again; null when the answer is of another kind. */
export function strayFiles(
  settings: DocumentsSettings,
  draft: Draft,
  answer: Answer,
  context: StepContext,
): Draft | null {
  const document = draft.state.documents.find(
    ({ call }) => call?.call_id === answer.call_id && call.attempt === answer.attempt,
  )
  if (document === undefined || (document.call?.purpose !== 'render' && document.call?.purpose !== 'fetch')) return null
  const over = placed(settings, draft, voided(document, gone.reason))
  const output = (answer.class === 'ok' ? (answer.output ?? {}) : {}) as Readonly<Record<string, unknown>>
  const files = [output['ref'], output['signed_ref'], output['certificate_ref']].filter(isRef)
  return removed(
    over,
    files.map(({ key }) => key),
    context,
  )
}
