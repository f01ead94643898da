/**
 * An envelope from its making to its end. What the signature service tells comes late, twice and in any order.
 *
 * Invariants
 * 1. A document has at most one live envelope: a change voids the old one before the next version is drawn up.
 * 2. document_signed is said once, when the signed file is in our store.
 * 3. What was asked to end is ended whatever answers late: an envelope made after that is voided.
 * 4. An envelope that may be live is tried for until an answer tells; after `giveUpAfterAttempts` tries a person is told
 *    (`giving-up.ts`), and no further one is made in its place by us.
 * 5. Of a change or an expiry and a signature, the signature wins when the service says that all had signed; of a
 *    compensation and a signature, the compensation, and a person is told.
 */

import { documentEvents } from '../../schemas/index.ts'
import { emit } from '../define.ts'
import type { Answer, Around, Moved } from './document.ts'
import { after, called, calledAgain, drawnUp, generated, ignored, maybeReached, notGenerated } from './document.ts'
import { personTold } from './giving-up.ts'
import type { Quote } from './pricing.ts'
import { quote } from './pricing.ts'
import type { SalesDocument, Webhook } from './state.ts'
import { isRef, keptEnvelopes, keptKeys, refOf } from './state.ts'

export type Closing = NonNullable<SalesDocument['closing']>

/** The answer to the document's call in flight. */
export function answered(around: Around, document: SalesDocument, answer: Answer): Moved {
  const { purpose } = document.call ?? { purpose: 'render' }
  const output = (answer.class === 'ok' ? (answer.output ?? {}) : {}) as Readonly<Record<string, unknown>>
  switch (purpose) {
    case 'render': {
      const { ref } = output
      return isRef(ref) ? generated(around, document, ref) : renderFailed(around, document, answer)
    }
    case 'create': {
      const { envelope_id } = output
      return typeof envelope_id === 'string' ? made(around, document, envelope_id) : notMade(around, document, answer)
    }
    case 'void':
      if (answer.class === 'ok') return voidAnswered(around, document, String(output['status']))
      return answer.class === 'invalid' ? over(around, document) : triedAgain(around, document, answer)
    case 'fetch': {
      const { signed_ref, certificate_ref } = output
      if (!isRef(signed_ref) || !isRef(certificate_ref)) return triedAgain(around, document, answer)
      return signed(document, refOf(signed_ref), refOf(certificate_ref))
    }
  }
}

/** Another try, until there were too many (4). */
function triedAgain(around: Around, document: SalesDocument, answer: Answer): Moved {
  return answer.attempt < around.settings.giveUpAfterAttempts
    ? calledAgain(around, document, answer)
    : givenUp(around, document, document.call?.doubtful === 'yes' || maybeReached(answer))
}

/** @param mayBeThere an envelope that was to be made may be live */
function givenUp(around: Around, document: SalesDocument, mayBeThere: boolean): Moved {
  const { call, closing } = document
  const changes = closing?.why === 'change'
  const open: SalesDocument = { ...document, closing: null, next: null, call: null }
  switch (call?.purpose) {
    case 'create': {
      const ended = closing == null || changes ? notGenerated(open, 'exhausted') : over(around, document)
      return mayBeThere ? after([personTold(around, document, 'create')], ended) : ended
    }
    case 'void':
      // The old version stays the live one (1); what was to end for another reason has ended for us.
      return after(
        [personTold(around, document, 'void')],
        changes ? { document: open, emit: [] } : over(around, document),
      )
    default: {
      const asked = personTold(around, document, 'fetch')
      return { document: { ...open, review_id: String(asked.payload['review_id']) }, emit: [asked] }
    }
  }
}

function renderFailed(around: Around, document: SalesDocument, answer: Answer): Moved {
  if (answer.class === 'retry' && answer.attempt < around.settings.retry.attempts)
    return calledAgain(around, document, answer)
  const reason = answer.class === 'retry' ? 'exhausted' : answer.class === 'ok' ? 'invalid' : answer.class
  return notGenerated(document, reason)
}

