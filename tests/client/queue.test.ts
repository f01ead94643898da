/** The queue against a model that is only lists. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Priority } from '../../client/index.ts'
import { priorities } from '../../client/index.ts'
import { UnitQueue } from '../../client/queue.ts'
import type { NumberedEvent, Unit } from '../../client/unit.ts'

interface Given {
  readonly entities: readonly string[]
  readonly sizeBytes: number
  readonly priority: Priority
  readonly events?: number
}

const unitOf = ({ entities, sizeBytes, priority, events = 1 }: Given, deadline = 0): Unit => ({
  events: Array.from({ length: events }, () => ({}) as NumberedEvent),
  entities: [...new Set(entities)],
  sizeBytes,
  priority,
  deadline,
  settle: () => undefined,
})
const all = { bytes: 1_000, events: 1_000 }
const given = fc.record({
  entities: fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 3 }),
  sizeBytes: fc.integer({ min: 1, max: 60 }),
  priority: fc.constantFrom(...priorities),
  events: fc.integer({ min: 1, max: 3 }),
})
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('put' as const), unit: given, drops: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('take' as const),
      bytes: fc.integer({ min: 1, max: 120 }),
      alone: fc.nat(3),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('settle' as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), which: fc.nat(20) }) },
)
const capacity = 100
const rankOf = (priority: Priority): number => priorities.indexOf(priority)
const bytesOf = (units: readonly Unit[]): number => units.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
const eventsOf = (units: readonly Unit[]): number => units.reduce((sum, { events }) => sum + events.length, 0)

test('any play of puts, takes, settles and removals keeps Q1 to Q4', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 120 }), (steps) => {
      const queue = new UnitQueue(capacity)
      /** In the order of `put`. */
      let waiting: Unit[] = []
      let deliveries: Unit[][] = []
      for (const one of steps) {
        if (one.do === 'put') {
          const unit = unitOf(one.unit)
          if (!queue.fits(unit) && one.drops) {
            const lower = waiting.filter(({ priority }) => rankOf(priority) < rankOf(unit.priority))
            const victims = queue.makeRoom(unit)
            // Q3: the lowest first, of those the longest waiting; all or nothing.
            const byRank = lower.toSorted((one, other) => rankOf(one.priority) - rankOf(other.priority))
            expect(victims).toEqual(byRank.slice(0, victims.length))
            const needed = bytesOf([...waiting, ...deliveries.flat(), unit]) - capacity
            if (victims.length === 0) expect(bytesOf(lower)).toBeLessThan(needed)
            else {
              expect(bytesOf(victims.slice(0, -1))).toBeLessThan(needed)
              expect(bytesOf(victims)).toBeGreaterThanOrEqual(needed)
            }
            waiting = waiting.filter((each) => !victims.includes(each))
          }
          const isFit = bytesOf([...waiting, ...deliveries.flat(), unit]) <= capacity
          expect(queue.fits(unit)).toBe(isFit)
          if (isFit) {
            queue.put(unit)
            waiting.push(unit)
          }
        }
        if (one.do === 'take') {
          const isAlone = (unit: Unit): boolean => unit.sizeBytes % 4 < one.alone
          const taken = queue.take({ bytes: one.bytes, events: 10 }, (unit) => !isAlone(unit))
          checkTaken(taken, waiting, deliveries, one.bytes, isAlone)
          waiting = waiting.filter((unit) => !taken.includes(unit))
          if (taken.length > 0) deliveries.push([...taken])
        }
        if (one.do === 'settle' && deliveries.length > 0) {
          const [over] = deliveries.splice(one.which % deliveries.length, 1)
          for (const unit of over!) queue.settle(unit)
        }
        if (one.do === 'remove' && waiting.length > 0) {
          const unit = waiting[one.which % waiting.length]!
          expect(queue.remove(unit)).toBe(true)
          expect(queue.remove(unit)).toBe(false)
          waiting = waiting.filter((each) => each !== unit)
        }
        // Q1, Q4: the counts add up after every step.
        expect(queue.bytes).toBe(bytesOf([...waiting, ...deliveries.flat()]))
        expect(queue.bytes).toBeLessThanOrEqual(capacity)
        expect([queue.waitingEvents, queue.underWayEvents]).toEqual([eventsOf(waiting), eventsOf(deliveries.flat())])
      }
      // Q4: what is left comes out, each once.
      for (const unit of deliveries.flat()) queue.settle(unit)
      deliveries = []
      for (let taken = queue.take(all, () => true); taken.length > 0; taken = queue.take(all, () => true)) {
        checkTaken(taken, waiting, [], all.bytes, () => false)
        waiting = waiting.filter((unit) => !taken.includes(unit))
        for (const unit of taken) queue.settle(unit)
      }
      expect(waiting).toEqual([])
      expect([queue.bytes, queue.waitingEvents, queue.underWayEvents]).toEqual([0, 0, 0])
    }),
    { numRuns: 400 },
  )
})

