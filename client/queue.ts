/**
 * What waits to be sent and what is under way, bounded in bytes. Pure: no clock, no promise.
 *
 *   Q1  Bytes held (waiting and under way) never exceed the capacity.
 *   Q2  Units of one entity are taken in the order they were put in, and none while an earlier one is under way in another
 *       delivery: whatever is tried again, order stays.
 *   Q3  Room is made only out of what waits, and only of lower priority: the lowest first, of those the one that waits
 *       longest; and only if that makes enough.
 *   Q4  A unit leaves once: taken and then settled, or removed.
 */

import { strict as assert } from 'node:assert'
import type { DeliveryLimits } from './transport.ts'
import type { Priority } from './event.ts'
import { priorities } from './event.ts'
import type { Unit } from './unit.ts'

interface Lane {
  /** In order. */
  readonly waiting: Set<Unit>
  /** Units under way; all of one delivery. */
  underWay: number
}

export class UnitQueue {
  readonly #capacityBytes: number
  readonly #lanes = new Map<string, Lane>()
  /** Those that are first of each of their entities, none of which is under way. */
  readonly #ready = new Set<Unit>()
  /** In how many of its lanes a waiting unit is not the next. */
  readonly #blocked = new Map<Unit, number>()
  readonly #waiting: Readonly<Record<Priority, Set<Unit>>> = { low: new Set(), normal: new Set(), high: new Set() }
  #bytes = 0
  #waitingEvents = 0
  #underWayEvents = 0

  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  get waitingEvents(): number {
    return this.#waitingEvents
  }

  get underWayEvents(): number {
    return this.#underWayEvents
  }

  /** Of one entity, in order. */
  waitingOf(entity: string): Iterable<Unit> {
    return this.#lanes.get(entity)?.waiting ?? []
  }

  fits({ sizeBytes }: Pick<Unit, 'sizeBytes'>): boolean {
    return this.#bytes + sizeBytes <= this.#capacityBytes
  }

  put(unit: Unit): void {
    assert(this.fits(unit), 'Q1: a unit is put in where it fits')
    this.#bytes += unit.sizeBytes
    this.#waitingEvents += unit.events.length
    this.#waiting[unit.priority].add(unit)
    let blocked = 0
    for (const entity of unit.entities) {
      const lane = this.#laneOf(entity)
      if (lane.underWay > 0 || lane.waiting.size > 0) blocked += 1
      lane.waiting.add(unit)
    }
    this.#blocked.set(unit, blocked)
    if (blocked === 0) this.#ready.add(unit)
  }

  /** Takes out what must give way to this unit; nothing when that is not enough (Q3). */
  makeRoom(unit: Pick<Unit, 'sizeBytes' | 'priority'>): readonly Unit[] {
    let wanted = this.#bytes + unit.sizeBytes - this.#capacityBytes
    const victims: Unit[] = []
    for (const priority of priorities.slice(0, priorities.indexOf(unit.priority)))
      for (const victim of this.#waiting[priority]) {
        if (wanted <= 0) break
        victims.push(victim)
        wanted -= victim.sizeBytes
      }
    if (wanted > 0) return []
    for (const victim of victims) this.remove(victim)
    return victims
  }

  /** Takes a waiting unit out. @returns false when it does not wait */
  remove(unit: Unit): boolean {
    if (!this.#blocked.has(unit)) return false
    this.#leaveLanes(unit, (lane) => lane.underWay === 0)
    this.#bytes -= unit.sizeBytes
    return true
  }

  /**
   * The next delivery, which is under way from now on: units that may go, in order; none when none may.
   * @param isShared whether a unit may go with others
   */
  take(limits: DeliveryLimits, isShared: (unit: Unit) => boolean): readonly Unit[] {
    const taken: Unit[] = []
    let [bytes, events] = [0, 0]
    // What becomes ready by being next behind a taken unit joins the end of the set while it is walked.
    for (const unit of this.#ready) {
      const shared = isShared(unit)
      if (taken.length > 0 && !shared) continue
      const isTooMuch = bytes + unit.sizeBytes > limits.bytes || events + unit.events.length > limits.events
      if (taken.length > 0 && isTooMuch) break
      taken.push(unit)
      bytes += unit.sizeBytes
      events += unit.events.length
      this.#leaveLanes(unit, () => true)
      for (const entity of unit.entities) this.#laneOf(entity).underWay += 1
      if (!shared) break
    }
    this.#holdBack(taken)
    this.#underWayEvents += events
    return taken
  }

  /** A unit that was taken is over. */
  settle(unit: Unit): void {
    this.#bytes -= unit.sizeBytes
    this.#underWayEvents -= unit.events.length
    for (const entity of unit.entities) {
      const lane = this.#laneOf(entity)
      lane.underWay -= 1
      if (lane.underWay === 0) this.#unblockFirst(lane)
      this.#forget(entity, lane)
    }
  }

  /** Those that wait and whose deadline is not after `now`, in ms. Deadlines are expected to grow with the order of `put`. */
  late(now: number): readonly Unit[] {
    const late: Unit[] = []
    for (const priority of priorities)
      for (const unit of this.#waiting[priority]) {
        if (unit.deadline > now) break
        late.push(unit)
      }
    return late
  }

  /** @param unblocks whether the next unit of a lane moves up */
  #leaveLanes(unit: Unit, unblocks: (lane: Lane) => boolean): void {
    this.#ready.delete(unit)
    this.#blocked.delete(unit)
    this.#waitingEvents -= unit.events.length
    this.#waiting[unit.priority].delete(unit)
    for (const entity of unit.entities) {
      const lane = this.#laneOf(entity)
      const wasFirst = firstOf(lane) === unit
      lane.waiting.delete(unit)
      if (wasFirst && unblocks(lane)) this.#unblockFirst(lane)
      this.#forget(entity, lane)
    }
  }

  /** What moved up behind a taken unit and was not taken waits for its delivery to end (Q2). */
  #holdBack(taken: readonly Unit[]): void {
    for (const entity of new Set(taken.flatMap(({ entities }) => entities))) {
      const first = firstOf(this.#laneOf(entity))
      if (first === undefined) continue
      this.#blocked.set(first, this.#blocked.get(first)! + 1)
      this.#ready.delete(first)
    }
  }

  #unblockFirst(lane: Lane): void {
    const first = firstOf(lane)
    if (first === undefined) return
    const blocked = this.#blocked.get(first)! - 1
    this.#blocked.set(first, blocked)
    if (blocked === 0) this.#ready.add(first)
  }

  #laneOf(entity: string): Lane {
    let lane = this.#lanes.get(entity)
    if (lane === undefined) this.#lanes.set(entity, (lane = { waiting: new Set(), underWay: 0 }))
    return lane
  }

  #forget(entity: string, lane: Lane): void {
    if (lane.underWay === 0 && lane.waiting.size === 0) this.#lanes.delete(entity)
  }
}

const firstOf = ({ waiting }: Lane): Unit | undefined => waiting.values().next().value
