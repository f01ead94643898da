/**
 * Access tokens: JWT (RFC 7519) signed with HS256, read after RFC 8725. Invariants:
 * A1 The algorithm and the keys come from settings, never from the token; a header that names other means
 *    (jku, jwk, x5u, crit, anything but alg, kid, typ) is refused unread.
 * A2 Every claim is required and has exactly one type; `aud` is our name and not a list that holds it.
 * A3 All failures are one answer: the caller cannot tell a forged token from an expired or a revoked one.
 * A4 Header and claims are read by the strict parser too: a name that is said twice is refused, never the last one taken.
 */

import { createSecretKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { decodeProtectedHeader, jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import type { Clock } from '../../topology/clock.ts'
import { parseJson } from '../http/json.ts'
import { ApiProblem } from '../http/problem.ts'
import type { IdentitySettings } from './settings.ts'

const claimsSchema = z.object({
  iss: z.string(),
  aud: z.string(),
  sub: z.uuid(),
  tenant_id: z.uuid(),
  organization_id: z.uuid(),
  user_type: z.enum(['client', 'agent']),
  role: z.string().min(1),
  jti: z.uuid(),
  sid: z.uuid(),
  iat: z.int(),
  nbf: z.int(),
  exp: z.int(),
})

export type Claims = Readonly<z.infer<typeof claimsSchema>>
/** What the issuer adds nothing to: the rest is name, audience and times. */
export type Subject = Omit<Claims, 'iss' | 'aud' | 'iat' | 'nbf' | 'exp'>

const algorithm = 'HS256'
const maxTokenLength = 8192
const compactForm = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/
const headerNames = new Set(['alg', 'kid', 'typ'])

/** The one answer to every failed authentication. */
export const unauthorized = (): ApiProblem =>
  new ApiProblem(401, 'unauthorized', 'The credentials are missing, wrong or no longer valid.', {
    headers: { 'WWW-Authenticate': 'Bearer' },
  })

export interface AccessTokens {
  /** A signed token and its lifetime in seconds. */
  mint(subject: Subject): Promise<{ readonly token: string; readonly expiresInS: number }>
  /** @throws ApiProblem 401, the same for every reason. */
  verify(token: string): Promise<Claims>
}

export function accessTokens(settings: IdentitySettings, clock: Clock): AccessTokens {
  const { issuer, audience } = settings
  const keys = new Map(settings.tokenKeys.map((key) => [key.kid, { ...key, key: createSecretKey(key.secret) }]))
  const signing = keys.get(settings.tokenKeys[0]!.kid)!

  /** Nobody is logged out by an upgrade: tokens of before name a key that was any of these. */
  function verificationKeys(kid: unknown): readonly KeyObject[] {
    const named = typeof kid === 'string' ? keys.get(kid) : undefined
    const entries = named !== undefined ? [named] : kid === settings.formerKid ? [...keys.values()] : []
    return entries.filter((entry) => clock.now() <= (entry.verifiesUntil ?? Infinity)).map((entry) => entry.key)
  }

  return {
    async mint(subject) {
      const nowS = Math.floor(clock.now() / 1000)
      const expiresInS = Math.floor(settings.accessTokenMs / 1000)
      const token = await new SignJWT({
        ...subject,
        iss: issuer,
        aud: audience,
        iat: nowS,
        nbf: nowS,
        exp: nowS + expiresInS,
      })
        .setProtectedHeader({ alg: algorithm, kid: signing.kid, typ: 'at+jwt' })
        .sign(signing.key)
      return { token, expiresInS }
    },

    async verify(token) {
      try {
        if (token.length > maxTokenLength || !compactForm.test(token)) throw unauthorized()
        for (const part of token.split('.', 2)) parseJson(Buffer.from(part, 'base64url'))
        const header = decodeProtectedHeader(token)
        if (Object.keys(header).some((name) => !headerNames.has(name))) throw unauthorized()
        const verified = (key: KeyObject) =>
          jwtVerify(token, key, {
            algorithms: [algorithm],
            issuer,
            audience,
            typ: 'at+jwt',
            clockTolerance: settings.clockToleranceMs / 1000,
            currentDate: new Date(clock.now()),
          })
        const { payload } = await Promise.any(verificationKeys(header.kid).map(verified))
        return claimsSchema.parse(payload)
      } catch {
        throw unauthorized()
      }
    },
  }
}
