/**
 * Stripe's webhooks. `Stripe-Signature: t=<unix seconds>,v1=<hex>[,v1=…]`, HMAC-SHA256 over `<t>.<raw body>`.
 *
 * Invariants
 * 1. Nothing of the body is read before a signature over its bytes holds.
 * 2. A signature holds for 300 s, before and after: the official library takes one from the future for ever.
 * 3. Every secret is compared with every signature, in constant time; more than 10 signatures are a bad request.
 * 4. An event of another API version has other fields in other places. It is refused until the endpoint is set right: Stripe
 *    sends it again for days, and shows our answer beside it. Versions of one release (`2026-10-28.endive`) are alike.
 *    https://docs.stripe.com/sdks/versioning
 */

import { createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { ApiProblem } from '../http/problem.ts'
import { stripeEvent, versionOf } from './stripe-objects.ts'
import type { UnusableEvent, WebhookEvent, WebhookVerifier } from './verifier.ts'

const toleranceMs = 300_000
const signaturesAtMost = 10
const headerAtMost = 4_096

interface Header {
  readonly time: string
  readonly signatures: readonly string[]
}

/** Null for a header that is no signature; 'too many' for one that would have us compute for long. */
function readHeader(value: string): Header | 'too many' | null {
  const parts = value.split(',').map((part) => {
    const equals = part.indexOf('=')
    return { name: part.slice(0, equals).trim(), value: part.slice(equals + 1).trim() }
  })
  const times = parts.filter(({ name }) => name === 't')
  const signatures = parts.filter(({ name }) => name === 'v1').map((part) => part.value)
  if (signatures.length > signaturesAtMost) return 'too many'
  const time = times[0]?.value ?? ''
  return times.length === 1 && /^\d{1,12}$/.test(time) && signatures.length > 0 ? { time, signatures } : null
}

function verify(
  headers: IncomingHttpHeaders,
  raw: Buffer,
  secrets: readonly string[],
  nowMs: number,
): 'ok' | { readonly status: 400 | 401 } {
  const header = headers['stripe-signature']
  if (typeof header !== 'string') return { status: 401 }
  if (header.length > headerAtMost) return { status: 400 }
  const read = readHeader(header)
  if (read === 'too many') return { status: 400 }
  if (read === null || Math.abs(nowMs - Number(read.time) * 1000) > toleranceMs) return { status: 401 }
  return anyHolds(read, raw, secrets) ? 'ok' : { status: 401 }
}

/** 3. */
function anyHolds({ time, signatures }: Header, raw: Buffer, secrets: readonly string[]): boolean {
  let holds = false
  for (const secret of secrets) {
    const expected = createHmac('sha256', secret).update(`${time}.`).update(raw).digest()
    for (const signature of signatures) {
      const given = /^[0-9a-f]{64}$/i.test(signature) ? Buffer.from(signature, 'hex') : Buffer.alloc(expected.length)
      if (timingSafeEqual(given, expected)) holds = true
    }
  }
  return holds
}

const releaseOf = (version: string): string => version.slice(version.indexOf('.') + 1)

/** @param apiVersion whose objects are read */
export function stripeWebhooks(apiVersion: string): WebhookVerifier {
  const read = (raw: Buffer): readonly (WebhookEvent | UnusableEvent)[] => {
    const event = stripeEvent(raw)
    if (event === null) return []
    const given = versionOf(raw)
    if (given !== null && releaseOf(given) !== releaseOf(apiVersion))
      throw new ApiProblem(
        400,
        'wrong_api_version',
        `The endpoint at Stripe is of API version ${given}; make one of ${apiVersion}, and this is taken when it comes again.`,
      )
    return [event]
  }
  return Object.freeze({ provider: 'stripe', verify, read })
}
