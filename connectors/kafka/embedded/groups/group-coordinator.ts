/**
 * The coordinator of consumer groups: Kafka's classic protocol, its states, answers, timers and errors (4.3, after
 * GroupMetadataManager). Requests are handled at once and in the order they come; only joins and syncs are answered later.
 *
 *   GC1  A generation begins when every known member has joined again, or the rebalance timeout is over: then dynamic members
 *        that have not are removed. Its number grows by one and is never used again.
 *   GC2  An assignment belongs to one generation, and every member of it gets the one that the leader sent first.
 *   GC3  A member lives while it is heard: by its heartbeats, by plain offset commits, by the joins and syncs that wait here.
 *        Silent for its session timeout it is removed, and the others rebalance. One that joined and does not sync within the
 *        rebalance timeout is removed as well.
 *   GC4  An instance id names one member id. Who joins with the instance id and no member id takes its place, without a
 *        rebalance while the group is stable; the id before is fenced (KIP-345).
 *   GC5  A request that is delivered twice has the effect of one: of joins that wait each delivery is answered alike, a join
 *        that says nothing new and a sync answer what is current, a second leave finds nobody.
 *   GC6  `check` refuses every commit that does not name a member and the generation that is current.
 *
 * In memory only: after a restart of the broker members are unknown, and join anew.
 */

import { decodeAssignment } from '../../client/consumer-protocol.ts'
import { LogError } from '../../port.ts'
import type { GroupDescription, GroupMetadata, LogErrorCode, TopicPartition } from '../../port.ts'
import type {
  JoinGroupRequest,
  JoinGroupResponse,
  LeaveGroupRequest,
  MemberIdRequired,
  MemberRequest,
  SyncGroupRequest,
} from '../../broker.ts'
import type { Clock, Random } from '../../clock.ts'
import { answerAll, ClassicGroup, refuseAll, saysTheSame } from './classic-group.ts'
import type { Answer, Member } from './classic-group.ts'
import { Timers } from './timers.ts'

/** What Kafka calls group.initial.rebalance.delay.ms, group.min.session.timeout.ms and group.max.session.timeout.ms. */
export interface GroupSettings {
  /** How long an empty group waits for more members after the first, in ms 0 unless told. */
  readonly initialRebalanceDelayMs?: number
  /** 1 unless told: a process of its own knows what it waits for. */
  readonly minSessionTimeoutMs?: number
  /** Half an hour unless told. */
  readonly maxSessionTimeoutMs?: number
}

export interface GroupCoordinatorOptions extends GroupSettings {
  readonly clock: Clock
  readonly random: Random
  readonly notice: (line: string) => void
}

/** A join that waits keeps a new member this long, in ms: it cannot heartbeat yet. */
const NEW_MEMBER_JOIN_TIMEOUT_MS = 300_000
const MAX_SESSION_TIMEOUT_MS = 1_800_000

export class GroupCoordinator {
  readonly #groups = new Map<string, ClassicGroup>()
  readonly #timers: Timers
  readonly #random: Random
  readonly #notice: (line: string) => void
  readonly #initialRebalanceDelayMs: number
  readonly #minSessionTimeoutMs: number
  readonly #maxSessionTimeoutMs: number
  #closed = false

  constructor(options: GroupCoordinatorOptions) {
    this.#timers = new Timers(options.clock)
    this.#random = options.random
    this.#notice = options.notice
    this.#initialRebalanceDelayMs = options.initialRebalanceDelayMs ?? 0
    this.#minSessionTimeoutMs = options.minSessionTimeoutMs ?? 1
    this.#maxSessionTimeoutMs = options.maxSessionTimeoutMs ?? MAX_SESSION_TIMEOUT_MS
  }

