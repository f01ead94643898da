/** Groups (the classic protocol) and their offsets, asked of their coordinators. */

import {
  describeGroupsV5,
  heartbeatV4,
  joinGroupV9,
  leaveGroupV5,
  listGroupsV5,
  offsetCommitV9,
  offsetFetchV9,
  syncGroupV4,
} from '@platformatic/kafka'
import type { API } from '@platformatic/kafka'
import type {
  JoinGroupRequest,
  JoinGroupResponse,
  LeaveGroupRequest,
  MemberIdRequired,
  MemberRequest,
  OffsetCommitRequest,
  OffsetFetchRequest,
  SyncGroupRequest,
} from '../broker.ts'
import { decodeAssignment } from '../client/consumer-protocol.ts'
import { LogError } from '../port.ts'
import type { GroupDescription, OffsetAndMetadata, TopicPartition } from '../port.ts'
import { byTopic } from './by-topic.ts'
import type { Cluster } from './cluster.ts'
import type { Connections } from './connections.ts'
import { nameOf, Unsent } from './connections.ts'
import type { Coordinated, Coordinators } from './coordinators.ts'
import { check, codeOf } from './errors.ts'

export interface GroupRequestsOptions {
  readonly cluster: Cluster
  readonly connections: Connections
  readonly coordinators: Coordinators
  readonly timeoutMs: number
}

const anyLeaderEpoch = -1
const noMemberEpoch = -1
const consumerProtocol = 'consumer'

export class GroupRequests {
  readonly #options: GroupRequestsOptions

  constructor(options: GroupRequestsOptions) {
    this.#options = options
  }

