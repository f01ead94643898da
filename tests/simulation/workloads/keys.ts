/** Keys and ids of generated records: two tenants, few keys, so that keys meet again. */

import type { FeedRecord, Pick } from '../program.ts'

const tenants = ['acme', 'globex'] as const

export const keyOf = (pick: Pick, keys: number): string => `${pick.of(tenants)}/${pick.below(keys)}`

/** Event time: the generator's now, with a little of what clocks of senders do. */
export const eventTime = (pick: Pick, nowMs: number): number => nowMs - (pick.chance(0.1) ? pick.below(400) : 0)

/** Numbers records of a seed: `e1`, `e2`, … */
export class Ids {
  #last = 0

  next(prefix = 'e'): string {
    return `${prefix}${++this.#last}`
  }

  record(topic: string, key: string, timestamp: number, more = ''): FeedRecord {
    const id = this.next()
    return { id, topic, key, value: more === '' ? id : `${id}|${more}`, timestamp }
  }
}
