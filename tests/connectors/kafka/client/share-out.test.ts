/** What the leader gives out: nothing that another member says it holds (SO1), and to whom it read (SO2). */

import { describe, expect, test } from 'vitest'
import { assignPartitions } from '../../../../connectors/kafka/client/partition-assignor.ts'
import { decodeShare, encodeClaim, nameOf, shareOut } from '../../../../connectors/kafka/client/share-out.ts'
import type { GroupAssignor } from '../../../../connectors/kafka/index.ts'

interface Claim {
  readonly owned: readonly number[]
  readonly generationId?: number
  readonly attempt?: number
}

const assignor: GroupAssignor = { name: 'balanced', assign: assignPartitions }

/** What each member is given of a topic with four partitions. */
function given(claims: Readonly<Record<string, Claim>>, by = assignor) {
  const members = Object.entries(claims).map(([memberId, { owned, generationId = 7, attempt = 1 }]) => {
    const partitions = owned.map((partition) => ({ topic: 't', partition }))
    const subscription = { topics: ['t'], owned: partitions, generationId, userData: Buffer.from(memberId) }
    return { memberId, instanceId: null, metadata: encodeClaim(subscription, attempt) }
  })
  const joined = {
    generationId: 8,
    protocolName: by.name,
    leaderId: 'a',
    memberId: 'a',
    members,
    skipAssignment: false,
  }
  const shares = shareOut(joined, by, new Map([['t', 4]]))
  return Object.fromEntries(shares.map(({ memberId, assignment }) => [memberId, decodeShare(assignment)]))
}

const names = (share: ReturnType<typeof decodeShare> | undefined): readonly string[] | undefined =>
  share?.partitions.map(nameOf).sort()

/** Gives everything to one member, whatever the others hold. */
const allTo = (favourite: string): GroupAssignor => ({
  name: 'greedy',
  assign: (members) =>
    new Map(
      members.map(({ memberId }) => [
        memberId,
        {
          partitions: memberId === favourite ? [0, 1, 2, 3].map((partition) => ({ topic: 't', partition })) : [],
          userData: Buffer.alloc(0),
        },
      ]),
    ),
})

describe('what is given', () => {
  test('is not what another member holds: that waits until it was given up (SO1)', () => {
    const shares = given({ a: { owned: [0, 1, 2, 3] }, b: { owned: [] } })
    expect(names(shares['a'])).toHaveLength(2)
    expect(names(shares['b'])).toEqual([])
    expect(names(given({ a: { owned: [0, 1] }, b: { owned: [] } }, allTo('b'))['b'])).toEqual(['t/2', 't/3'])
  })

  test('belongs to the claim of the latest generation (SO1)', () => {
    const claims = { a: { owned: [0, 1], generationId: 6 }, b: { owned: [0, 1], generationId: 7 } }
    expect(names(given(claims, allTo('b'))['b'])).toEqual(['t/0', 't/1', 't/2', 't/3'])
    expect(names(given(claims, allTo('a'))['a'])).toEqual(['t/2', 't/3'])
  })

  test('is nobody’s while two claim it in one generation (SO1)', () => {
    const claims = { a: { owned: [0] }, b: { owned: [0] } }
    for (const favourite of ['a', 'b'])
      expect(names(given(claims, allTo(favourite))[favourite])).toEqual(['t/1', 't/2', 't/3'])
  })

  test('names the attempt of each member that was read (SO2)', () => {
    const shares = given({ a: { owned: [], attempt: 3 }, b: { owned: [], attempt: 9 } })
    expect([shares['a']?.attempt, shares['b']?.attempt]).toEqual([3, 9])
  })
})