/** The envelope is on its way; what was told of it already counts now. */
function made(around: Around, document: SalesDocument, envelope_id: string): Moved {
  const { settings, state, context } = around
  const { document_id, document_type, version } = document
  const fact = emit(documentEvents, 'envelope_sent', {
    document_id,
    version,
    envelope_id,
    recipients: settings.signers[document_type],
    expires_at: context.time + settings.expiresAfterMs,
  })
  const sent: SalesDocument = {
    ...document,
    status: 'sent',
    envelope_id,
    sent_at: context.time,
    reminders: 0,
    call: null,
  }
  const told = state.early.filter((webhook) => webhook.envelope_id === envelope_id)
  const then = told.reduce<Moved>((moved, webhook) => after(moved.emit, heard(around, moved.document, webhook)), {
    document: sent,
    emit: [fact],
  })
  return sent.closing == null ? then : after(then.emit, called(around, then.document, 'void'))
}

/** Nothing was made, or nobody knows: the next try under the same transaction id tells (4). */
function notMade(around: Around, document: SalesDocument, answer: Answer): Moved {
  const unknown = document.call?.doubtful === 'yes' || maybeReached(answer)
  const refused = answer.class === 'invalid' || (!unknown && (answer.class === 'auth' || answer.class === 'quota'))
  if (!refused) return triedAgain(around, document, answer)
  return document.closing == null ? notGenerated(document, answer.class) : over(around, document)
}

function voidAnswered(around: Around, document: SalesDocument, status: string): Moved {
  const why = document.closing?.why
  const late = why === 'compensation' || why === 'erased'
  if (status === 'completed' && !late) {
    const open = { ...document, closing: null, next: null, completed_at: document.completed_at ?? around.context.time }
    return called(around, { ...open, status: 'completed' }, 'fetch')
  }
  if (status === 'completed' && why === 'compensation') {
    const ended = over(around, document)
    return after([personTold(around, document, 'late')], ended)
  }
  if (status === 'declined' && why === 'expired') return declined(document, document.declined ?? '')
  return over(around, document)
}

/** The envelope has ended: what it was ended for follows. */
function over(around: Around, document: SalesDocument): Moved {
  const { closing, next, envelope_id } = document
  const past_envelopes =
    envelope_id == null ? document.past_envelopes : keptEnvelopes(document.past_envelopes, envelope_id)
  const ended: SalesDocument = { ...document, past_envelopes, closing: null, next: null, call: null }
  switch (closing?.why) {
    case 'change':
      return drawnUp(around, ended, nextQuote(around, document), next?.by ?? null)
    case 'expired':
      return expired(ended)
    default:
      return voided(ended, closing?.reason ?? 'voided')
  }
}

/** The figures of the version that waits, at today's prices. */
function nextQuote({ settings }: Around, { next }: SalesDocument): Quote | null {
  return next?.quote == null ? null : quote(settings.pricing, next.quote)
}

export function voided(document: SalesDocument, reason: string): Moved {
  const { document_id, document_type } = document
  const fact = emit(documentEvents, 'document_voided', { document_id, document_type, reason })
  return { document: { ...document, status: 'voided', call: null, review_id: null, closing: null }, emit: [fact] }
}

function expired(document: SalesDocument): Moved {
  const { document_id, document_type } = document
  const fact = emit(documentEvents, 'document_expired', { document_id, document_type })
  return { document: { ...document, status: 'expired' }, emit: [fact] }
}

function declined(document: SalesDocument, reason: string): Moved {
  const { document_id, document_type } = document
  const fact = emit(documentEvents, 'document_declined', { document_id, document_type, reason })
  return { document: { ...document, status: 'declined', call: null, closing: null, next: null }, emit: [fact] }
}

