/** Which keys an object may have: the part of S3's that is safe in URLs, in headers and as a path on any disk. */

import { StorageError } from './storage-error.ts'

const segment = /^[A-Za-z0-9._=-]{1,120}$/
const longest = 900

/** @throws StorageError invalid, with one line */
export function checkKey(key: string): void {
  const bad = key.split('/').find((part) => !segment.test(part) || /^\.+$/.test(part))
  if (bad === undefined && key.length <= longest) return
  throw new StorageError(
    'invalid',
    `the key ${JSON.stringify(key.slice(0, 80))} is not one: wanted names of letters, digits, . _ = - with / between them`,
  )
}
