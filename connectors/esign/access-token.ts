/**
 * DocuSign's JWT grant: a request signed with our RSA key becomes an access token of about an hour. One token is kept and
 * shared; who asks while it is being fetched waits for the same answer.
 */

import { createSign } from 'node:crypto'
import { z } from 'zod'
import type { CallOutcome } from '../effects/port.ts'
import { failedOutcome, httpCall, parseJson } from '../http/index.ts'

export interface TokenSettings {
  /** `https://account.docusign.com`; the JWT's audience is its host. */
  readonly authUrl: string
  readonly integrationKey: string
  readonly userId: string
  /** PEM, RSA. */
  readonly privateKey: string
  readonly timeoutMs: number
  /** Real time in ms: what the service's clock says. */
  readonly now: () => number
}

export interface AccessTokens {
  /** A token, or why there is none. */
  get(signal: AbortSignal): Promise<string | CallOutcome>
  /** The service refused this token: the next `get` fetches another. */
  refused(token: string): void
}

const grantType = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const lifeMs = 60 * 60 * 1000
/** A token is left this long before its end. */
const marginMs = 60_000

const answer = z.object({ access_token: z.string().min(1), expires_in: z.number().positive() })

export function accessTokens(settings: TokenSettings): AccessTokens {
  let kept: { readonly token: string; readonly until: number } | null = null
  let fetching: Promise<string | CallOutcome> | null = null

  async function fetched(): Promise<string | CallOutcome> {
    const http = await httpCall({
      method: 'POST',
      url: `${settings.authUrl}/oauth/token`,
      form: { grant_type: grantType, assertion: assertionOf(settings) },
      timeoutMs: settings.timeoutMs,
      maxBytes: 64 * 1024,
      // Shared by several callers: one of them going away does not end it.
      signal: AbortSignal.timeout(settings.timeoutMs),
    })
    const read = http.kind === 'answer' ? answer.safeParse(parseJson(http.body)) : null
    if (http.kind === 'answer' && http.status === 200 && read?.success === true) {
      kept = { token: read.data.access_token, until: settings.now() + read.data.expires_in * 1000 - marginMs }
      return kept.token
    }
    // 400 consent_required, invalid_grant: whatever is wrong is wrong with our credentials.
    const named = http.kind === 'answer' && http.status >= 400 && http.status < 429 && http.status !== 408
    const code = http.kind === 'answer' ? errorOf(http.body) : undefined
    return failedOutcome('docusign', http, settings.now(), {
      ...(named ? { named: 'auth' as const } : {}),
      words: 'gave no access token',
      code,
    })
  }

  return {
    async get(signal) {
      signal.throwIfAborted()
      if (kept !== null && settings.now() < kept.until) return kept.token
      fetching ??= fetched().finally(() => {
        fetching = null
      })
      return fetching
    },
    refused(token) {
      if (kept?.token === token) kept = null
    },
  }
}

const errorOf = (body: string): unknown => (parseJson(body) as { readonly error?: unknown } | undefined)?.error

/** RS256 (RFC 7518, 3.3) over the claims that DocuSign asks for. */
function assertionOf({ authUrl, integrationKey, userId, privateKey, now }: TokenSettings): string {
  const issuedAt = Math.floor(now() / 1000)
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = {
    iss: integrationKey,
    sub: userId,
    aud: new URL(authUrl).host,
    iat: issuedAt,
    exp: issuedAt + lifeMs / 1000,
    scope: 'signature impersonation',
  }
  const signed = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`
  return `${signed}.${createSign('sha256').update(signed).sign(privateKey, 'base64url')}`
}
