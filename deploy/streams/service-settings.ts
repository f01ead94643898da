/** What of the configuration the services are told. Everything else of them has the defaults of their factories. */

import { documentsDefaults } from '../../processors/index.ts'
import type { ServiceSettings } from '../../processors/index.ts'
import type { Config } from '../config.ts'

export function serviceSettings({ seller }: Pick<Config, 'seller'>): ServiceSettings {
  const { governingLaw: governing_law, jurisdiction, ...party } = seller
  const words = { ...documentsDefaults.words, seller: party, law: { governing_law, jurisdiction } }
  return { documents: { ...documentsDefaults, words } }
}
