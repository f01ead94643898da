/**
 * The token of a demo's address: which demo of which tenant, sealed with a synthetic IV as personal fields are (the
 * construction of RFC 5297, with HMAC-SHA256 and AES-256-CTR).
 *
 *   token = base64url of  iv (16) · AES-256-CTR(encryption key, iv, tenant (16) · demo (16)),   64 characters
 *   iv    = first 16 bytes of HMAC-SHA256(mac key, tenant · demo)
 *   encryption key, mac key = HKDF-SHA256(secret, info `lifecycle share-link 1 encrypt` / `… authenticate`)
 *
 * SL1 Same demo, same token: a new version stands under the old address, and a call that is made again gives it again.
 * SL2 Who has not the secret can neither guess a token nor read in one whose it is; a changed one does not open.
 */

import { createCipheriv, createDecipheriv, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

/** Both are UUIDs, in lower case. */
export interface SharedDemo {
  readonly tenantId: string
  readonly demoId: string
}

export interface ShareLinks {
  /** @throws TypeError when an id is not a UUID */
  seal(shared: SharedDemo): string
  /** Null for what was not sealed here. */
  open(token: string): SharedDemo | null
  /** Who looks, as events name them: the same for one address and browser within a tenant; 32 hex digits. */
  viewerOf(tenantId: string, address: string, userAgent: string): string
}

const ivBytes = 16
const tokenForm = /^[A-Za-z0-9_-]{64}$/
const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** @param secret at least 32 bytes; other uses of it derive other keys */
export function shareLinks(secret: string | Uint8Array): ShareLinks {
  const derive = (use: string): Buffer =>
    Buffer.from(hkdfSync('sha256', secret, '', `lifecycle share-link 1 ${use}`, 32))
  const [encryptionKey, macKey, viewerKey] = [derive('encrypt'), derive('authenticate'), derive('viewer')]
  const ivOf = (plain: Buffer): Buffer => createHmac('sha256', macKey).update(plain).digest().subarray(0, ivBytes)
  return Object.freeze({
    seal({ tenantId, demoId }: SharedDemo) {
      const plain = Buffer.concat([bytesOf(tenantId), bytesOf(demoId)])
      const iv = ivOf(plain)
      return Buffer.concat([iv, createCipheriv('aes-256-ctr', encryptionKey, iv).update(plain)]).toString('base64url')
    },
    open(token: string) {
      if (!tokenForm.test(token)) return null
      const sealed = Buffer.from(token, 'base64url')
      const iv = sealed.subarray(0, ivBytes)
      const plain = createDecipheriv('aes-256-ctr', encryptionKey, iv).update(sealed.subarray(ivBytes))
      if (!timingSafeEqual(iv, ivOf(plain))) return null
      return { tenantId: uuidOf(plain.subarray(0, 16)), demoId: uuidOf(plain.subarray(16)) }
    },
    viewerOf: (tenantId: string, address: string, userAgent: string) =>
      createHmac('sha256', viewerKey)
        .update(JSON.stringify([tenantId, address, userAgent]))
        .digest('hex')
        .slice(0, 32),
  })
}

function bytesOf(id: string): Buffer {
  if (!uuidForm.test(id)) throw new TypeError('a shared demo is named by UUIDs')
  return Buffer.from(id.replaceAll('-', ''), 'hex')
}

function uuidOf(bytes: Buffer): string {
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
