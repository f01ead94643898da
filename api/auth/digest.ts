/** Identifiers and digests: random UUIDs and tokens, hashes that say whether two secrets or two addresses are equal. */

import { createHash, createHmac, hkdfSync } from 'node:crypto'
import type { Random } from '../../topology/clock.ts'

/** A UUID of version 4: it tells nothing, not even when it was made. */
export function uuid(random: Random): string {
  const bytes = random.bytes(16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Whether PostgreSQL would take it for a UUID, as we write them. */
export const isUuid = (text: string): boolean => uuidForm.test(text)

/** An opaque token of 256 bits; enough entropy that its plain SHA-256 may be stored. */
export const opaqueToken = (random: Random): string => random.bytes(32).toString('base64url')

export const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

/** A key of its own for each purpose, derived from one configured secret (HKDF-SHA256). */
export const derivedKey = (secret: Buffer, purpose: string): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, '', `lifecycle/${purpose}`, 32))

/** Compares e-mails and addresses without showing them: HMAC-SHA256 under the pepper, 128 bits, hex. */
export const pseudonym = (pepper: Buffer, kind: 'email' | 'ip', value: string): string =>
  createHmac('sha256', pepper).update(`${kind}:${value}`).digest().subarray(0, 16).toString('hex')
