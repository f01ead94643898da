/** A put that may be repeated: the second finds what the first left. For keys that hold a hash of their content. */

import { createHash } from 'node:crypto'
import type { ObjectStore, PutOptions, StoredObject } from './port.ts'
import { StorageError } from './storage-error.ts'

export const sha256Of = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex')

/**
 * @returns the object that stands under the key, put now or by an earlier try
 * @throws StorageError; invalid when other bytes stand there
 */
export async function putOnce(
  store: ObjectStore,
  key: string,
  content: Uint8Array,
  options: Pick<PutOptions, 'contentType' | 'signal'>,
): Promise<StoredObject> {
  try {
    return await store.put(key, content, { ...options, ifNoneMatch: '*' })
  } catch (error) {
    if (!(error instanceof StorageError) || error.reason !== 'precondition') throw error
    const standing = await store.head(key, undefined, options)
    // Removed between the two calls: the next try finds the place empty.
    if (standing === null) throw new StorageError('retry', `${key} changed while it was put`, { cause: error })
    if (standing.sha256 === sha256Of(content)) return standing
    throw new StorageError('invalid', `${key} holds other bytes than these`, { status: error.status, cause: error })
  }
}
