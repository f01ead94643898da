/** The default assignor, by properties (PA1-PA4). */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assignPartitions } from '../../../../connectors/kafka/client/partition-assignor.ts'
import type { AssignorMember, TopicPartition } from '../../../../connectors/kafka/index.ts'

const TOPICS = ['a', 'b', 'c'] as const

const member = (
  memberId: string,
  topics: readonly string[],
  owned: readonly TopicPartition[] = [],
): AssignorMember => ({
  memberId,
  instanceId: null,
  topics,
  owned,
  userData: Buffer.alloc(0),
})

const aCluster = fc
  .array(fc.integer({ min: 0, max: 9 }), { minLength: TOPICS.length, maxLength: TOPICS.length })
  .map((counts) => new Map(TOPICS.map((topic, i) => [topic as string, counts[i]!])))

const someOwned = fc.array(
  fc.record({ topic: fc.constantFrom(...TOPICS, 'gone'), partition: fc.integer({ min: 0, max: 11 }) }),
  { maxLength: 12 },
)

const anyMembers = fc
  .array(fc.tuple(fc.subarray([...TOPICS], { minLength: 1 }), someOwned), { minLength: 1, maxLength: 6 })
  .map((parts) => parts.map(([topics, owned], i) => member(`m${i}`, topics, owned)))

const equalMembers = fc
  .integer({ min: 1, max: 7 })
  .map((n) => Array.from({ length: n }, (_, i) => member(`m${i}`, TOPICS)))

const name = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

/** Partition to member. */
function placesOf(members: readonly AssignorMember[], counts: ReadonlyMap<string, number>): Map<string, string> {
  const assigned = assignPartitions(members, counts)
  const all = [...assigned].flatMap(([id, { partitions }]) => partitions.map((p) => [name(p), id] as const))
  expect(new Set(all.map(([p]) => p)).size).toBe(all.length)
  return new Map(all)
}

const total = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((a, b) => a + b, 0)

/** The same members, owning what they were given. */
function settled(members: readonly AssignorMember[], counts: ReadonlyMap<string, number>): AssignorMember[] {
  const assigned = assignPartitions(members, counts)
  return members.map((one) => ({ ...one, owned: assigned.get(one.memberId)!.partitions }))
}

const moved = (before: Map<string, string>, after: Map<string, string>): number =>
  [...before].filter(([partition, id]) => after.get(partition) !== id).length

test('PA1: every partition has exactly one member, subscribed to it', () => {
  fc.assert(
    fc.property(anyMembers, aCluster, (members, counts) => {
      const places = placesOf(members, counts)
      for (const [topic, count] of counts) {
        const readers = members.filter(({ topics }) => topics.includes(topic)).map(({ memberId }) => memberId)
        for (let partition = 0; partition < count; partition++) {
          const place = places.get(name({ topic, partition }))
          if (readers.length === 0) expect(place).toBeUndefined()
          else expect(readers).toContain(place)
        }
      }
      expect(places.size).toBeLessThanOrEqual(total(counts))
    }),
  )
})

test('PA2: among equal subscriptions the counts differ by one at the most', () => {
  fc.assert(
    fc.property(anyMembers, aCluster, (members, counts) => {
      const assigned = assignPartitions(members, counts)
      for (const alike of Map.groupBy(members, ({ topics }) => topics.join()).values()) {
        const sizes = alike.map(({ memberId }) => assigned.get(memberId)!.partitions.length)
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
      }
    }),
  )
})

test('PA3: what is balanced stays as it is', () => {
  fc.assert(
    fc.property(anyMembers, aCluster, (members, counts) => {
      const before = settled(members, counts)
      expect(moved(placesOf(members, counts), placesOf(before, counts))).toBe(0)
    }),
  )
})

test('PA3: for one that joins only its share moves, and only to it', () => {
  fc.assert(
    fc.property(equalMembers, aCluster, (members, counts) => {
      const before = settled(members, counts)
      const after = placesOf([...before, member('new', TOPICS)], counts)
      const changes = moved(placesOf(before, counts), after)
      const its = [...after.values()].filter((id) => id === 'new').length
      expect(its).toBe(Math.floor(total(counts) / (members.length + 1)))
      expect(changes).toBe(its)
    }),
  )
})

test('PA3: when one leaves only what it had moves', () => {
  fc.assert(
    fc.property(equalMembers, aCluster, fc.nat(), (members, counts, which) => {
      fc.pre(members.length > 1)
      const before = settled(members, counts)
      const gone = before[which % before.length]!
      const rest = before.filter((one) => one !== gone)
      expect(moved(placesOf(before, counts), placesOf(rest, counts))).toBe(gone.owned.length)
    }),
  )
})

test('PA3: a partition that two claim is nobody’s, and one outside of the topics is forgotten', () => {
  const counts = new Map([['a', 2]])
  const both = [{ topic: 'a', partition: 0 }]
  const places = placesOf(
    [member('x', ['a'], both), member('y', ['a'], [...both, { topic: 'a', partition: 7 }])],
    counts,
  )
  expect(places).toEqual(
    new Map([
      ['a/0', 'x'],
      ['a/1', 'y'],
    ]),
  )
})

test('PA4: the order of the members does not matter', () => {
  fc.assert(
    fc.property(anyMembers, aCluster, (members, counts) => {
      expect(placesOf(members.toReversed(), counts)).toEqual(placesOf(members, counts))
    }),
  )
})