  /**
   * @throws LogError INVALID_GROUP_ID, INVALID_SESSION_TIMEOUT, INCONSISTENT_GROUP_PROTOCOL, UNKNOWN_MEMBER_ID,
   * FENCED_INSTANCE_ID
   */
  async joinGroup(request: JoinGroupRequest): Promise<JoinGroupResponse | MemberIdRequired> {
    this.#checkOpen(request.groupId)
    const { groupId, memberId, instanceId, sessionTimeoutMs } = request
    if (sessionTimeoutMs < this.#minSessionTimeoutMs || sessionTimeoutMs > this.#maxSessionTimeoutMs) {
      throw refused(
        'INVALID_SESSION_TIMEOUT',
        `a session timeout of ${sessionTimeoutMs} ms is not between ${this.#minSessionTimeoutMs} and ${this.#maxSessionTimeoutMs}`,
      )
    }
    const group = memberId === '' ? this.#open(groupId) : this.#known(groupId, memberId)
    if (!group.supports(request)) {
      throw refused('INCONSISTENT_GROUP_PROTOCOL', `group ${groupId} has no protocol in common with '${memberId}'`)
    }
    if (memberId !== '') return this.#joinKnown(group, request)
    return instanceId === null ? this.#giveMemberId(group, request) : this.#joinStatic(group, request, instanceId)
  }

