/**
 * Keys on disk; permanent.
 *
 *   00 'f'                              format row
 *   00 'p' <name>                       changelog position of a store: 8 bytes, big-endian
 *   01 <name length: 1 byte> <name> <key>   a row
 *
 * The length makes store prefixes free of one another: no key of one store can be read as a key of another (S7).
 */

import assert from 'node:assert/strict'
import type { StoreName } from '../contract.ts'

export const FORMAT_KEY = Buffer.from('\0f')
export const POSITION_PREFIX = Buffer.from('\0p')

export const positionKey = (store: StoreName): Buffer => Buffer.concat([POSITION_PREFIX, Buffer.from(store)])

export const storeOfPositionKey = (key: Buffer): StoreName => key.toString('utf8', POSITION_PREFIX.length)

export function storePrefix(store: StoreName): Buffer {
  const name = Buffer.from(store)
  assert(name.length > 0 && name.length <= 255, `store name ${store} must have 1 to 255 bytes`)
  return Buffer.concat([Buffer.from([1, name.length]), name])
}

export function rowKey(prefix: Buffer, key: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(prefix.length + key.length)
  bytes.set(prefix)
  bytes.set(key, prefix.length)
  return bytes
}

/** The first key after all keys with this prefix. The first byte of a prefix is never ff. */
export function prefixEnd(prefix: Buffer): Buffer {
  let length = prefix.length
  while (prefix[length - 1] === 0xff) length--
  const end = Buffer.from(prefix.subarray(0, length))
  end[length - 1] = (end[length - 1] as number) + 1
  return end
}
