/**
 * The default assignor: every partition goes to one member subscribed to its topic, evenly, and stays where it is when it can.
 *
 *   PA1  Every partition of a topic that somebody subscribes to has exactly one member, and that one subscribes to it.
 *   PA2  Among members with equal subscriptions the counts differ by at most one.
 *   PA3  Nothing moves that need not: a balanced sharing out is given again as it was; when a member comes or goes, only
 *        partitions move that balance asks for.
 *   PA4  Pure: the same members and counts give the same answer, in whatever order they come.
 *
 * Two steps. Partitions without a (single) owner go to the member with the fewest among those that may have them, scarce
 * topics first. Then single partitions move from a fuller member to one with at least two fewer, until there are none such.
 * Where subscriptions differ this is not the optimum (that takes chains of moves), but close to it.
 */

import type { AssignorMember, GroupAssignor, MemberAssignment, TopicPartition } from '../port.ts'

export const partitionAssignor: GroupAssignor = { name: 'sticky-partitions', assign: assignPartitions }

interface Share {
  readonly memberId: string
  readonly topics: ReadonlySet<string>
  readonly partitions: Map<string, TopicPartition>
}

export function assignPartitions(
  members: readonly AssignorMember[],
  partitionCounts: ReadonlyMap<string, number>,
): ReadonlyMap<string, MemberAssignment> {
  const shares = members.map(newShare).sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
  const homeless = keepOwned(shares, members, partitionCounts)
  for (const partition of homeless) lightest(shares, partition.topic)?.partitions.set(nameOf(partition), partition)
  while (levelOnce(shares)) continue
  return new Map(
    shares.map(({ memberId, partitions }) => [
      memberId,
      { partitions: [...partitions.values()].sort(byName), userData: Buffer.alloc(0) },
    ]),
  )
}

const newShare = ({ memberId, topics }: AssignorMember): Share => ({
  memberId,
  topics: new Set(topics),
  partitions: new Map(),
})

/** Gives every partition to its one owner. @returns the others, those of topics with few subscribers first */
function keepOwned(
  shares: readonly Share[],
  members: readonly AssignorMember[],
  partitionCounts: ReadonlyMap<string, number>,
): TopicPartition[] {
  const owners = ownersOf(members)
  const byId = new Map(shares.map((share) => [share.memberId, share]))
  const homeless: TopicPartition[] = []
  for (const [topic, count] of partitionCounts) {
    for (let partition = 0; partition < count; partition++) {
      const owner = byId.get(owners.get(nameOf({ topic, partition })) ?? '')
      if (owner?.topics.has(topic)) owner.partitions.set(nameOf({ topic, partition }), { topic, partition })
      else homeless.push({ topic, partition })
    }
  }
  const subscribers = (topic: string): number => shares.filter(({ topics }) => topics.has(topic)).length
  const scarcity = new Map([...partitionCounts.keys()].map((topic) => [topic, subscribers(topic)]))
  return homeless.sort((a, b) => scarcity.get(a.topic)! - scarcity.get(b.topic)! || byName(a, b))
}

/** A partition that two members say they own has no owner. */
function ownersOf(members: readonly AssignorMember[]): Map<string, string> {
  const owners = new Map<string, string>()
  for (const { memberId, owned } of members) {
    for (const partition of owned) {
      const name = nameOf(partition)
      const other = owners.get(name)
      owners.set(name, other === undefined || other === memberId ? memberId : '')
    }
  }
  return owners
}

function lightest(shares: readonly Share[], topic: string): Share | undefined {
  let found: Share | undefined
  for (const share of shares) {
    if (share.topics.has(topic) && (found === undefined || share.partitions.size < found.partitions.size)) found = share
  }
  return found
}

/** Moves one partition from the fullest member that can give one to the lightest that can take it. @returns whether one moved */
function levelOnce(shares: readonly Share[]): boolean {
  const fullestFirst = [...shares].sort((a, b) => b.partitions.size - a.partitions.size)
  for (const from of fullestFirst) {
    for (const to of fullestFirst.toReversed()) {
      if (to.partitions.size + 2 > from.partitions.size) break
      const name = [...from.partitions.keys()].findLast((key) => to.topics.has(from.partitions.get(key)!.topic))
      if (name === undefined) continue
      to.partitions.set(name, from.partitions.get(name)!)
      from.partitions.delete(name)
      return true
    }
  }
  return false
}

const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

const byName = (a: TopicPartition, b: TopicPartition): number =>
  a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1
