/** The pages of demos, out of the object store. */

import type { DemoPageSettings, Ingest, Mount } from '../api/index.ts'
import { demoPageDefaults, demoPages } from '../api/index.ts'
import { shareLinks } from '../connectors/keys/index.ts'
import { expiredPage, missingPage, policyOf } from '../connectors/rendering/index.ts'
import type { ObjectStore } from '../connectors/storage/index.ts'
import type { Json } from '../schemas/index.ts'
import type { Config } from './config.ts'
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
    settings: settingsOf(foundation.config),
  })
}

/** Where a month passes in minutes its visitors do too, all from this machine; and who has no limit of addresses has none here. */
function settingsOf({ clock, http }: Config): DemoPageSettings {
  const isWarped = clock === 'warp'
  const unlimited = { beaconsPerAddress: 0, questionsPerAddress: 0 }
  return {
    ...demoPageDefaults,
    ...(isWarped || http.rateLimitPerMinute === 0 ? unlimited : {}),
    ...(isWarped ? { questionsPerDemo: 0 } : {}),
  }
}

/** Of the very version that was published: a page does not change under its readers. */
async function readRef(objects: ObjectStore, ref: Json): Promise<Buffer | null> {
  const { bucket, key, version_id } = ref as { readonly [name: string]: Json }
  if (bucket !== objects.bucket || typeof key !== 'string' || typeof version_id !== 'string') return null
  return (await objects.get(key, version_id))?.content ?? null
}
