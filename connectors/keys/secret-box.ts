/**
 * Encrypts what has no tenant (yet) at rest: AES-256-GCM under a key derived from a configured secret for one purpose, bound
 * to the name it is kept under.
 *
 *   sealed = iv (12) · encrypted content · tag (16)
 *   key    = HKDF-SHA256(secret, info `lifecycle secret-box 1 <purpose>`)
 */

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

export interface SecretBox {
  seal(name: string, content: string): Buffer
  /** Null for what was not sealed under this name, purpose and secret. */
  open(name: string, sealed: Buffer): string | null
}

const ivBytes = 12
const tagBytes = 16

/** @param secret at least 32 bytes; other uses of it derive other keys */
export function secretBox(secret: string | Uint8Array, purpose: string): SecretBox {
  const key = Buffer.from(hkdfSync('sha256', secret, '', `lifecycle secret-box 1 ${purpose}`, 32))
  return Object.freeze({
    seal(name: string, content: string) {
      const iv = randomBytes(ivBytes)
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(name))
      return Buffer.concat([iv, cipher.update(content, 'utf8'), cipher.final(), cipher.getAuthTag()])
    },
    open(name: string, sealed: Buffer) {
      if (sealed.length < ivBytes + tagBytes) return null
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, ivBytes), { authTagLength: tagBytes })
      decipher.setAAD(Buffer.from(name)).setAuthTag(sealed.subarray(-tagBytes))
      try {
        const content = decipher.update(sealed.subarray(ivBytes, -tagBytes))
        return Buffer.concat([content, decipher.final()]).toString('utf8')
      } catch {
        return null
      }
    },
  })
}
