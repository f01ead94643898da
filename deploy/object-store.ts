/** Where documents and demos stand: a bucket when one is configured, else files in DATA_DIR. */

import { join } from 'node:path'
import type { ObjectStore } from '../connectors/storage/index.ts'
import { StorageError, diskStore, s3Store } from '../connectors/storage/index.ts'
import type { Config } from './config.ts'
import { roles as allRoles } from './configuration/variables.ts'
import { machineClock } from './machine.ts'

/** The bucket's name in references to objects that stand in files. */
const diskBucket = 'objects'

/** Asks nothing yet. */
export function openObjectStore({ s3, dataDir }: Pick<Config, 's3' | 'dataDir'>): ObjectStore {
  if (s3 === null) return diskStore({ root: join(dataDir, 'objects'), bucket: diskBucket, clock: machineClock })
  const { endpointUrl, ...rest } = s3
  return s3Store({ ...rest, endpoint: endpointUrl })
}

/**
 * A store that is away may come back, and only rendering waits for it; one that refuses us is a mistake of the
 * configuration. @throws Error with one line
 */
export async function readyOrLater(store: ObjectStore): Promise<void> {
  try {
    await store.ready()
  } catch (error) {
    if (error instanceof StorageError && error.reason === 'retry') return
    throw new Error(`the object store cannot be used: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}

/**
 * For the operator, where another process may be meant to read what this one writes: production refuses that already.
 * Null when there is nothing to say.
 */
export function objectStoreNotice({ s3, kafka, roles, services }: Pick<Config, 's3' | 'kafka' | 'roles' | 'services'>) {
  const isPart = kafka !== null || roles.length < allRoles.length || services !== 'all'
  return s3 === null && isPart
    ? 'S3_BUCKET: is not given: documents and demos stand in files of this DATA_DIR, and no other process sees them'
    : null
}
