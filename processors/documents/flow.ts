/**
 * The four documents of an organization, in their order: nda, pricing, proposal, contract. Each is asked for by the fact
 * of the one before; what a document is made from and is not read yet is waited for.
 *
 * Invariants
 * 1. Pricing waits for the signed NDA and for research, the proposal for approved pricing, the contract for the signed
 *    proposal; an own request never brings a voided document back, a person's may.
 * 2. One timer, `documents_due`, stands for the earliest reminder or expiry of all envelopes.
 * 3. What a command or a delivery changed it changes once (`handled`).
 */

import { documentEvents } from '../../schemas/index.ts'
import type { Emission, Step, StepContext } from '../define.ts'
import { emit } from '../define.ts'
import type { Answer, Around, Moved } from './document.ts'
import { approved, drawnUp, ignored, newDocument, rejected } from './document.ts'
import type { Closing } from './envelope.ts'
import { answered, closed, heard, isLive, nextSigner, voided } from './envelope.ts'
import type { Figures, Quote } from './pricing.ts'
import { changedFigures, expectedFigures, quote } from './pricing.ts'
import type { DocumentsSettings } from './settings.ts'
import type { DocumentsState, DocumentType, SalesDocument, Webhook } from './state.ts'
import { documentOf, keptEarly } from './state.ts'

export const documentsDue = 'documents_due'

/** A step in the making: the state so far, and what is said. */
export interface Draft {
  readonly state: DocumentsState
  readonly emit: readonly Emission[]
}

export const untouched = (state: DocumentsState): Draft => ({ state, emit: [] })
const said = (draft: Draft, ...more: readonly Emission[]): Draft => ({ ...draft, emit: [...draft.emit, ...more] })

/** The step, with the timer of what is due next (2). */
export const stepOf = (settings: DocumentsSettings, { state, emit: emitted }: Draft): Step<DocumentsState> => ({
  state,
  emit: emitted,
  timers: { [documentsDue]: nextDue(settings, state) },
})

/** Takes over what became of a document, and asks for the document that follows from it. */
export function placed(settings: DocumentsSettings, draft: Draft, moved: Moved): Draft {
  const { document } = moved
  const before = draft.state.documents.find((known) => known.document_id === document.document_id)
  const documents =
    before === undefined
      ? [...draft.state.documents, document]
      : draft.state.documents.map((known) => (known === before ? document : known))
  const gone = draft.state.status === 'erased' && document.call == null
  const state = { ...draft.state, documents: gone ? documents.filter((known) => known !== document) : documents }
  const next = said({ ...draft, state }, ...moved.emit)
  return state.status === 'active' && before?.status !== document.status ? followed(settings, next, document) : next
}

/** What a document's fact begins. */
function followed(settings: DocumentsSettings, draft: Draft, document: SalesDocument): Draft {
  const { document_type, status } = document
  if (document_type === 'nda' && status === 'signed') return turnOf(settings, draft, 'pricing', 'nda_signed')
  if (document_type === 'pricing' && status === 'approved')
    return said(draft, ownRequest('proposal', 'pricing_approved', document.quote))
  if (document_type === 'proposal' && status === 'signed')
    return said(draft, ownRequest('contract', 'proposal_signed', document.quote))
  return draft
}

const ownRequest = (document_type: DocumentType, reason: string, figures: Figures | null | undefined): Emission =>
  emit(documentEvents, 'document_requested', {
    document_type,
    inputs:
      figures == null
        ? {}
        : {
            seats: String(figures.seats),
            conversations: String(figures.conversations),
            interval: figures.interval,
            discount_basis_points: String(figures.discountBasisPoints),
          },
    reason,
  })

/** Asks for a document whose turn has come, or waits for what it is made from. */
export function turnOf(settings: DocumentsSettings, draft: Draft, type: 'nda' | 'pricing', reason: string): Draft {
  const { state } = draft
  const ready = type === 'nda' ? state.company != null : state.research === 'known'
  if (!ready) return { ...draft, state: { ...state, waiting: type } }
  const figures = type === 'pricing' ? expectedFigures(settings.pricing, volumeOf(state)) : null
  return said({ ...draft, state: { ...state, waiting: null } }, ownRequest(type, reason, figures))
}

/** Something a document is made from was read: what waited for it is asked for. */
export function caughtUp(settings: DocumentsSettings, draft: Draft, type: 'nda' | 'pricing', reason: string): Draft {
  return draft.state.waiting === type ? turnOf(settings, draft, type, reason) : draft
}