  /** KIP-394: nobody becomes a member before it knows its id, so that a join tried again makes no second member. */
  #giveMemberId(group: ClassicGroup, { sessionTimeoutMs }: JoinGroupRequest): MemberIdRequired {
    const memberId = this.#newMemberId(group.groupId)
    group.pendingJoins.add(memberId)
    this.#timers.set(sessionKey(group, memberId), sessionTimeoutMs, () => {
      group.remove(memberId)
      if (group.state === 'PreparingRebalance' && group.allHaveJoined) this.#completeJoin(group)
    })
    return { memberId }
  }

  #joinStatic(group: ClassicGroup, request: JoinGroupRequest, instanceId: string): Promise<JoinGroupResponse> {
    const memberId = this.#newMemberId(instanceId)
    const current = group.statics.get(instanceId)
    if (current === undefined) return this.#add(group, request, memberId)
    const old = group.members.get(current)!
    const fenced = refused('FENCED_INSTANCE_ID', `group ${group.groupId}: instance ${instanceId} joined again`)
    refuseAll(old.joins, fenced)
    refuseAll(old.syncs, fenced)
    this.#timers.cancel(sessionKey(group, current))
    const member = group.replaceStatic(current, memberId)
    return this.#update(group, member, request, () => {
      if (group.state === 'Stable' && group.selectProtocol() === group.protocolName) {
        answerAll(member.joins, group.joined(memberId, group.leaderId === memberId))
      } else if (group.state === 'PreparingRebalance') this.#completeJoinIfAll(group)
      else this.#prepareRebalance(group)
    })
  }

  #joinKnown(group: ClassicGroup, request: JoinGroupRequest): Promise<JoinGroupResponse> | JoinGroupResponse {
    const { memberId, instanceId, protocols } = request
    if (group.pendingJoins.has(memberId) && instanceId === null) return this.#add(group, request, memberId)
    const member = group.member(memberId, instanceId)
    const unchanged = saysTheSame(member, protocols)
    const current =
      (group.state === 'CompletingRebalance' && unchanged) ||
      (group.state === 'Stable' && unchanged && group.leaderId !== memberId)
    if (current) return group.joined(memberId)
    return this.#update(group, member, request, () => this.#rebalanceOrComplete(group))
  }

  #add(group: ClassicGroup, request: JoinGroupRequest, memberId: string): Promise<JoinGroupResponse> {
    if (group.state === 'PreparingRebalance' && group.isInitial) group.newMemberAdded = true
    const member = group.add(request, memberId)
    return parked(member.joins, () => {
      this.#expectWithin(group, member, NEW_MEMBER_JOIN_TIMEOUT_MS)
      this.#rebalanceOrComplete(group)
    })
  }

  #update(
    group: ClassicGroup,
    member: Member,
    request: JoinGroupRequest,
    next: () => void,
  ): Promise<JoinGroupResponse> {
    member.protocols = request.protocols
    member.sessionTimeoutMs = request.sessionTimeoutMs
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs
    if (!this.#timers.has(sessionKey(group, member.memberId))) this.#expect(group, member)
    return parked(member.joins, next)
  }

  #rebalanceOrComplete(group: ClassicGroup): void {
    if (group.state === 'PreparingRebalance') this.#completeJoinIfAll(group)
    else this.#prepareRebalance(group)
  }

  #prepareRebalance(group: ClassicGroup): void {
    if (group.state === 'CompletingRebalance') this.#refuseSyncs(group)
    group.pendingSyncs.clear()
    this.#timers.cancel(syncKey(group))
    group.isInitial = group.state === 'Empty'
    group.newMemberAdded = false
    group.state = 'PreparingRebalance'
    if (group.isInitial) {
      const delayMs = this.#initialRebalanceDelayMs
      this.#awaitFirst(group, delayMs, Math.max(group.rebalanceTimeoutMs - delayMs, 0))
    } else if (group.allHaveJoined) this.#completeJoin(group)
    else this.#timers.set(joinKey(group), group.rebalanceTimeoutMs, () => this.#completeJoin(group))
  }

  #refuseSyncs(group: ClassicGroup): void {
    const error = rebalancing(group)
    for (const member of group.members.values()) {
      member.assignment = Buffer.alloc(0)
      if (member.syncs.length > 0) this.#expect(group, member)
      refuseAll(member.syncs, error)
    }
  }

  /** An empty group gives its members time to come, again for each that came, within the rebalance timeout. */
  #awaitFirst(group: ClassicGroup, delayMs: number, remainingMs: number): void {
    this.#timers.set(joinKey(group), delayMs, () => {
      if (!group.newMemberAdded || remainingMs === 0) return this.#completeJoin(group)
      group.newMemberAdded = false
      const nextMs = Math.min(this.#initialRebalanceDelayMs, remainingMs)
      this.#awaitFirst(group, nextMs, Math.max(remainingMs - delayMs, 0))
    })
  }

  #completeJoinIfAll(group: ClassicGroup): void {
    if (group.state === 'PreparingRebalance' && !group.isInitial && group.allHaveJoined) this.#completeJoin(group)
  }

  /** GC1 */
  #completeJoin(group: ClassicGroup): void {
    this.#timers.cancel(joinKey(group))
    for (const { memberId, instanceId, joins } of [...group.members.values()]) {
      if (joins.length === 0 && instanceId === null) this.#remove(group, memberId)
    }
    if (!group.electLeader() && group.members.size > 0) {
      // Only static members are left, and none has come: their sessions decide.
      this.#timers.set(joinKey(group), group.rebalanceTimeoutMs, () => this.#completeJoin(group))
      return
    }
    group.isInitial = false
    group.nextGeneration()
    if (group.state === 'Empty') return
    for (const member of group.members.values()) {
      answerAll(member.joins, group.joined(member.memberId))
      this.#expect(group, member)
      member.isNew = false
      group.pendingSyncs.add(member.memberId)
    }
    this.#timers.set(syncKey(group), group.rebalanceTimeoutMs, () => this.#expireSyncs(group))
  }

  #expireSyncs(group: ClassicGroup): void {
    if (group.pendingSyncs.size === 0) return
    for (const memberId of [...group.pendingSyncs]) this.#remove(group, memberId)
    this.#prepareRebalance(group)
  }

  /** @throws LogError UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS, INVALID_GROUP_ID */
  async syncGroup(request: SyncGroupRequest): Promise<Buffer> {
    this.#checkOpen(request.groupId)
    const { group, member } = this.#current(request)
    if (group.state === 'PreparingRebalance') throw rebalancing(group)
    group.pendingSyncs.delete(member.memberId)
    if (group.pendingSyncs.size === 0) this.#timers.cancel(syncKey(group))
    if (group.state === 'Stable') return member.assignment
    return parked(member.syncs, () => {
      if (group.leaderId === member.memberId) this.#share(group, request.assignments)
    })
  }

  /** GC2 */
  #share(group: ClassicGroup, assignments: SyncGroupRequest['assignments']): void {
    const given = new Map(assignments.map(({ memberId, assignment }) => [memberId, assignment]))
    for (const member of group.members.values()) {
      member.assignment = given.get(member.memberId) ?? Buffer.alloc(0)
      if (answerAll(member.syncs, member.assignment)) this.#expect(group, member)
    }
    group.state = 'Stable'
  }

  /** @throws LogError UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS, INVALID_GROUP_ID */
  async heartbeat(request: MemberRequest): Promise<void> {
    this.#checkOpen(request.groupId)
    const { group, member } = this.#current(request)
    this.#expect(group, member)
    if (group.state === 'PreparingRebalance') throw rebalancing(group)
  }

  /** By member id, or by instance id alone (an administrator's). @throws LogError UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID */
  async leaveGroup({ groupId, memberId, instanceId }: LeaveGroupRequest): Promise<void> {
    this.#checkOpen(groupId)
    const group = this.#known(groupId, memberId)
    const leaving = memberId === '' ? (group.statics.get(instanceId ?? '') ?? '') : memberId
    if (!group.pendingJoins.has(leaving)) group.member(leaving, instanceId)
    this.#remove(group, leaving)
    if (group.state === 'Stable' || group.state === 'CompletingRebalance') this.#prepareRebalance(group)
    else this.#completeJoinIfAll(group)
  }

  /**
   * What a commit of offsets is held to: member and generation, never ownership. A transactional one may come from outside of a
   * living group (generation -1 and no member), a plain one only while the group is empty.
   * @throws LogError ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID; for a plain commit also REBALANCE_IN_PROGRESS
   */
  check(metadata: GroupMetadata, commit: 'transactional' | 'plain' = 'transactional', isKnownByOffsets = false): void {
    const { groupId, generationId, memberId, groupInstanceId } = metadata
    const group = this.#groups.get(groupId)
    if (generationId < 0 && (group === undefined || group.state === 'Empty')) return
    if (group === undefined) {
      // Known by its offsets alone it has no members; not known at all it has no generation.
      if (isKnownByOffsets) throw refused('UNKNOWN_MEMBER_ID', `group ${groupId} has no member '${memberId}'`)
      throw this.#illegal(groupId, generationId, 'none')
    }
    const outsider = generationId < 0 && memberId === '' && groupInstanceId === null
    if (outsider && commit === 'transactional') return
    const { member } = this.#current({ groupId, generationId, memberId, instanceId: groupInstanceId })
    if (commit === 'transactional') return
    if (group.state === 'CompletingRebalance') throw rebalancing(group)
    this.#expect(group, member)
  }

  /** Those asked for, or all; a group only known by its offsets is `Empty`, one not known at all `Dead`. */
  describe(groupIds: readonly string[] | undefined, withOffsets: readonly string[]): readonly GroupDescription[] {
    const known = new Set([...this.#groups.keys(), ...withOffsets])
    return (groupIds ?? [...known].sort()).map((groupId): GroupDescription => {
      const group = this.#groups.get(groupId)
      if (group === undefined) return { groupId, state: known.has(groupId) ? 'Empty' : 'Dead', members: [] }
      const members = [...group.members.values()].map(({ memberId, instanceId, assignment }) => ({
        memberId,
        instanceId,
        assigned: group.state === 'Stable' ? partitionsIn(assignment) : [],
      }))
      return { groupId, state: group.state, members }
    })
  }

  /** Joins and syncs that wait fail with CLOSED, and no timer is left. */
  close(): void {
    this.#closed = true
    this.#timers.close()
    const closed = refused('CLOSED', 'the broker is closed')
    for (const { joins, syncs } of [...this.#groups.values()].flatMap(({ members }) => [...members.values()])) {
      refuseAll(joins, closed)
      refuseAll(syncs, closed)
    }
  }

  #checkOpen(groupId: string): void {
    if (this.#closed) throw refused('CLOSED', 'the broker is closed')
    if (groupId === '') throw refused('INVALID_GROUP_ID', 'a group needs a name')
  }

  #open(groupId: string): ClassicGroup {
    let group = this.#groups.get(groupId)
    if (group === undefined) this.#groups.set(groupId, (group = new ClassicGroup(groupId)))
    return group
  }

  #known(groupId: string, memberId: string): ClassicGroup {
    const group = this.#groups.get(groupId)
    if (group === undefined) throw refused('UNKNOWN_MEMBER_ID', `group ${groupId} has no member '${memberId}'`)
    return group
  }

  #current({ groupId, generationId, memberId, instanceId }: MemberRequest): { group: ClassicGroup; member: Member } {
    const group = this.#known(groupId, memberId)
    const member = group.member(memberId, instanceId)
    if (generationId !== group.generationId) throw this.#illegal(groupId, generationId, group.generationId)
    return { group, member }
  }

  #illegal(groupId: string, generationId: number, current: number | 'none'): LogError {
    return refused('ILLEGAL_GENERATION', `group ${groupId}: generation ${generationId} is not ${current}`)
  }

  #newMemberId(prefix: string): string {
    return `${prefix}-${this.#random.bytes(16).toString('hex')}`
  }

  /** GC3: heard of now. */
  #expect(group: ClassicGroup, member: Member): void {
    this.#expectWithin(group, member, member.sessionTimeoutMs)
  }

  #expectWithin(group: ClassicGroup, member: Member, timeoutMs: number): void {
    this.#timers.set(sessionKey(group, member.memberId), timeoutMs, () => {
      const waits = member.joins.length > 0 || member.syncs.length > 0
      if (waits && !member.isNew) return
      this.#notice(`group ${group.groupId}: ${member.memberId} was not heard for ${timeoutMs} ms and is removed`)
      this.#remove(group, member.memberId)
      if (group.state !== 'PreparingRebalance') this.#prepareRebalance(group)
      else if (group.allHaveJoined) this.#completeJoin(group)
    })
  }

  #remove(group: ClassicGroup, memberId: string): void {
    this.#timers.cancel(sessionKey(group, memberId))
    const member = group.members.get(memberId)
    group.remove(memberId)
    if (member === undefined) return
    const unknown = refused('UNKNOWN_MEMBER_ID', `group ${group.groupId} has removed '${memberId}'`)
    refuseAll(member.joins, unknown)
    refuseAll(member.syncs, unknown)
  }
}

const sessionKey = (group: ClassicGroup, memberId: string): string => `session ${group.groupId} ${memberId}`
const joinKey = (group: ClassicGroup): string => `join ${group.groupId}`
const syncKey = (group: ClassicGroup): string => `sync ${group.groupId}`

const refused = (code: LogErrorCode, message: string): LogError => new LogError(code, message, 'stop')

const rebalancing = ({ groupId }: ClassicGroup): LogError =>
  new LogError('REBALANCE_IN_PROGRESS', `group ${groupId} is rebalancing`, 'retry')

/** Waits in `waiting`; `next` may answer at once. */
function parked<T>(waiting: Answer<T>[], next: () => void): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  waiting.push({ resolve, reject })
  next()
  return promise
}

/** Members may speak another protocol than ours among themselves; then nothing can be shown. */
function partitionsIn(assignment: Buffer): readonly TopicPartition[] {
  try {
    return decodeAssignment(assignment).partitions
  } catch {
    return []
  }
}
