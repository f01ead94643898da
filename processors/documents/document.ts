/**
 * A document from the request to its approval: drawn up by the renderer, then approved by policy or by a person.
 *
 * Invariants
 * 1. A document has at most one call in flight, `call`; only its answer moves the document.
 * 2. A version is drawn up once and approved at most once; figures that a person approved are not put to one again.
 * 3. Whoever changes a document gets a new version of it; a version is never changed.
 */

import { documentEvents, reviewEvents } from '../../schemas/index.ts'
import type { Emission, StepContext } from '../define.ts'
import { emit } from '../define.ts'
import { retryTime } from '../retry.ts'
import { documentData } from './content.ts'
import { inWords } from './figures.ts'
import type { Quote } from './pricing.ts'
import { yearAmount } from './pricing.ts'
import type { DocumentsSettings } from './settings.ts'
import type { DocumentsState, DocumentType, Ref, SalesDocument } from './state.ts'
import { documentOf, keptKeys, refOf } from './state.ts'

/** What a move of one document looks at besides the document. */
export interface Around {
  readonly settings: DocumentsSettings
  readonly state: DocumentsState
  readonly context: StepContext
}

/** What became of one document. */
export interface Moved {
  readonly document: SalesDocument
  readonly emit: readonly Emission[]
}

export type Purpose = NonNullable<SalesDocument['call']>['purpose']

export interface Answer {
  readonly call_id: string
  readonly attempt: number
  readonly class: 'ok' | 'retry' | 'auth' | 'quota' | 'invalid'
  readonly retry_at?: number | null
  readonly status: number
  readonly output?: unknown
}

export const after = (first: readonly Emission[], { document, emit: then }: Moved): Moved => ({
  document,
  emit: [...first, ...then],
})

/** A move that the state machine does not know: counted, and nothing changes. */
export const ignored = (document: SalesDocument | undefined, move: string): Emission =>
  emit(documentEvents, 'document_move_ignored', {
    document_id: document?.document_id ?? '',
    status: document?.status ?? 'none',
    move,
  })

export const newDocument = (type: DocumentType, context: StepContext): SalesDocument => ({
  document_id: context.id(`document:${type}`),
  document_type: type,
  version: 0,
  status: 'draft',
  reminders: 0,
  signed_by: [],
  past_envelopes: [],
  keys: [],
})

/** Draws up the next version. @param by the person who wrote its figures, and so approved them */
export function drawnUp(around: Around, document: SalesDocument, quote: Quote | null, by: string | null): Moved {
  const draft: SalesDocument = {
    ...newDocument(document.document_type, around.context),
    document_id: document.document_id,
    past_envelopes: document.past_envelopes,
    keys: document.keys,
    version: document.version + 1,
    quote,
    approved_by: by,
  }
  return called(around, draft, 'render')
}

/** The renderer has put this version into the store. */
export function generated(around: Around, document: SalesDocument, told: Ref): Moved {
  const { quote } = document
  const ref = refOf(told)
  const fact = emit(documentEvents, 'document_generated', {
    document_id: document.document_id,
    document_type: document.document_type,
    version: document.version,
    template_version: around.settings.templateVersion,
    ref,
    currency: quote?.currency ?? null,
    amount: quote?.amount ?? null,
    list_amount: quote?.list_amount ?? null,
    discount_basis_points: quote?.discount_basis_points ?? null,
    margin_basis_points: quote?.margin_basis_points ?? null,
    quantity: quote?.seats ?? null,
  })
  const drawn: SalesDocument = { ...document, ref, call: null, keys: keptKeys(document.keys, ref.key) }
  if (document.approved_by != null) return after([fact], approved(around, drawn, document.approved_by))
  const reasons = reasonsForPerson(around, document)
  return after([fact], reasons.length === 0 ? approved(around, drawn, 'policy') : personAsked(around, drawn, reasons))
}

/** What policy alone may not approve; nothing when the same figures were approved one document earlier. */
export function reasonsForPerson({ settings, state }: Around, document: SalesDocument): readonly string[] {
  const { quote, document_type } = document
  if (quote == null) return []
  const before = document_type === 'contract' ? 'proposal' : document_type === 'proposal' ? 'pricing' : null
  const known = before === null ? undefined : documentOf(state, before)
  if (known?.quote != null && sameFigures(known.quote, quote)) return []
  const { discountAboveBasisPoints, marginBelowBasisPoints, yearAmountAbove } = settings.approval
  const found: readonly (readonly [boolean, string])[] = [
    [
      quote.discount_basis_points > discountAboveBasisPoints,
      `the discount of ${percent(quote.discount_basis_points)} is above ${percent(discountAboveBasisPoints)}`,
    ],
    [
      quote.margin_basis_points < marginBelowBasisPoints,
      `the margin of ${percent(quote.margin_basis_points)} is below ${percent(marginBelowBasisPoints)}`,
    ],
    [
      yearAmount(quote) > yearAmountAbove,
      `a year comes to ${inWords(yearAmount(quote), quote.currency)}, above ${inWords(yearAmountAbove, quote.currency)}`,
    ],
  ]
  return found.flatMap(([holds, words]) => (holds ? [words] : []))
}

