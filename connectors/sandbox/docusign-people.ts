/**
 * The people of an envelope, in business time: each sees it, then signs, in routing order; or the first declines, or
 * nobody does anything. What they do is told by Connect webhooks.
 *
 * DP1  What happens is told before it is kept: a kill in between does it again, under the same delivery id.
 */

import { createHmac } from 'node:crypto'
import type { StandInContext } from './exchange.ts'
import type { Records } from './records.ts'

export interface Signer {
  readonly recipientId: string
  readonly roleName: string
  readonly routingOrder: number
  readonly name: string
  readonly email: string
  readonly status: 'created' | 'delivered' | 'completed' | 'declined'
}

export interface Envelope {
  readonly envelopeId: string
  readonly transactionId: string
  readonly createdAt: number
  readonly status: 'sent' | 'delivered' | 'completed' | 'declined' | 'voided'
  readonly subject: string
  /** In routing order. */
  readonly signers: readonly Signer[]
  readonly custom: Readonly<Record<string, string>>
  readonly told: 'signs' | 'declines' | 'ignores'
  /** What each signer takes; an hour unless told. */
  readonly afterMs?: number
  readonly reason?: string
}

export interface People {
  /** The envelope is out: the first one gets it. */
  begin(envelope: Envelope): void
  voided(envelope: Envelope, reason: string): void
}

const kind = 'docusign-signer'
const hourMs = 60 * 60 * 1000
const declineReason = 'Not what we agreed on.'

export function people(context: StandInContext, envelopes: Records<Envelope>): People {
  const { agenda, deliveries, now } = context

  deliveries.signer('docusign', (raw, _nowMs, fault) => {
    // Connect signs no time: a stale signature is a wrong one.
    const secret = fault === null ? context.webhookSecret : 'a key that nobody has'
    return {
      'x-authorization-digest': 'HMACSHA256',
      'x-docusign-signature-1': createHmac('sha256', secret).update(raw).digest('base64'),
    }
  })
  agenda.on(kind, ({ at, data }) => {
    const { envelopeId } = data as { readonly envelopeId: string }
    const envelope = envelopes.get(envelopeId)
    if (envelope !== undefined) act(envelope, at)
  })

  function tell(envelope: Envelope, event: string, at: number, recipient?: Signer): void {
    const { envelopeId, custom } = envelope
    const generatedDateTime = new Date(at).toISOString()
    const data = {
      accountId: 'sandbox',
      userId: 'sandbox',
      envelopeId,
      ...(recipient === undefined ? {} : { recipientId: recipient.recipientId }),
      envelopeSummary: summaryOf(envelope),
    }
    const body = { event, apiVersion: 'v2.1', uri: `/envelopes/${envelopeId}`, retryCount: 0, configurationId: 1 }
    deliveries.send({
      provider: 'docusign',
      id: [envelopeId, event, generatedDateTime, recipient?.recipientId ?? ''].join(':'),
      event,
      companies: [custom['company'], custom['domain']].filter((name) => name !== undefined),
      body: JSON.stringify({ ...body, generatedDateTime, data }),
      at,
      lane: `docusign ${envelopeId}`,
    })
  }

  function kept(envelope: Envelope): Envelope {
    envelopes.put(envelope.envelopeId, envelope)
    return envelope
  }

  const later = (envelope: Envelope, at: number): void => {
    if (envelope.told === 'ignores') return
    const { envelopeId } = envelope
    agenda.note({ id: `${kind}:${envelopeId}`, at: at + (envelope.afterMs ?? hourMs) / 2, kind, data: { envelopeId } })
  }

  /** The next thing that the next signer does: look, then sign or decline. */
  function act(envelope: Envelope, at: number): void {
    const next = envelope.signers.find(({ status }) => status !== 'completed')
    if (next === undefined || (envelope.status !== 'sent' && envelope.status !== 'delivered')) return
    if (next.status === 'created') return looked(envelope, next, at)
    if (envelope.told === 'declines') return declined(envelope, next, at)
    const after = withSigner(envelope, next, 'completed')
    tell(after, 'recipient-completed', at, next)
    if (after.signers.some(({ status }) => status !== 'completed')) return later(kept(after), at)
    const all: Envelope = { ...after, status: 'completed' }
    tell(all, 'envelope-completed', at)
    kept(all)
  }

  function looked(envelope: Envelope, signer: Signer, at: number): void {
    const first = envelope.status === 'sent'
    const after: Envelope = { ...withSigner(envelope, signer, 'delivered'), status: 'delivered' }
    if (first) tell(after, 'envelope-delivered', at)
    later(kept(after), at)
  }

  function declined(envelope: Envelope, signer: Signer, at: number): void {
    const after = { ...withSigner(envelope, signer, 'declined'), status: 'declined' as const, reason: declineReason }
    tell(after, 'envelope-declined', at)
    kept(after)
  }

  return {
    begin(envelope) {
      tell(envelope, 'envelope-sent', now())
      later(envelope, now())
    },
    voided(envelope, reason) {
      agenda.cancel(`${kind}:${envelope.envelopeId}`)
      const over: Envelope = { ...envelope, status: 'voided', reason }
      tell(over, 'envelope-voided', now())
      kept(over)
    },
  }
}

const withSigner = (envelope: Envelope, { recipientId }: Signer, status: Signer['status']): Envelope => ({
  ...envelope,
  signers: envelope.signers.map((signer) => (signer.recipientId === recipientId ? { ...signer, status } : signer)),
})

/** An envelope as the API and the webhooks show it. */
export function summaryOf(envelope: Envelope) {
  const { envelopeId, status, subject, createdAt, signers, custom, reason } = envelope
  return {
    envelopeId,
    status,
    emailSubject: subject,
    uri: `/envelopes/${envelopeId}`,
    statusDateTime: new Date(createdAt).toISOString(),
    ...(status === 'voided' ? { voidedReason: reason } : {}),
    recipients: {
      signers: signers.map((signer) => ({
        ...signer,
        routingOrder: String(signer.routingOrder),
        ...(signer.status === 'declined' ? { declinedReason: reason } : {}),
      })),
    },
    customFields: {
      textCustomFields: Object.entries(custom).map(([name, value]) => ({ name, value, show: 'false' })),
    },
  }
}