function volumeOf({ volume }: DocumentsState) {
  const surest = (kind: 'conversations' | 'employees'): number | null => {
    const known = volume.filter((finding) => finding.kind === kind)
    return known.toSorted((a, b) => b.confidence - a.confidence)[0]?.quantity ?? null
  }
  return { conversations: surest('conversations'), employees: surest('employees') }
}

export interface Wish {
  readonly type: DocumentType
  readonly inputs: Readonly<Record<string, string>>
  /** Asked for by this service itself. */
  readonly own: boolean
}

/** A document is asked for: the first version, or a change. */
export function requested(settings: DocumentsSettings, draft: Draft, wish: Wish, context: StepContext): Draft {
  const { state } = draft
  const known = documentOf(state, wish.type)
  const around: Around = { settings, state, context }
  const missing = missingBefore(state, wish.type)
  if (missing !== null) return said(draft, ignored(known, `requested before ${missing}`))
  if (wish.type === 'nda' && state.company == null) return { ...draft, state: { ...state, waiting: 'nda' } }
  if (known?.status === 'voided' && wish.own) return said(draft, ignored(known, 'requested'))
  const figures = figuresFor(settings, state, wish)
  if (typeof figures === 'string') return said(draft, ignored(known, `requested: ${figures}`))
  const document = known ?? newDocument(wish.type, context)
  return placed(settings, draft, changed(around, document, figures, null))
}

/** A new version; an envelope that is live is voided first. */
function changed(around: Around, document: SalesDocument, figures: Quote | null, by: string | null): Moved {
  if (
    document.status === 'signed' ||
    document.status === 'completed' ||
    (document.closing != null && document.closing.why !== 'change')
  )
    return { document, emit: [ignored(document, 'requested')] }
  const next = { quote: figures, by }
  if (isLive(document)) return closed(around, document, { why: 'change', reason: 'replaced by a new version' }, next)
  return drawnUp(around, document, figures, by)
}

/** What has to be there before, in words; null when it is. */
function missingBefore(state: DocumentsState, type: DocumentType): string | null {
  const is = (before: DocumentType, status: SalesDocument['status']): boolean =>
    documentOf(state, before)?.status === status
  switch (type) {
    case 'nda':
      return null
    case 'pricing':
      return is('nda', 'signed') ? null : 'the nda is signed'
    case 'proposal':
      return is('pricing', 'approved') ? null : 'pricing is approved'
    case 'contract':
      return is('proposal', 'signed') ? null : 'the proposal is signed'
  }
}

function figuresFor(settings: DocumentsSettings, state: DocumentsState, { type, inputs }: Wish): Quote | string | null {
  if (type === 'nda') return null
  const before = type === 'contract' ? 'proposal' : 'pricing'
  const known =
    documentOf(state, type)?.quote ??
    documentOf(state, before)?.quote ??
    expectedFigures(settings.pricing, volumeOf(state))
  const figures = changedFigures(settings.pricing, known, inputs)
  return typeof figures === 'string' ? figures : quote(settings.pricing, figures)
}

/** A person has decided on a version that waited for approval. */
export function decided(
  settings: DocumentsSettings,
  draft: Draft,
  document: SalesDocument,
  decision: { readonly kind: 'approve' | 'reject' | 'edit'; readonly by: string; readonly edits: unknown },
  context: StepContext,
): Draft {
  const around: Around = { settings, state: draft.state, context }
  switch (decision.kind) {
    case 'approve':
      return placed(settings, draft, approved(around, document, decision.by))
    case 'reject':
      return placed(settings, draft, rejected(document, `rejected by ${decision.by}`))
    case 'edit': {
      const inputs = textsOf(decision.edits)
      const figures = figuresFor(settings, draft.state, { type: document.document_type, inputs, own: false })
      if (typeof figures === 'string') return placed(settings, draft, rejected(document, figures))
      return placed(settings, draft, drawnUp(around, document, figures, decision.by))
    }
  }
}

/** What a person wrote, as inputs by name; numbers are as good as texts. */
function textsOf(edits: unknown): Readonly<Record<string, string>> {
  if (typeof edits !== 'object' || edits === null) return {}
  const usable = Object.entries(edits).filter(([, value]) => typeof value === 'string' || typeof value === 'number')
  return Object.fromEntries(usable.map(([name, value]) => [name, String(value)]))
}

