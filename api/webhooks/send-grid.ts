/**
 * SendGrid's event webhook: an array of events, signed by ECDSA P-256 over timestamp and raw bytes. The endpoint's secrets
 * are public keys (base64 of the SPKI, as SendGrid shows them). Our ids come back as the custom arguments of each message.
 */

import { createHash, createPublicKey, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { z } from 'zod'
import { communicationEvents } from '../../schemas/index.ts'
import type { UnusableEvent, WebhookEvent, WebhookVerifier } from './verifier.ts'

const toleranceMs = 300_000
const signatureName = 'x-twilio-email-event-webhook-signature'
const timestampName = 'x-twilio-email-event-webhook-timestamp'

export const sendGridWebhooks: WebhookVerifier = Object.freeze({
  provider: 'sendgrid',
  verify(headers: IncomingHttpHeaders, raw: Buffer, secrets: readonly string[], nowMs: number) {
    const timestamp = headers[timestampName]
    const signature = headers[signatureName]
    const at = typeof timestamp === 'string' && /^\d{1,12}$/.test(timestamp) ? Number(timestamp) * 1000 : Number.NaN
    const signed = Buffer.concat([Buffer.from(String(timestamp)), raw])
    const bytes = typeof signature === 'string' ? Buffer.from(signature, 'base64') : Buffer.alloc(0)
    let fits = false
    for (const secret of secrets) fits = isSigned(secret, signed, bytes) || fits
    return fits && Math.abs(nowMs - at) <= toleranceMs ? ('ok' as const) : { status: 401 as const }
  },
  read(raw: Buffer) {
    const list = jsonOf(raw)
    if (!Array.isArray(list)) return [{ deliveryId: digestOf(raw), unusable: 'not a list of events' }]
    return (list as unknown[]).flatMap((one, index) => eventIn(one, () => `${digestOf(raw)}:${index}`) ?? [])
  },
})

function isSigned(publicKey: string, signed: Buffer, signature: Buffer): boolean {
  try {
    return verify('sha256', signed, keyOf(publicKey), signature)
  } catch {
    return false // not DER, or not a key: as wrong as another signature
  }
}

const keys = new Map<string, KeyObject>()

function keyOf(text: string): KeyObject {
  const known = keys.get(text)
  if (known !== undefined) return known
  const key = createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' })
  keys.set(text, key)
  return key
}

const statuses = {
  delivered: 'delivered',
  deferred: 'deferred',
  bounce: 'bounced',
  dropped: 'dropped',
  open: 'opened',
  click: 'clicked',
  spamreport: 'complained',
} as const
type Kind = keyof typeof statuses

const id = z.string().min(1).max(200)
const told = z.object({ event: z.string(), sg_event_id: id })
const ours = z.object({
  timestamp: z.number().int().positive(),
  type: z.string().nullish(),
  sg_message_id: z.string().nullish(),
  tenant_id: id,
  organization_id: z.string().max(200),
  contact_id: id,
  message_id: id,
})

/**
 * Null for an event of a kind that says nothing of a delivery.
 * @param place names one that bears no id: its list, and where in it
 */
function eventIn(value: unknown, place: () => string): WebhookEvent | UnusableEvent | null {
  const first = told.safeParse(value)
  if (!first.success) return { deliveryId: place(), unusable: 'an event without event or sg_event_id' }
  const { event, sg_event_id: deliveryId } = first.data
  if (!Object.hasOwn(statuses, event)) return null
  const read = ours.safeParse(value)
  if (!read.success) {
    const wrong = read.error.issues[0]?.path.join('.') ?? ''
    return { deliveryId, unusable: `an event of kind ${event} without a usable ${wrong}` }
  }
  const { timestamp, type, tenant_id, organization_id, contact_id, message_id } = read.data
  const blocked = event === 'bounce' && type === 'blocked'
  return {
    deliveryId,
    topic: communicationEvents,
    type: 'delivery_updated',
    tenantId: tenant_id,
    organizationId: organization_id,
    objectId: read.data.sg_message_id ?? message_id,
    payload: {
      contact_id,
      message_id,
      provider_event_id: deliveryId,
      status: blocked ? 'failed' : statuses[event as Kind],
      at: timestamp * 1000,
    },
  }
}

const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

function jsonOf(raw: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(raw))
  } catch {
    return undefined
  }
}