const percent = (basisPoints: number): string => `${(basisPoints / 100).toFixed(2)} %`

const sameFigures = (a: Quote, b: Quote): boolean =>
  a.seats === b.seats && a.conversations === b.conversations && a.interval === b.interval && a.amount === b.amount

function personAsked({ settings, context }: Around, document: SalesDocument, reasons: readonly string[]): Moved {
  const review_id = context.id(`review:${document.document_id}:${document.version}`)
  const asked = emit(reviewEvents, 'review_requested', {
    review_id,
    subject_type: 'document',
    subject_ref: document.document_id,
    reason: reasons.join('; '),
    risk: 'high',
    proposed_action: {
      document_type: document.document_type,
      version: document.version,
      figures: document.quote ?? null,
      ref: document.ref ?? null,
    },
    options: ['approve', 'reject', 'edit'],
    requester: 'documents',
    due_at: context.time + settings.approval.withinMs,
  })
  return { document: { ...document, status: 'approval', review_id }, emit: [asked] }
}

export function approved(around: Around, document: SalesDocument, by: string): Moved {
  const { document_id, document_type, version } = document
  const fact = emit(documentEvents, 'document_approved', { document_id, version, by })
  const standing: SalesDocument = { ...document, status: 'approved', review_id: null }
  if (around.settings.signers[document_type].length === 0) return { document: standing, emit: [fact] }
  return after([fact], called(around, { ...standing, status: 'sending' }, 'create'))
}

export function rejected(document: SalesDocument, reason: string): Moved {
  const fact = emit(documentEvents, 'document_rejected', { document_id: document.document_id, reason })
  return { document: { ...document, status: 'rejected', review_id: null }, emit: [fact] }
}

export function notGenerated(document: SalesDocument, reason: string): Moved {
  const { document_id, document_type } = document
  const fact = emit(documentEvents, 'document_generation_failed', { document_id, document_type, reason })
  return { document: { ...document, status: 'failed', call: null }, emit: [fact] }
}

/** A first try, under a new call id: of this purpose, for this version. */
export function called(around: Around, document: SalesDocument, purpose: Purpose): Moved {
  const call_id = around.context.id(`call:${document.document_id}:${document.version}:${purpose}`)
  const call = { call_id, purpose, attempt: 1, doubtful: 'no' as const }
  return requestedCall(around, { ...document, call }, around.context.time)
}

/** Another try under the same call id, after our own pause or the provider's. */
export function calledAgain(around: Around, document: SalesDocument, answer: Answer): Moved {
  const { settings, context } = around
  const { call } = document
  if (call == null) return { document, emit: [] }
  const at =
    answer.class === 'retry' && answer.attempt < settings.retry.attempts
      ? retryTime(settings.retry, {
          time: context.time,
          attempt: answer.attempt,
          retryAt: answer.retry_at ?? null,
          chance: context.id(`retry:${call.call_id}`),
        })
      : Math.max(context.time + settings.patienceMs, answer.retry_at ?? 0)
  const doubtful = call.doubtful === 'yes' || maybeReached(answer) ? 'yes' : 'no'
  return requestedCall(around, { ...document, call: { ...call, attempt: call.attempt + 1, doubtful } }, at)
}

/** The provider may have done what was asked although we were not told. */
export const maybeReached = ({ class: how, status }: Answer): boolean =>
  how === 'retry' && (status === 0 || status === 408 || status === 409 || status >= 500)

function requestedCall(around: Around, document: SalesDocument, notBefore: number): Moved {
  const { call } = document
  if (call == null) return { document, emit: [] }
  const { provider, operation, request } = requestOf(around, document, call)
  const { call_id, attempt } = call
  const asked = { call_id, provider, operation, attempt, not_before: notBefore, request }
  return { document, emit: [emit(documentEvents, 'call_requested', asked)] }
}

function requestOf(
  { settings, state, context }: Around,
  document: SalesDocument,
  call: NonNullable<SalesDocument['call']>,
) {
  const { document_id, document_type, version } = document
  const company = state.company ?? { company_name: '' }
  const named = { document_id, document_type, version }
  switch (call.purpose) {
    case 'render': {
      const data = documentData(settings, document, company, context.time)
      return { provider: 'rendering', operation: 'document', request: { ...named, data } }
    }
    case 'create': {
      const request = {
        ...named,
        transaction_id: call.call_id,
        document: { ref: document.ref ?? null, name: `${document_type}-v${version}.pdf` },
        company: { company_name: company.company_name, domain: company.domain ?? null },
        signers: settings.signers[document_type],
        expires_in_days: Math.ceil(settings.expiresAfterMs / (24 * 60 * 60 * 1000)),
      }
      return { provider: 'docusign', operation: 'create_envelope', request }
    }
    case 'void': {
      const request = { envelope_id: document.envelope_id ?? '', reason: document.closing?.reason ?? 'voided' }
      return { provider: 'docusign', operation: 'void_envelope', request }
    }
    case 'fetch': {
      const request = { envelope_id: document.envelope_id ?? '', document_id, version }
      return { provider: 'docusign', operation: 'fetch_signed', request }
    }
  }
}
