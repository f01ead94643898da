import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ClientError } from '../../client/index.ts'
import { ownCountFrom } from '../../client/judge.ts'
import { Numbering } from '../../client/numbering.ts'

test('of one entity sequences grow, whoever counts; nothing durable is counted a second time by the client', () => {
  const step = fc.record({
    entity: fc.constantFrom('a', 'b'),
    given: fc.option(fc.integer({ min: 1, max: 20 })),
    fails: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step), fc.integer({ min: 1, max: 20 }), fc.boolean(), (steps, committed, isKnown) => {
      let now = 1_767_225_600_000
      const numbering = new Numbering(
        () => (isKnown ? committed : null),
        () => (now += 1),
      )
      const last = new Map<string, number>()
      for (const { entity, given, fails } of steps) {
        const before = last.get(entity) ?? 0
        let sequence: number
        try {
          sequence = numbering.number(entity, given)
        } catch (error) {
          expect(error).toBeInstanceOf(ClientError)
          expect(before >= ownCountFrom || given! <= before).toBe(true)
          continue
        }
        expect(sequence).toBeGreaterThan(before)
        if (given !== null) expect(sequence).toBe(given)
        else if (isKnown) expect(sequence).toBeGreaterThan(committed)
        if (fails) {
          numbering.takeBack(entity, sequence)
          last.set(entity, sequence < ownCountFrom ? sequence - 1 : sequence)
        } else last.set(entity, sequence)
      }
    }),
  )
})

test('a failed event may be sent again under its number until a later one was', () => {
  const numbering = new Numbering(
    () => null,
    () => 0,
  )
  expect([numbering.number('a', 5), numbering.number('a', 6)]).toEqual([5, 6])
  numbering.takeBack('a', 5)
  expect(() => numbering.number('a', 5)).toThrow('sequence: 5 is given after 6')
  numbering.takeBack('a', 6)
  expect(numbering.number('a', 6)).toBe(6)
})

test('who always sends again in order what failed gets all of it through, and nothing passes it (CL5)', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ sends: fc.nat(4), fails: fc.boolean(), pick: fc.nat(9) })), (steps) => {
      const numbering = new Numbering(
        () => null,
        () => 0,
      )
      let [next, written] = [1, 0]
      let [waiting, underWay, failed]: [number[], number[], number[]] = [[], [], []]
      const send = (sequence: number): void => {
        try {
          numbering.number('a', sequence)
          underWay.push(sequence)
          failed = failed.filter((each) => each !== sequence)
        } catch (error) {
          expect((error as ClientError).code).toBe('EARLIER_FAILED')
          expect(Math.min(...failed)).toBeLessThan(sequence)
          numbering.owe('a', sequence)
          if (!failed.includes(sequence)) failed.push(sequence)
        }
      }
      for (const { sends, fails, pick } of steps) {
        for (let count = 0; count < sends; count++) send(next++)
        // Out of turn, and then in turn.
        if (failed.length > 0) send(failed[pick % failed.length]!)
        waiting = failed.toSorted((one, other) => one - other)
        for (const sequence of waiting) send(sequence)
        if (fails) {
          for (const sequence of underWay) {
            numbering.rewind('a', sequence)
            numbering.owe('a', sequence)
          }
          failed.push(...underWay)
        } else
          for (const sequence of underWay) {
            expect(sequence).toBe(written + 1)
            written = sequence
            numbering.forgive('a', sequence)
          }
        underWay = []
      }
    }),
  )
})

test("the client's count of one life is above that of an earlier one, and is not mixed with the sender's", () => {
  const at = (now: number): Numbering =>
    new Numbering(
      () => null,
      () => now,
    )
  const first = at(1_767_225_600_000)
  const counted = [first.number('a', null), first.number('a', null)]
  expect(counted[1]).toBe(counted[0]! + 1)
  expect(at(1_767_225_600_001).number('a', null)).toBeGreaterThan(counted[1]!)
  expect(() => first.number('a', 7)).toThrow('the client counts this entity')
})