/** Q2, and that nothing is left behind that might have gone. */
function checkTaken(
  taken: readonly Unit[],
  waiting: readonly Unit[],
  deliveries: readonly (readonly Unit[])[],
  bytes: number,
  isAlone: (unit: Unit) => boolean,
): void {
  const underWay = new Set(deliveries.flat().flatMap(({ entities }) => entities))
  const order = new Map(waiting.map((unit, index) => [unit, index]))
  for (const [place, unit] of taken.entries()) {
    const before = waiting.slice(0, order.get(unit)!)
    for (const entity of unit.entities) {
      expect(underWay.has(entity)).toBe(false)
      for (const earlier of before.filter(({ entities }) => entities.includes(entity)))
        expect(taken.slice(0, place)).toContain(earlier)
    }
  }
  if (taken.length > 1) {
    expect(bytesOf(taken)).toBeLessThanOrEqual(bytes)
    expect(taken.some(isAlone)).toBe(false)
  }
  const isFree = ({ entities }: Unit, index: number): boolean =>
    entities.every(
      (entity) => !underWay.has(entity) && !waiting.slice(0, index).some((unit) => unit.entities.includes(entity)),
    )
  if (taken.length === 0) expect(waiting.filter(isFree)).toEqual([])
}

describe('in particular', () => {
  const unit = (entity: string, priority: Priority = 'normal', sizeBytes = 10): Unit =>
    unitOf({ entities: [entity], sizeBytes, priority })

  test('units of one entity go together, in order; a second delivery waits for the first', () => {
    const queue = new UnitQueue(100)
    const [a1, a2, b1, a3] = [unit('a'), unit('a'), unit('b'), unit('a')]
    for (const each of [a1, a2, b1]) queue.put(each)
    const taken = queue.take(all, () => true)
    expect(new Set(taken)).toEqual(new Set([a1, a2, b1]))
    expect(taken.indexOf(a1)).toBeLessThan(taken.indexOf(a2))
    queue.put(a3)
    expect(queue.take(all, () => true)).toEqual([])
    queue.settle(a1)
    expect(queue.take(all, () => true)).toEqual([])
    queue.settle(a2)
    expect(queue.take(all, () => true)).toEqual([a3])
  })

  test('a delivery that is full leaves the next of its entity waiting', () => {
    const queue = new UnitQueue(100)
    const [a1, a2] = [unit('a'), unit('a')]
    queue.put(a1)
    queue.put(a2)
    expect(queue.take({ bytes: 15, events: 9 }, () => true)).toEqual([a1])
    expect(queue.take(all, () => true)).toEqual([])
    queue.settle(a1)
    expect(queue.take(all, () => true)).toEqual([a2])
  })

  test('room is made of the lowest first, of those that wait longest, and only if it is enough (Q3)', () => {
    const queue = new UnitQueue(60)
    const [high, normal, low1, low2, ...more] = (['high', 'normal', 'low', 'low', 'normal', 'low'] as const).map(
      (priority, n) => unit(`e${n}`, priority),
    )
    for (const each of [high!, normal!, low1!, low2!, ...more]) queue.put(each)
    expect(queue.makeRoom(unit('x', 'low', 10))).toEqual([])
    expect(queue.makeRoom(unit('x', 'normal', 40))).toEqual([])
    expect(queue.bytes).toBe(60)
    expect(queue.makeRoom(unit('x', 'normal', 15))).toEqual([low1, low2])
    expect(queue.makeRoom(unit('x', 'high', 40))).toEqual([more[1], normal])
    expect(queue.bytes).toBe(20)
    expect(queue.take(all, () => true)).toEqual([high, more[0]])
    // What is under way is not made room of.
    expect(queue.makeRoom(unit('x', 'high', 50))).toEqual([])
  })

  test('what is late is told in the order of deadlines', () => {
    const queue = new UnitQueue(100)
    const units = [1, 2, 3].map((deadline) => unitOf({ entities: ['a'], sizeBytes: 1, priority: 'low' }, deadline))
    for (const each of units) queue.put(each)
    expect(queue.late(2)).toEqual(units.slice(0, 2))
  })

  test('a thousand entities of twenty events each pass quickly', () => {
    const queue = new UnitQueue(10_000_000)
    for (let n = 0; n < 20_000; n++) queue.put(unit(`e${n % 1000}`))
    const begun = performance.now()
    let count = 0
    for (let taken = queue.take(all, () => true); taken.length > 0; taken = queue.take(all, () => true)) {
      count += taken.length
      for (const each of taken) queue.settle(each)
    }
    expect(count).toBe(20_000)
    expect(performance.now() - begun).toBeLessThan(5_000)
  })
})
