/**
 * Codes: six digits, or the long ones of invitations; they travel by mail only. At rest they stand encrypted (AES-256-GCM, bound to their
 * reference); events and requests carry the reference, and the effect that sends the mail reads the code then.
 */

import { createCipheriv, createDecipheriv, timingSafeEqual } from 'node:crypto'
import type { Pool } from '../../connectors/postgres/index.ts'
import type { Random } from '../../topology/clock.ts'
import { derivedKey, sha256 } from './digest.ts'

/** Six digits, every value equally likely. */
export function sixDigits(random: Random): string {
  for (;;) {
    const value = random.bytes(3).readUIntBE(0, 3)
    if (value < 16_000_000) return String(value % 1_000_000).padStart(6, '0')
  }
}

/** Letters and digits that are not taken for one another: 32, so that five bits are one. */
const alphabet = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'

/** 100 bits in four groups of five: nobody guesses it, so no wrong entry is counted. */
export function longCode(random: Random): string {
  const letters = [...random.bytes(20)].map((byte) => alphabet[byte & 31]!).join('')
  return letters.match(/.{5}/g)!.join('-')
}

/** A long code as it is compared, however it was typed. */
export const plainCode = (typed: string): string => typed.replace(/[\s-]/g, '').toUpperCase()

/** Seals and opens codes under a key derived from the configured secret. */
export interface CodeBox {
  seal(codeRef: string, code: string): Buffer
  /** @throws when the bytes are not a code sealed under this reference and secret. */
  open(codeRef: string, sealed: Buffer): string
}

export function codeBox(secret: Buffer, random: Random): CodeBox {
  const key = derivedKey(secret, 'codes')
  return {
    seal(codeRef, code) {
      const iv = random.bytes(12)
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(codeRef))
      return Buffer.concat([iv, cipher.update(code, 'utf8'), cipher.final(), cipher.getAuthTag()])
    },
    open(codeRef, sealed) {
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12), { authTagLength: 16 })
      decipher.setAAD(Buffer.from(codeRef)).setAuthTag(sealed.subarray(-16))
      return decipher.update(sealed.subarray(12, -16), undefined, 'utf8') + decipher.final('utf8')
    },
  }
}

export const sameCode = (given: string, expected: string): boolean => timingSafeEqual(sha256(given), sha256(expected))

/** What the mail needs, and nothing else. */
export interface CodeToSend {
  readonly code: string
  readonly recipient: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/**
 * Looks a code up by its reference, for the effect that mails it.
 * @param pool connected as role `effects`, which may read just these columns
 * @returns a function that answers null when there is no such code any more
 */
export function codeReader(pool: Pool, secret: Buffer): (codeRef: string) => Promise<CodeToSend | null> {
  const box = codeBox(secret, { bytes: () => Buffer.alloc(0) })
  return async (codeRef) => {
    const { rows } = await pool.query<{ sealed: Buffer; recipient: string; expires_at: Date }>(
      'select sealed, recipient, expires_at from auth.codes where code_ref = $1',
      [codeRef],
    )
    const row = rows[0]
    if (row === undefined) return null
    return { code: box.open(codeRef, row.sealed), recipient: row.recipient, expiresAt: row.expires_at.getTime() }
  }
}
