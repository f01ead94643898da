/**
 * DocuSign Connect: JSON, signed by HMAC-SHA256 over the raw bytes under each active key of the configuration, in headers
 * X-DocuSign-Signature-1 … -100; one that fits is enough. No time is signed: what defends against a replay is that a
 * delivery counts once.
 */

import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { z } from 'zod'
import { documentEvents } from '../../schemas/index.ts'
import type { UnusableEvent, WebhookEvent, WebhookVerifier } from './verifier.ts'

const signaturesAtMost = 100
const signatureHeader = /^x-docusign-signature-\d{1,9}$/
const base64Digest = /^[A-Za-z0-9+/]{43}=$/

export const docuSignWebhooks: WebhookVerifier = Object.freeze({
  provider: 'docusign',
  verify(headers: IncomingHttpHeaders, raw: Buffer, secrets: readonly string[]) {
    const names = Object.keys(headers).filter((name) => signatureHeader.test(name))
    if (names.length > signaturesAtMost) return { status: 400 as const }
    const wanted = secrets.map((secret) => createHmac('sha256', secret).update(raw).digest())
    let fits = false
    // Every pair is compared, whatever the ones before said.
    for (const name of names)
      for (const digest of wanted) fits = timingSafeEqual(digestIn(headers[name]), digest) || fits
    return fits ? ('ok' as const) : { status: 401 as const }
  },
  read: (raw: Buffer) => [eventIn(raw)],
})

const noDigest = Buffer.alloc(32)

/** 32 bytes in any case. No HMAC is all zero but by a chance of 2^-256. */
function digestIn(header: string | string[] | undefined): Buffer {
  const text = typeof header === 'string' ? header : ''
  return base64Digest.test(text) ? Buffer.from(text, 'base64') : noDigest
}

const field = z.object({ name: z.string(), value: z.string().nullish() })
const signer = z.object({
  recipientId: z.string(),
  roleName: z.string().nullish(),
  declinedReason: z.string().nullish(),
})
const connect = z.object({
  event: z.string().min(1).max(100),
  generatedDateTime: z.string().max(64),
  data: z.object({
    envelopeId: z.string().min(1).max(200),
    recipientId: z.string().nullish(),
    envelopeSummary: z
      .object({
        voidedReason: z.string().nullish(),
        customFields: z.object({ textCustomFields: z.array(field).nullish() }).nullish(),
        recipients: z.object({ signers: z.array(signer).nullish() }).nullish(),
      })
      .nullish(),
  }),
})

/** Recipient ids as the envelopes were made with them (connectors/esign). */
const roles: Readonly<Record<string, string>> = { '1': 'client', '2': 'provider' }
const longestReason = 500

function eventIn(raw: Buffer): WebhookEvent | UnusableEvent {
  const deliveryOfBytes = createHash('sha256').update(raw).digest('hex')
  const read = connect.safeParse(jsonOf(raw))
  if (!read.success) return { deliveryId: deliveryOfBytes, unusable: 'not a Connect message' }
  const { event, generatedDateTime, data } = read.data
  const generated_at = Date.parse(generatedDateTime)
  if (Number.isNaN(generated_at)) return { deliveryId: deliveryOfBytes, unusable: 'generatedDateTime is no time' }
  const { envelopeId, recipientId = null, envelopeSummary } = data
  const signers = envelopeSummary?.recipients?.signers ?? []
  const told = recipientId === null ? undefined : signers.find((one) => one.recipientId === recipientId)
  const recipient = recipientId === null ? null : (told?.roleName ?? roles[recipientId] ?? null)
  const declined = signers.find(({ declinedReason }) => declinedReason != null)?.declinedReason
  const reason = envelopeSummary?.voidedReason ?? declined ?? null
  const custom = (name: string): string | null =>
    envelopeSummary?.customFields?.textCustomFields?.find((one) => one.name === name)?.value ?? null
  const deliveryId = [envelopeId, event, generatedDateTime, ...(recipientId === null ? [] : [recipientId])].join(':')
  return {
    deliveryId,
    topic: documentEvents,
    type: 'envelope_webhook_received',
    tenantId: custom('tenant_id'),
    organizationId: custom('organization_id'),
    objectId: envelopeId,
    payload: {
      envelope_id: envelopeId,
      event,
      generated_at,
      delivery_id: deliveryId,
      recipient,
      reason: reason === null ? null : reason.slice(0, longestReason).toWellFormed(),
    },
  }
}

function jsonOf(raw: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(raw))
  } catch {
    return undefined
  }
}
