/** What identity is told: secrets, and limits whose defaults are the product's promises. */

import { derivedKey } from './digest.ts'
import type { HashingLimits } from './passwords.ts'

/** A secret that access tokens are signed with. The first signs; the others still verify until their end date. */
export interface TokenKey {
  /** Named in the token's header; letters, digits, `-` and `_`. */
  readonly kid: string
  /** At least 32 bytes. */
  readonly secret: Buffer
  /** Milliseconds since the epoch after which the key verifies nothing; absent means it has no end. */
  readonly verifiesUntil?: number
}

/** A token key named after its secret, so that all processes know it by one name: the name tells nothing of it. */
export const tokenKeyOf = (secret: string): TokenKey => ({
  kid: derivedKey(Buffer.from(secret), 'token-kid').toString('hex').slice(0, 16),
  secret: Buffer.from(secret),
})

export interface IdentitySecrets {
  readonly tokenKeys: readonly TokenKey[]
  /** Codes at rest are encrypted under it. */
  readonly codeSecret: Buffer
  /** E-mail and address hashes are HMACs under it. Changing it forgets lock-outs, nothing else. */
  readonly pepper: Buffer
}

export interface IdentityLimits {
  /** What every token key was named before names followed from secrets: a token that says it may be signed by any of ours. */
  readonly formerKid: string
  readonly issuer: string
  readonly audience: string
  readonly accessTokenMs: number
  readonly refreshTokenMs: number
  /** How far the clocks of two of our machines may differ. */
  readonly clockToleranceMs: number
  readonly codeMs: number
  /** Wrong entries after which a code is dead. */
  readonly codeTries: number
  /** Codes sent to one address within `codesWindowMs`. */
  readonly codesPerWindow: number
  readonly codesWindowMs: number
  /** Failed logins of one address within the sliding `loginWindowMs`, after which the next is refused. */
  readonly loginFailures: number
  readonly loginWindowMs: number
  readonly apiKeysPerOrganization: number
  /** Requests of an API key that has no quota of its own; 0 is no limit. */
  readonly apiKeyPerMinute: number
  readonly apiKeyPerDay: number
  readonly membersPerOrganization: number
  /** Open at one time. */
  readonly invitationsPerOrganization: number
  readonly invitationMs: number
  readonly hashing: HashingLimits
}

export interface IdentitySettings extends IdentitySecrets, IdentityLimits {}

const minuteMs = 60_000

export const identityLimits: IdentityLimits = Object.freeze({
  formerKid: 'k1',
  issuer: 'lifecycle',
  audience: 'lifecycle-api',
  accessTokenMs: 24 * 60 * minuteMs,
  refreshTokenMs: 7 * 24 * 60 * minuteMs,
  clockToleranceMs: minuteMs,
  codeMs: 15 * minuteMs,
  codeTries: 5,
  codesPerWindow: 5,
  codesWindowMs: 60 * minuteMs,
  loginFailures: 5,
  loginWindowMs: 15 * minuteMs,
  apiKeysPerOrganization: 100,
  apiKeyPerMinute: 60_000,
  apiKeyPerDay: 10_000_000,
  membersPerOrganization: 1_000,
  invitationsPerOrganization: 200,
  invitationMs: 7 * 24 * 60 * minuteMs,
  hashing: Object.freeze({ cost: 12, concurrency: 2, queue: 64, longestWaitMs: 8_000 }),
})

/** Limits as promised, unless told otherwise. @throws RangeError in one line when a secret or a cost is too weak. */
export function identitySettings(secrets: IdentitySecrets, limits: Partial<IdentityLimits> = {}): IdentitySettings {
  const settings: IdentitySettings = { ...identityLimits, ...limits, ...secrets }
  if (settings.tokenKeys.length === 0) throw new RangeError('no key to sign access tokens with')
  const kids = new Set(settings.tokenKeys.map(({ kid }) => kid))
  if (kids.size !== settings.tokenKeys.length) throw new RangeError('two token keys have the same kid')
  for (const { kid, secret } of settings.tokenKeys) {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(kid)) throw new RangeError('a token key needs a kid of letters, digits, - and _')
    if (secret.length < 32) throw new RangeError(`token key ${kid} has ${secret.length} bytes; at least 32 are needed`)
  }
  if (settings.codeSecret.length < 16) throw new RangeError('the secret for codes needs at least 16 bytes')
  if (settings.pepper.length < 16) throw new RangeError('the pepper needs at least 16 bytes')
  const { cost } = settings.hashing
  if (!Number.isInteger(cost) || cost < 4 || cost > 16) throw new RangeError('the bcrypt cost must be 4 to 16')
  return Object.freeze(settings)
}
