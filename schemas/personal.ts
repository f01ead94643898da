/**
 * Personal fields: deterministic authenticated encryption with a synthetic IV (the construction of RFC 5297, with
 * HMAC-SHA256 and AES-256-CTR).
 *
 *   sealed = 0x01 · iv (16) · AES-256-CTR(encryption key, iv, text)
 *   iv     = first 16 bytes of HMAC-SHA256(mac key, L(tenant) · L(field) · L(text)),  L(x) = 4-byte length · x
 *   encryption key, mac key = HKDF-SHA256(tenant's data key, info `lifecycle personal 1 encrypt` / `… authenticate`)
 *
 * P1 Same tenant, field and text: same bytes. So a replay writes what it wrote, and RocksDB equals its changelog.
 * P2 Another tenant, another field or one changed bit: other bytes, or no opening. `field` is the record's full name and
 *    the path in it, not the topic: moved bytes do not open.
 * P3 Zero bytes stand for an erased value. Once a tenant's key is destroyed everything opens to `erased`, and what is
 *    sealed is erased at once: never an error.
 */

import assert from 'node:assert/strict'
import type { KeyObject } from 'node:crypto'
import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hkdfSync, timingSafeEqual } from 'node:crypto'
import { BadRecord } from '../topology/errors.ts'
import type { Erased } from './fields.ts'
import { erased } from './fields.ts'
import type { KeyRing } from './key-ring.ts'

const version = 1
const ivBytes = 16
const headBytes = 1 + ivBytes
const nothing = Buffer.alloc(0)

/** A field's name as it enters the synthetic IV; made once per field. */
export type FieldTag = Buffer & { readonly tag?: 'field' }

/** @param path full name of the record, then names of fields, `[]` for items, `{}` for values of a map */
export function fieldTag(path: readonly string[]): FieldTag {
  return measured(Buffer.from(path.join('.'), 'utf8'))
}

function measured(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** Seals and opens the personal fields of one tenant. */
export interface FieldCipher {
  seal(field: FieldTag, text: string): Buffer
  /** @throws BadRecord `bad_value` when the bytes were not sealed for this tenant and field */
  open(field: FieldTag, sealed: Buffer): string | Erased
}

const erasedCipher: FieldCipher = Object.freeze({ seal: () => nothing, open: () => erased })

/** Ciphers by data key: a key ring that gives the same buffer again costs no derivation. */
const ciphers = new WeakMap<Buffer, Map<string, FieldCipher>>()

/** Null when the ring has no key of this tenant, or has not loaded it. */
export function fieldCipher(keyRing: KeyRing, tenantId: string): FieldCipher | null {
  const dataKey = keyRing.get(tenantId)
  if (dataKey === undefined) return null
  if (dataKey === 'erased') return erasedCipher
  let byTenant = ciphers.get(dataKey)
  if (byTenant === undefined) ciphers.set(dataKey, (byTenant = new Map()))
  let cipher = byTenant.get(tenantId)
  if (cipher === undefined) byTenant.set(tenantId, (cipher = newCipher(dataKey, tenantId)))
  return cipher
}

function newCipher(dataKey: Buffer, tenantId: string): FieldCipher {
  assert(dataKey.length === 32, `the data key of a tenant has ${dataKey.length} bytes`)
  const encryptionKey = derive(dataKey, 'encrypt')
  const macKey = derive(dataKey, 'authenticate')
  const tenant = measured(Buffer.from(tenantId, 'utf8'))
  const ivOf = (field: FieldTag, text: Buffer): Buffer =>
    createHmac('sha256', macKey).update(tenant).update(field).update(measured(text)).digest().subarray(0, ivBytes)
  return {
    seal(field, text) {
      const plain = Buffer.from(text, 'utf8')
      const iv = ivOf(field, plain)
      return Buffer.concat([Buffer.of(version), iv, createCipheriv('aes-256-ctr', encryptionKey, iv).update(plain)])
    },
    open(field, sealed) {
      if (sealed.length === 0) return erased
      if (sealed.length < headBytes || sealed[0] !== version) throw new BadRecord('bad_value', 'not a personal field')
      const iv = sealed.subarray(1, headBytes)
      const plain = createDecipheriv('aes-256-ctr', encryptionKey, iv).update(sealed.subarray(headBytes))
      if (!timingSafeEqual(iv, ivOf(field, plain)))
        throw new BadRecord('bad_value', 'a personal field that was not sealed for this tenant and field')
      return plain.toString('utf8')
    },
  }
}

/** A key object, because a raw key costs every call several times as much. */
function derive(dataKey: Buffer, use: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', dataKey, nothing, `lifecycle personal 1 ${use}`, 32)))
}