  async joinGroup(request: JoinGroupRequest): Promise<JoinGroupResponse | MemberIdRequired> {
    const { groupId, memberId, instanceId, sessionTimeoutMs, rebalanceTimeoutMs, protocolType, protocols } = request
    const answer = await this.#waiting(
      groupId,
      Math.max(sessionTimeoutMs, rebalanceTimeoutMs),
      joinGroupV9.api,
      groupId,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      memberId,
      instanceId,
      protocolType,
      [...protocols],
      null,
    )
    if (answer.errorCode !== 0 && codeOf(answer.errorCode) === 'MEMBER_ID_REQUIRED')
      return { memberId: answer.memberId }
    this.#check(groupId, answer.errorCode, 'JoinGroup')
    return {
      generationId: answer.generationId,
      protocolName: answer.protocolName ?? '',
      leaderId: answer.leader,
      memberId: answer.memberId,
      members: answer.members.map((one) => ({
        memberId: one.memberId,
        instanceId: one.groupInstanceId ?? null,
        metadata: one.metadata,
      })),
      skipAssignment: answer.skipAssignment,
    }
  }

  /** Version 4: it does not repeat the protocol that the join was answered with. */
  async syncGroup(request: SyncGroupRequest): Promise<Buffer> {
    const { groupId, generationId, memberId, instanceId, assignments } = request
    const shared = [...assignments]
    const { api } = syncGroupV4
    const member = [groupId, generationId, memberId, instanceId] as const
    const answer = await this.#waiting(groupId, 0, api, ...member, null, null, shared)
    this.#check(groupId, answer.errorCode, 'SyncGroup')
    return answer.assignment
  }

  async heartbeat({ groupId, generationId, memberId, instanceId }: MemberRequest): Promise<void> {
    const answer = await this.#ask(groupId, heartbeatV4.api, groupId, generationId, memberId, instanceId)
    this.#check(groupId, answer.errorCode, 'Heartbeat')
  }

  async leaveGroup({ groupId, memberId, instanceId }: LeaveGroupRequest): Promise<void> {
    const members = [{ memberId, groupInstanceId: instanceId, reason: null }]
    const answer = await this.#ask(groupId, leaveGroupV5.api, groupId, members)
    this.#check(groupId, answer.errorCode, 'LeaveGroup')
    for (const { errorCode } of answer.members) this.#check(groupId, errorCode, 'LeaveGroup')
  }

  async offsetCommit({ group, offsets }: OffsetCommitRequest): Promise<void> {
    const { groupId, generationId, memberId, groupInstanceId } = group
    const topics = byTopic(offsets).map(([name, of]) => ({
      name,
      partitions: of.map(({ partition, offset, metadata }) => ({
        partitionIndex: partition,
        committedOffset: offset,
        committedLeaderEpoch: anyLeaderEpoch,
        committedMetadata: metadata,
      })),
    }))
    const { api } = offsetCommitV9
    const answer = await this.#ask(groupId, api, groupId, generationId, memberId, groupInstanceId, topics)
    for (const { name, partitions } of answer.topics)
      for (const { errorCode, partitionIndex } of partitions)
        this.#check(groupId, errorCode, `OffsetCommit of ${name}-${partitionIndex}`)
  }

  async offsetFetch(request: OffsetFetchRequest): Promise<readonly (OffsetAndMetadata | null)[]> {
    const { groupId, partitions, requireStable } = request
    const topics = byTopic(partitions).map(([name, of]) => ({
      name,
      partitionIndexes: of.map(({ partition }) => partition),
    }))
    const asked = [{ groupId, memberId: null, memberEpoch: noMemberEpoch, topics }]
    const answer = await this.#ask(groupId, offsetFetchV9.api, asked, requireStable)
    const found = new Map<string, OffsetAndMetadata>()
    for (const group of answer.groups) {
      this.#check(groupId, group.errorCode, 'OffsetFetch')
      for (const { name: topic, partitions: of } of group.topics)
        for (const { partitionIndex: partition, committedOffset: offset, metadata, errorCode } of of) {
          this.#check(groupId, errorCode, 'OffsetFetch')
          if (offset >= 0n) found.set(`${topic}-${partition}`, { topic, partition, offset, metadata: metadata ?? '' })
        }
    }
    return partitions.map(({ topic, partition }) => found.get(`${topic}-${partition}`) ?? null)
  }

  async describeGroups(groupIds?: readonly string[]): Promise<readonly GroupDescription[]> {
    const ids = groupIds ?? (await this.#allGroups())
    const { coordinators } = this.#options
    const places = await Promise.all(ids.map(async (id) => [await coordinators.find(group(id)), id] as const))
    const byNode = Map.groupBy(places, ([node]) => nameOf(node))
    const described = await Promise.all([...byNode.values()].map((of) => this.#describe(of.map(([, id]) => id))))
    const found = new Map(described.flat().map((one) => [one.groupId, one]))
    return ids.map((groupId) => found.get(groupId) ?? { groupId, state: 'Dead', members: [] })
  }

  /** @param ids of groups with one coordinator */
  async #describe(ids: readonly string[]): Promise<readonly GroupDescription[]> {
    const answer = await this.#ask(ids[0]!, describeGroupsV5.api, [...ids], false)
    return answer.groups.map(({ errorCode, groupId, groupState, protocolType, members }) => {
      this.#check(groupId, errorCode, 'DescribeGroups')
      const isAssigned = groupState === 'Stable' && protocolType === consumerProtocol
      return {
        groupId,
        state: stateOf(groupState),
        members: members.map((member) => ({
          memberId: member.memberId,
          instanceId: member.groupInstanceId ?? null,
          assigned: isAssigned ? partitionsIn(member.memberAssignment) : [],
        })),
      }
    })
  }

  /** Those whose members, if any, consume by the classic protocol. */
  async #allGroups(): Promise<readonly string[]> {
    const { cluster, connections, timeoutMs } = this.#options
    await cluster.refresh([])
    const listed = await Promise.all(
      cluster.nodes.map(async (to) => {
        const answer = await connections
          .call({ to, lane: 'cluster', timeoutMs }, listGroupsV5.api, [], [])
          .catch((error: unknown) => {
            if (!(error instanceof Unsent)) throw error
            throw new LogError('COORDINATOR_NOT_AVAILABLE', error.message, 'retry', error)
          })
        check(answer.errorCode, 'ListGroups')
        return answer.groups.filter(
          ({ groupType, protocolType }) =>
            groupType.toLowerCase() === 'classic' && (protocolType === consumerProtocol || protocolType === ''),
        )
      }),
    )
    return [...new Set(listed.flat().map(({ groupId }) => groupId))].sort()
  }

  #ask<A extends unknown[], R>(groupId: string, api: API<A, R>, ...args: A): Promise<R> {
    const route = { lane: `group ${groupId}`, timeoutMs: this.#options.timeoutMs }
    return this.#options.coordinators.call(group(groupId), route, api, ...args)
  }

  /** Until the others have joined, or the leader has shared out. */
  #waiting<A extends unknown[], R>(groupId: string, waitMs: number, api: API<A, R>, ...args: A): Promise<R> {
    const route = { lane: null, timeoutMs: waitMs + this.#options.timeoutMs }
    return this.#options.coordinators.call(group(groupId), route, api, ...args)
  }

  #check(groupId: string, code: number, what: string): void {
    this.#options.coordinators.check(group(groupId), code, `${what} of ${groupId}`)
  }
}

const group = (groupId: string): Coordinated => ({ kind: 'group', key: groupId })

const states: ReadonlySet<string> = new Set<GroupDescription['state']>([
  'Empty',
  'Stable',
  'PreparingRebalance',
  'CompletingRebalance',
  'Dead',
])

/** Other kinds of groups have other states; to us they are not at rest. */
const stateOf = (state: string): GroupDescription['state'] =>
  states.has(state) ? (state as GroupDescription['state']) : 'PreparingRebalance'

/** Another client's member may say it in bytes of its own. */
function partitionsIn(assignment: Buffer): readonly TopicPartition[] {
  try {
    return decodeAssignment(assignment).partitions
  } catch {
    return []
  }
}
