/** The pages of demos, out of the object store. */

import type { Ingest, Mount } from '../api/index.ts'
import { demoPageDefaults, demoPages } from '../api/index.ts'
import { shareLinks } from '../connectors/keys/index.ts'
import { expiredPage, missingPage, policyOf } from '../connectors/rendering/index.ts'
import type { ObjectStore } from '../connectors/storage/index.ts'
import type { Json } from '../schemas/index.ts'
import { machineClock, machineRandom } from './machine.ts'
import type { Running } from './running.ts'

export function demoPagesOf({ foundation, providers }: Running, ingest: Ingest): Mount {
  const sellerName = foundation.config.providers.sendgrid.from.name
  return demoPages({
    pool: foundation.pools.api,
    ingest,
    links: shareLinks(foundation.secrets.code),
    read: (ref) => readRef(providers.objects, ref),
    policyOf,
    pages: { missing: missingPage(sellerName), expired: expiredPage(sellerName) },
    time: () => foundation.time.now(),
    clock: machineClock,
    random: machineRandom,
    settings: demoPageDefaults,
  })
}

/** Of the very version that was published: a page does not change under its readers. */
async function readRef(objects: ObjectStore, ref: Json): Promise<Buffer | null> {
  const { bucket, key, version_id } = ref as { readonly [name: string]: Json }
  if (bucket !== objects.bucket || typeof key !== 'string' || typeof version_id !== 'string') return null
  return (await objects.get(key, version_id))?.content ?? null
}
