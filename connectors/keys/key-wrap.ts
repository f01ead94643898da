/** Data keys at rest: AES-256-GCM under a key made from the master secret, bound to the tenant whose key it is. */

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

const format = 1
const ivBytes = 12
const keyBytes = 32
const tagBytes = 16

export function wrappingKey(masterSecret: string): Buffer {
  return Buffer.from(hkdfSync('sha256', masterSecret, '', 'tenant data keys', keyBytes))
}

/** Layout: format (1 byte) · iv (12) · encrypted key (32) · tag (16). */
export function wrapKey(key: Buffer, tenantId: string, under: Buffer): Buffer {
  const iv = randomBytes(ivBytes)
  const cipher = createCipheriv('aes-256-gcm', under, iv).setAAD(Buffer.from(tenantId))
  return Buffer.concat([Buffer.of(format), iv, cipher.update(key), cipher.final(), cipher.getAuthTag()])
}

/** @throws Error when the bytes are not this tenant's key wrapped under this secret */
export function unwrapKey(wrapped: Buffer, tenantId: string, under: Buffer): Buffer {
  if (wrapped.length !== 1 + ivBytes + keyBytes + tagBytes || wrapped[0] !== format)
    throw new Error('not a wrapped key')
  const decipher = createDecipheriv('aes-256-gcm', under, wrapped.subarray(1, 1 + ivBytes))
    .setAAD(Buffer.from(tenantId))
    .setAuthTag(wrapped.subarray(-tagBytes))
  return Buffer.concat([decipher.update(wrapped.subarray(1 + ivBytes, -tagBytes)), decipher.final()])
}
