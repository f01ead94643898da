/**
 * Which changelog a store's position counts in, and when the position was known to be its end: written beside it in the
 * same batch. A position alone says neither, and a directory may come from another log or from another time (S9).
 */

import { StateError } from '../contract.ts'
import type { Row, StateDatabase, StoreName } from '../contract.ts'

export interface ChangelogOrigin {
  /** Identity of cluster and topic, as the engine spells it. */
  readonly changelog: string
  /** Wall clock in ms: what was committed until then stands below the position, or can still be read above it. */
  readonly asOf: number
}

/** No store has this name: it is not one that a topic could have. */
const ORIGINS = '#origins'

/** @throws StateError STATE_CORRUPT when it cannot be read as one */
export function readOrigin(database: StateDatabase, store: StoreName): ChangelogOrigin | null {
  const bytes = database.get(ORIGINS, Buffer.from(store))
  if (bytes === undefined) return null
  try {
    const { changelog, asOf } = JSON.parse(bytes.toString('utf8')) as Partial<ChangelogOrigin>
    if (typeof changelog === 'string' && typeof asOf === 'number') return { changelog, asOf }
  } catch {
    // Not JSON: told below.
  }
  throw new StateError('STATE_CORRUPT', `the origin of store ${store} cannot be read`, 'restore')
}

export const originRow = (store: StoreName, origin: ChangelogOrigin): Row => ({
  store: ORIGINS,
  key: Buffer.from(store),
  value: Buffer.from(JSON.stringify({ changelog: origin.changelog, asOf: origin.asOf })),
})