function signed(
  document: SalesDocument,
  signed_ref: NonNullable<SalesDocument['ref']>,
  certificate_ref: typeof signed_ref,
): Moved {
  const { document_id, document_type, version, quote: figures } = document
  const terms =
    document_type === 'contract' && figures != null
      ? {
          plan: figures.plan,
          quantity: figures.seats,
          interval: figures.interval,
          currency: figures.currency,
          amount: figures.amount,
        }
      : null
  const fact = emit(documentEvents, 'document_signed', {
    document_id,
    document_type,
    version,
    envelope_id: document.envelope_id ?? '',
    signed_ref,
    certificate_ref,
    signed_at: document.completed_at ?? 0,
    terms,
  })
  const keys = keptKeys(document.keys, signed_ref.key, certificate_ref.key)
  return { document: { ...document, status: 'signed', call: null, keys }, emit: [fact] }
}

/** A person decided on a signed file that could not be fetched: another round, unless it is let go. */
export function fetchDecided(around: Around, document: SalesDocument, letGo: string | null): Moved {
  const open: SalesDocument = { ...document, review_id: null }
  return letGo === null ? called(around, open, 'fetch') : notGenerated(open, letGo)
}

/** Ends what is live; for a document whose envelope is being made, as soon as it is known. */
export function closed(
  around: Around,
  document: SalesDocument,
  closing: Closing,
  next: SalesDocument['next'] = null,
): Moved {
  const closingNow = { ...document, closing, next }
  if (document.status === 'sending' || document.call?.purpose === 'void') return { document: closingNow, emit: [] }
  return called(around, closingNow, 'void')
}

export const isLive = ({ status }: SalesDocument): boolean =>
  status === 'sending' || status === 'sent' || status === 'viewed'

/** What the signature service told of this document's envelope. */
export function heard(around: Around, document: SalesDocument, webhook: Webhook): Moved {
  const { status, closing } = document
  const still: Moved = { document, emit: [] }
  const open = status === 'sent' || status === 'viewed'
  switch (webhook.event) {
    case 'envelope-delivered':
    case 'recipient-delivered':
      return status === 'sent' && closing == null ? viewed(around, document, webhook.recipient ?? null) : still
    case 'recipient-completed':
      return open ? { document: signedBy(document, webhook.recipient ?? null), emit: [] } : still
    case 'envelope-completed':
      if (status === 'completed' || status === 'signed') return still
      if (!open) return { document, emit: [ignored(document, 'completed')] }
      return completed(around, { ...document, completed_at: webhook.generated_at })
    case 'envelope-declined':
      if (status === 'declined') return still
      if (!open) return { document, emit: [ignored(document, 'declined')] }
      if (closing != null) return { document: { ...document, declined: webhook.reason ?? '' }, emit: [] }
      return declined(document, webhook.reason ?? '')
    case 'envelope-voided':
      if (status === 'voided' || status === 'expired' || closing != null) return still
      if (!open) return { document, emit: [ignored(document, 'voided')] }
      return voided(document, webhook.reason ?? 'voided at the signature service')
    default:
      return still
  }
}

/** While the envelope is being voided the answer to that call decides (5). */
const completed = (around: Around, document: SalesDocument): Moved =>
  document.closing == null ? called(around, { ...document, status: 'completed' }, 'fetch') : { document, emit: [] }

function viewed(around: Around, document: SalesDocument, by: string | null): Moved {
  const recipient = by ?? nextSigner(around, document) ?? 'client'
  const fact = emit(documentEvents, 'document_viewed', { document_id: document.document_id, recipient })
  return { document: { ...document, status: 'viewed' }, emit: [fact] }
}

const signedBy = (document: SalesDocument, role: string | null): SalesDocument =>
  role === null || document.signed_by.includes(role)
    ? document
    : { ...document, signed_by: [...document.signed_by, role].slice(-10) }

/** The first in routing order who has not signed. */
export function nextSigner({ settings }: Pick<Around, 'settings'>, document: SalesDocument): string | null {
  const waiting = settings.signers[document.document_type].filter(({ role }) => !document.signed_by.includes(role))
  return waiting.toSorted((a, b) => a.order - b.order)[0]?.role ?? null
}
