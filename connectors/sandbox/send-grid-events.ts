/**
 * What becomes of a mail, told by SendGrid's event webhook in business time: processed and delivered within seconds, by one
 * delivery. Signed as SendGrid signs, with a key that follows from the sandbox's secret. Scripts: operation `deliver`
 *
 *   delivered (unless told) · bounces: there is no such address · blocked: its server takes nothing of ours now
 *   defers: taken at the second try, an hour later · opens: read after five minutes · complains: read, and called spam
 *
 * A reader is not seen unless a script says so: our mails are sent without a hidden picture.
 */

import { createECDH, createHmac, createPrivateKey, createPublicKey, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { Signer } from './deliveries.ts'
import type { StandInContext } from './exchange.ts'
import { idOf } from './exchange.ts'

/** A mail as it was handed over. */
export interface HandedOver {
  /** As the answer's `x-message-id` says. */
  readonly id: string
  readonly to: string
  readonly category: readonly string[]
  /** Custom arguments: they come back in every event. */
  readonly custom: Readonly<Record<string, string>>
}

export interface MailEvents {
  /** Tells what becomes of a mail. @returns whether it reaches its reader */
  handedOver(mail: HandedOver): boolean
}

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const toleranceS = 300

interface Happening {
  readonly event: string
  readonly afterMs: number
  readonly more?: Readonly<Record<string, string>>
}

const processed: Happening = { event: 'processed', afterMs: 0 }
const delivered: Happening = { event: 'delivered', afterMs: 2 * second, more: { response: '250 OK' } }
const opened: Happening = { event: 'open', afterMs: 5 * minute, more: { useragent: 'Mozilla/5.0' } }
const gone = { reason: '550 5.1.1 The account does not exist.', status: '5.1.1' }

/** What is told together stands in one list. */
const fates: Readonly<Record<string, readonly (readonly Happening[])[]>> = {
  delivered: [[processed, delivered]],
  bounces: [[processed, { event: 'bounce', afterMs: 2 * second, more: { ...gone, type: 'bounce' } }]],
  blocked: [[processed, { event: 'bounce', afterMs: 2 * second, more: { reason: '421 Try later', type: 'blocked' } }]],
  defers: [
    [processed, { event: 'deferred', afterMs: 2 * second, more: { response: '451 Try later', attempt: '1' } }],
    [{ ...delivered, afterMs: hour }],
  ],
  opens: [[processed, delivered], [opened]],
  complains: [[processed, delivered], [opened], [{ event: 'spamreport', afterMs: 6 * minute }]],
}

export function mailEvents({ deliveries, script, now, webhookSecret }: StandInContext): MailEvents {
  deliveries.signer('sendgrid', signer(webhookSecret))
  return {
    handedOver(mail) {
      const companies = [mail.to.slice(mail.to.indexOf('@') + 1)]
      const body = JSON.stringify(mail)
      const told = script.take({ provider: 'sendgrid', operation: 'deliver', companies, body })?.answer ?? 'delivered'
      const fate = fates[told] ?? fates['delivered'] ?? []
      for (const together of fate) {
        const events = together.map((happening) => eventOf(mail, happening, now()))
        const at = now() + Math.max(...together.map(({ afterMs }) => afterMs))
        const { sg_event_id: id, event } = events.at(-1) ?? { sg_event_id: '', event: '' }
        deliveries.send({ provider: 'sendgrid', id, event, companies, body: JSON.stringify(events), at })
      }
      return fate.flat().some(({ event }) => event === 'delivered')
    },
  }
}

const eventOf = ({ id, to, category, custom }: HandedOver, { event, afterMs, more }: Happening, now: number) => ({
  email: to,
  timestamp: Math.floor((now + afterMs) / second),
  'smtp-id': `<${id}@sandbox.example>`,
  category,
  ...custom,
  ...more,
  event,
  sg_event_id: idOf(`${id} ${to} ${event} ${String(afterMs)}`),
  sg_message_id: `${id}.sandbox`,
})

/** ECDSA over timestamp and bytes; a fault makes it one that must be refused. */
function signer(secret: string): Signer {
  const [own, another] = [secret, `${secret}-another`].map(keyOf)
  return (raw, nowMs, fault) => {
    const shift = fault === 'stale' ? -2 * toleranceS : fault === 'future' ? 2 * toleranceS : 0
    const timestamp = String(Math.floor(nowMs / second) + shift)
    const key = (fault === 'wrong' ? another : own) as KeyObject
    const signature = sign('sha256', Buffer.concat([Buffer.from(timestamp), raw]), key).toString('base64')
    return {
      'x-twilio-email-event-webhook-timestamp': timestamp,
      'x-twilio-email-event-webhook-signature': signature,
    }
  }
}

/** A key of P-256 that follows from a secret. */
function keyOf(secret: string): KeyObject {
  const scalar = createHmac('sha256', secret).update('event webhook of the sandbox').digest()
  scalar[0] = (scalar[0] ?? 0) & 0x7f // below the order of the curve
  const curve = createECDH('prime256v1')
  curve.setPrivateKey(scalar)
  const point = curve.getPublicKey()
  const [x, y, d] = [point.subarray(1, 33), point.subarray(33), scalar].map((bytes) => bytes.toString('base64url'))
  return createPrivateKey({ key: { kty: 'EC', crv: 'P-256', x, y, d }, format: 'jwk' } as never)
}

/** The public key that verifies what the sandbox signs with this secret: base64 of its SPKI, as SendGrid shows one. */
export const sandboxMailKey = (secret: string): string =>
  createPublicKey(keyOf(secret)).export({ format: 'der', type: 'spki' }).toString('base64')
