/** What the producer sends: units of events, which follow from the seed alone, so that every life of it and the checker know them. */

import type { EventToSend } from '../../../client/index.ts'
import { seeded } from '../seeded.ts'

export const topic = 'communication_events'
export const producer = 'chaos-producer'
export const tenantCount = 2
const contactsPerTenant = 100
const channels = ['email', 'sms', 'in_app'] as const

/** Events of one contact that are sent together. */
export interface PlannedUnit {
  readonly tenant: number
  readonly contact: string
  /** Of its first event, among those of its contact; from 1. */
  readonly first: number
  readonly count: number
  /** One by one, or as a batch. */
  readonly isBatch: boolean
}

/** @param unitEvents the most events of one unit */
export function planOf(seed: number, events: number, unitEvents: number): readonly PlannedUnit[] {
  const draw = seeded(seed)
  const next = new Map<string, number>()
  const units: PlannedUnit[] = []
  for (let left = events; left > 0;) {
    const tenant = Math.floor(draw() * tenantCount)
    const contact = `contact-${Math.floor(draw() * contactsPerTenant)}`
    const count = Math.min(left, 1 + Math.floor(draw() * unitEvents))
    const place = placeOf(tenant, contact)
    const first = next.get(place) ?? 1
    next.set(place, first + count)
    units.push({ tenant, contact, first, count, isBatch: count > 5 })
    left -= count
  }
  return units
}

export const placeOf = (tenant: number, contact: string): string => `${tenant} ${contact}`

/** The event of this number: also its content follows from it. */
export function eventOf(seed: number, { tenant, contact }: PlannedUnit, sequence: number): EventToSend<typeof topic> {
  const mixed = Math.imul(seed ^ Math.imul(sequence, 0x9e3779b1) ^ Math.imul(tenant + 1, 0x85ebca6b), 0xc2b2ae35) >>> 0
  return {
    type: 'contact_preference_changed',
    payload: {
      contact_id: contact,
      channel: channels[mixed % channels.length]!,
      subscribed: mixed % 2 === 0,
      preference_source: `chaos ${sequence} ${mixed}`,
    },
    sequence,
  }
}

export function eventsOf(seed: number, unit: PlannedUnit): readonly EventToSend<typeof topic>[] {
  return Array.from({ length: unit.count }, (_, index) => eventOf(seed, unit, unit.first + index))
}
