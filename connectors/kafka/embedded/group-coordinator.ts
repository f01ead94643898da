/**
 * Who may commit for a group. For now a group has at most one member, which holds every partition of its topics; a member that
 * joins takes over from the one before. Generations, member ids and their checks are Kafka's, so that groups of many members
 * change only how partitions are shared out.
 */

import { LogError } from '../port.ts'
import type {
  GroupDescription,
  GroupMetadata,
  GroupOptions,
  GroupSession,
  RebalanceListener,
  TopicPartition,
} from '../port.ts'
import type { Random } from '../clock.ts'

interface Member {
  readonly memberId: string
  readonly instanceId: string | null
  readonly assigned: readonly TopicPartition[]
  readonly listener: RebalanceListener
  /** The listener's calls, one at a time. */
  calls: Promise<void>
}

interface Group {
  generation: number
  member: Member | null
}

export class GroupCoordinator {
  readonly #groups = new Map<string, Group>()
  readonly #random: Random
  readonly #notice: (line: string) => void
  readonly #partitionsOf: (topic: string) => readonly TopicPartition[]

  constructor(
    random: Random,
    notice: (line: string) => void,
    partitionsOf: (topic: string) => readonly TopicPartition[],
  ) {
    this.#random = random
    this.#notice = notice
    this.#partitionsOf = partitionsOf
  }

  join({ groupId, topics, instanceId, listener }: GroupOptions): GroupSession {
    const group = this.#group(groupId)
    if (group.member !== null) this.#call(groupId, group.member, (superseded) => superseded.lost())
    group.generation++
    const member: Member = {
      memberId: `${instanceId ?? groupId}-${this.#random.bytes(16).toString('hex')}`,
      instanceId,
      assigned: topics.flatMap((topic) => this.#partitionsOf(topic)),
      listener,
      calls: Promise.resolve(),
    }
    group.member = member
    // The caller holds its session before the listener hears of partitions.
    setImmediate(() => {
      if (group.member === member)
        this.#call(groupId, member, (joined) => joined.assigned(member.assigned, Buffer.alloc(0)))
    })
    const metadata = { groupId, generationId: group.generation, memberId: member.memberId, groupInstanceId: instanceId }
    return {
      metadata: () => metadata,
      polled: () => undefined,
      rejoin: () => undefined,
      leave: async () => {
        if (group.member === member) group.member = null
        await member.calls
      },
    }
  }

  /**
   * What TxnOffsetCommit checks: member and generation, never ownership.
   * @throws LogError ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID
   */
  check({ groupId, generationId, memberId, groupInstanceId }: GroupMetadata): void {
    const group = this.#groups.get(groupId)
    const outsider = generationId < 0 && memberId === ''
    if (outsider && (group === undefined || group.member === null)) return
    if (group !== undefined && !outsider && generationId !== group.generation) {
      throw new LogError(
        'ILLEGAL_GENERATION',
        `group ${groupId}: generation ${generationId} is not ${group.generation}`,
        'stop',
      )
    }
    if (group === undefined || group.member?.memberId !== memberId) {
      throw new LogError('UNKNOWN_MEMBER_ID', `group ${groupId} has no member '${memberId}'`, 'stop')
    }
    if (groupInstanceId !== null && groupInstanceId !== group.member.instanceId) {
      throw new LogError(
        'FENCED_INSTANCE_ID',
        `group ${groupId}: instance ${groupInstanceId} is another member`,
        'stop',
      )
    }
  }

  /** Those asked for, or all that have had a member; a group only known by its offsets is `Empty`. */
  describe(groupIds: readonly string[] | undefined, withOffsets: readonly string[]): readonly GroupDescription[] {
    const known = new Set([...this.#groups.keys(), ...withOffsets])
    return (groupIds ?? [...known].sort()).map((groupId): GroupDescription => {
      const member = this.#groups.get(groupId)?.member ?? null
      if (member === null) return { groupId, state: known.has(groupId) ? 'Empty' : 'Dead', members: [] }
      const { memberId, instanceId, assigned } = member
      return { groupId, state: 'Stable', members: [{ memberId, instanceId, assigned }] }
    })
  }

  #group(groupId: string): Group {
    let group = this.#groups.get(groupId)
    if (group === undefined) this.#groups.set(groupId, (group = { generation: 0, member: null }))
    return group
  }

  #call(groupId: string, member: Member, call: (listener: RebalanceListener) => Promise<void>): void {
    member.calls = member.calls
      .then(() => call(member.listener))
      .catch((error: unknown) => this.#notice(`group ${groupId}: a rebalance listener failed: ${String(error)}`))
  }
}
