/**
 * One group of Kafka's classic protocol: who is in it, what they can speak, who leads. No timers and no answers are sent here;
 * `group-coordinator.ts` moves it on.
 *
 *   Empty -> PreparingRebalance -> CompletingRebalance -> Stable
 *              ^        |                   |               |
 *              |        +-> Empty           |               |
 *              +----------------------------+---------------+
 */

import type { GroupProtocol, JoinedMember, JoinGroupRequest, JoinGroupResponse } from '../../broker.ts'
import { LogError } from '../../port.ts'

export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable'

export interface Answer<T> {
  resolve(answer: T): void
  reject(error: LogError): void
}

export interface Member {
  readonly memberId: string
  readonly instanceId: string | null
  protocols: readonly GroupProtocol[]
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  assignment: Buffer
  /** Has not yet been through a whole join: its id may never have reached it. */
  isNew: boolean
  /** Every delivery of a join that waits; all get the same answer. */
  joins: Answer<JoinGroupResponse>[]
  syncs: Answer<Buffer>[]
}

export class ClassicGroup {
  readonly groupId: string
  state: GroupState = 'Empty'
  /** In PreparingRebalance: the group was empty before, and the first members are given time to come. */
  isInitial = false
  /** In an initial rebalance: somebody came since the delay was last looked at. */
  newMemberAdded = false
  generationId = 0
  protocolType = ''
  protocolName = ''
  leaderId: string | null = null
  readonly members = new Map<string, Member>()
  /** Instance id to member id. */
  readonly statics = new Map<string, string>()
  /** Ids given out with MEMBER_ID_REQUIRED whose owner has not joined yet. */
  readonly pendingJoins = new Set<string>()
  readonly pendingSyncs = new Set<string>()

  constructor(groupId: string) {
    this.groupId = groupId
  }

  add(request: JoinGroupRequest, memberId: string): Member {
    const { instanceId, protocols, sessionTimeoutMs, rebalanceTimeoutMs } = request
    if (this.members.size === 0) this.protocolType = request.protocolType
    if (instanceId !== null) this.statics.set(instanceId, memberId)
    this.leaderId ??= memberId
    const rest = { assignment: Buffer.alloc(0), isNew: true, joins: [], syncs: [] }
    const member: Member = { memberId, instanceId, protocols, sessionTimeoutMs, rebalanceTimeoutMs, ...rest }
    this.members.set(memberId, member)
    this.pendingJoins.delete(memberId)
    return member
  }

  remove(memberId: string): void {
    const member = this.members.get(memberId)
    this.members.delete(memberId)
    if (member?.instanceId != null) this.statics.delete(member.instanceId)
    if (this.leaderId === memberId) this.leaderId = this.members.keys().next().value ?? null
    this.pendingJoins.delete(memberId)
    this.pendingSyncs.delete(memberId)
  }

  /** The same static member under a new id; the old id is fenced from now on. */
  replaceStatic(oldId: string, memberId: string): Member {
    const old = this.members.get(oldId)!
    const member: Member = { ...old, memberId, isNew: false, joins: [], syncs: [] }
    this.members.delete(oldId)
    this.members.set(memberId, member)
    this.statics.set(old.instanceId!, memberId)
    if (this.pendingSyncs.delete(oldId)) this.pendingSyncs.add(memberId)
    if (this.leaderId === oldId) this.leaderId = memberId
    return member
  }

  /** @throws LogError UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID */
  member(memberId: string, instanceId: string | null): Member {
    if (instanceId !== null) {
      const current = this.statics.get(instanceId)
      if (current !== undefined && current !== memberId) {
        throw new LogError(
          'FENCED_INSTANCE_ID',
          `group ${this.groupId}: instance ${instanceId} is now ${current}, not '${memberId}'`,
          'stop',
        )
      }
      if (current === undefined) throw this.#unknown(memberId)
    }
    const member = this.members.get(memberId)
    if (member === undefined) throw this.#unknown(memberId)
    return member
  }

  #unknown(memberId: string): LogError {
    return new LogError('UNKNOWN_MEMBER_ID', `group ${this.groupId} has no member '${memberId}'`, 'stop')
  }

  get allHaveJoined(): boolean {
    return this.pendingJoins.size === 0 && [...this.members.values()].every(({ joins }) => joins.length > 0)
  }

  /** The group waits as long as its most patient member asks, in ms. */
  get rebalanceTimeoutMs(): number {
    return Math.max(0, ...[...this.members.values()].map(({ rebalanceTimeoutMs }) => rebalanceTimeoutMs))
  }

  supports({ protocolType, protocols }: JoinGroupRequest): boolean {
    if (this.state === 'Empty') return protocolType !== '' && protocols.length > 0
    return (
      protocolType === this.protocolType && protocols.some(({ name }) => this.#speakers(name) === this.members.size)
    )
  }

  #speakers(protocol: string): number {
    return [...this.members.values()].filter(({ protocols }) => protocols.some(({ name }) => name === protocol)).length
  }

  /** Each member votes for the first of its protocols that all can speak; the one with most votes is taken. */
  selectProtocol(): string {
    const votes = new Map<string, number>()
    for (const { protocols } of this.members.values()) {
      const vote = protocols.find(({ name }) => this.#speakers(name) === this.members.size)
      if (vote !== undefined) votes.set(vote.name, (votes.get(vote.name) ?? 0) + 1)
    }
    return [...votes].reduce((best, next) => (next[1] > best[1] ? next : best), ['', 0] as [string, number])[0]
  }

  /** The leader stays if it has joined again, else one that has. @returns false when nobody has */
  electLeader(): boolean {
    const leader = this.leaderId === null ? undefined : this.members.get(this.leaderId)
    if (leader === undefined) return false
    if (leader.joins.length > 0) return true
    const joined = [...this.members.values()].find(({ joins }) => joins.length > 0)
    if (joined === undefined) return false
    this.leaderId = joined.memberId
    return true
  }

  nextGeneration(): void {
    this.generationId++
    this.pendingSyncs.clear()
    this.protocolName = this.members.size === 0 ? '' : this.selectProtocol()
    this.state = this.members.size === 0 ? 'Empty' : 'CompletingRebalance'
  }

  /** What a member is told of the current generation. */
  joined(memberId: string, skipAssignment = false): JoinGroupResponse {
    const { generationId, protocolName } = this
    const members = this.leaderId === memberId ? this.#joinedMembers() : []
    return { generationId, protocolName, leaderId: this.leaderId ?? '', memberId, members, skipAssignment }
  }

  #joinedMembers(): readonly JoinedMember[] {
    return [...this.members.values()].map(({ memberId, instanceId, protocols }) => ({
      memberId,
      instanceId,
      metadata: protocols.find(({ name }) => name === this.protocolName)?.metadata ?? Buffer.alloc(0),
    }))
  }
}

/** Whether a member says of itself what it has said before. */
export function saysTheSame(member: Member, protocols: readonly GroupProtocol[]): boolean {
  return (
    member.protocols.length === protocols.length &&
    member.protocols.every(
      ({ name, metadata }, i) => name === protocols[i]!.name && metadata.equals(protocols[i]!.metadata),
    )
  )
}

export function answerAll<T>(waiting: Answer<T>[], answer: T): boolean {
  const answered = waiting.splice(0)
  for (const { resolve } of answered) resolve(answer)
  return answered.length > 0
}

export function refuseAll(waiting: Answer<never>[], error: LogError): void {
  for (const { reject } of waiting.splice(0)) reject(error)
}