/** An answer to a call of some document; others are late, or not ours. */
export function answeredCall(settings: DocumentsSettings, draft: Draft, answer: Answer, context: StepContext): Draft {
  const { state } = draft
  const document = state.documents.find(
    ({ call }) => call?.call_id === answer.call_id && call.attempt === answer.attempt,
  )
  if (document === undefined) return draft
  const around: Around = { settings, state, context }
  const moved = answered(around, document, answer)
  const id = document.envelope_id == null ? moved.document.envelope_id : null
  const early = id == null ? state.early : state.early.filter(({ envelope_id }) => envelope_id !== id)
  return placed(settings, { ...draft, state: { ...state, early } }, moved)
}

/** What was told of an envelope: of a live one, of one not known yet, or of one that is over. */
export function heardOf(settings: DocumentsSettings, draft: Draft, webhook: Webhook, context: StepContext): Draft {
  const { state } = draft
  const document = state.documents.find(({ envelope_id }) => envelope_id === webhook.envelope_id)
  if (document !== undefined) return placed(settings, draft, heard({ settings, state, context }, document, webhook))
  const past = state.documents.find(({ past_envelopes }) => past_envelopes.includes(webhook.envelope_id))
  if (past !== undefined)
    return webhook.event === 'envelope-completed' ? said(draft, ignored(past, 'completed')) : draft
  const awaited = state.documents.some(({ status }) => status === 'sending')
  return awaited ? { ...draft, state: { ...state, early: keptEarly(state.early, webhook) } } : draft
}

/** The saga wants a step undone, or the client is gone: whatever state the document is in, it ends voided. */
export function undone(
  settings: DocumentsSettings,
  draft: Draft,
  type: DocumentType,
  closing: Closing,
  context: StepContext,
): Draft {
  const known = documentOf(draft.state, type)
  const around: Around = { settings, state: draft.state, context }
  const waiting = draft.state.waiting === type ? null : (draft.state.waiting ?? null)
  const now = { ...draft, state: { ...draft.state, waiting } }
  if (known === undefined) return placed(settings, now, voided(newDocument(type, context), closing.reason))
  if (known.closing != null && known.closing.why !== 'change' && known.closing.why !== 'expired') return now
  return placed(settings, now, isLive(known) ? closed(around, known, closing) : voided(known, closing.reason))
}

/** Reminders and expiries that are due. */
export function dueAt(settings: DocumentsSettings, draft: Draft, time: number, context: StepContext): Draft {
  return draft.state.documents.reduce((now, document) => {
    const reminded = reminders(settings, document, time)
    const next = reminded.emit.length === 0 ? now : placed(settings, now, reminded)
    if (expiryOf(settings, document) > time) return next
    const around: Around = { settings, state: next.state, context }
    return placed(settings, next, closed(around, reminded.document, { why: 'expired', reason: 'expired' }))
  }, draft)
}

function reminders(settings: DocumentsSettings, document: SalesDocument, time: number): Moved {
  const recipient = nextSigner({ settings }, document)
  let now = document
  const told: Emission[] = []
  while (reminderOf(settings, now) <= time) {
    now = { ...now, reminders: now.reminders + 1 }
    if (recipient !== null)
      told.push(emit(documentEvents, 'reminder_due', { document_id: now.document_id, n: now.reminders, recipient }))
  }
  return { document: now, emit: told }
}

const isOpen = ({ status, closing }: SalesDocument): boolean =>
  (status === 'sent' || status === 'viewed') && closing == null

function reminderOf({ remindAfterMs }: DocumentsSettings, document: SalesDocument): number {
  const wait = remindAfterMs[document.reminders]
  return isOpen(document) && wait !== undefined ? (document.sent_at ?? 0) + wait : Number.POSITIVE_INFINITY
}

const expiryOf = ({ expiresAfterMs }: DocumentsSettings, document: SalesDocument): number =>
  isOpen(document) ? (document.sent_at ?? 0) + expiresAfterMs : Number.POSITIVE_INFINITY

function nextDue(settings: DocumentsSettings, { documents }: DocumentsState): number | null {
  const due = documents.flatMap((document) => [reminderOf(settings, document), expiryOf(settings, document)])
  const next = Math.min(...due)
  return Number.isFinite(next) ? next : null
}
