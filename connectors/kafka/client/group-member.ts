/**
 * A member of a consumer group, over any broker: Kafka's classic protocol, cooperative (KIP-429), dynamic or static (KIP-345).
 *
 *              +---- REBALANCE_IN_PROGRESS, rejoin(), topics changed, something revoked ----+
 *              v                                                                            |
 *   unjoined -> joining -> syncing -> stable -----------------------------------------------+
 *      ^           |          |         |
 *      +-- lost() -+----------+---------+         from everywhere: leave() -> leaving -> closed; failed() -> closed
 *
 *   GM1  No partition is held by two members that may commit. A member says what it owns when it joins; the leader gives a
 *        partition that somebody owns to nobody else; who has it taken away gives it up in `revoked` and joins again.
 *   GM2  `metadata()` names the last generation whose assignment has reached this member, and only while it is a member.
 *   GM3  The listener hears of `joining` before a join is sent, and of `assigned` or `revoked` after the sync was answered:
 *        what commits in between commits in no known generation, so nothing does.
 *   GM4  A member that was not answered for its session timeout may have been removed: `metadata()` throws from that moment
 *        on, `lost` is the next call the listener gets, and then it joins anew with empty hands. The clock is looked at before
 *        anything that comes in is believed, so a stalled process finds this out before it acts on old answers.
 *   GM5  Calls of the listener never overlap, and none begins after `leave`.
 *   GM6  What a member owns counts only if the group has seen it say so: a generation that passed without this member, or an
 *        assignment made from an older one of its joins (a late duplicate), means `lost`.
 *   GM7  An unknown outcome is asked again with the same member id and the same bytes. So a join that was done already is
 *        answered with the generation there is, and no second member comes of it.
 *   GM8  A static member that comes back to its place gets the share of the process before it, without a rebalance. When that
 *        rebalance was not finished (SO3), or this one reads other topics or was told other settings, it asks for the next one.
 *   GM9  The first join of a static member, when it got no answer, may be handled after the one that did, and fence the id that
 *        it gave: the member then joins anew, once. Only within the session timeout after that answer: later it is a successor.
 *
 * While a join or sync waits at the coordinator no heartbeat is sent (the coordinator counts the request as one, and on a real
 * connection a heartbeat would wait behind it); silence is then borne for the rebalance timeout longer, and nothing commits.
 */

import { crc32c } from '@node-rs/crc32'
import type { Broker, JoinGroupResponse, SyncGroupRequest } from '../broker.ts'
import type { Clock } from '../clock.ts'
import { LogError } from '../port.ts'
import type {
  GroupMetadata,
  GroupOptions,
  GroupSession,
  RebalanceListener,
  TopicMetadata,
  TopicPartition,
} from '../port.ts'
import type { Assignment } from './consumer-protocol.ts'
import { partitionAssignor } from './partition-assignor.ts'
import { decodeShare, encodeClaim, nameOf, shareOut, topicsOf } from './share-out.ts'

type Share = Omit<Assignment, 'unfinished'>
type Phase = 'unjoined' | 'joining' | 'syncing' | 'stable' | 'leaving' | 'closed'

export interface GroupMemberParts {
  readonly broker: Broker
  readonly clock: Clock
  /** One line for a person. */
  readonly notice: (line: string) => void
}

const PROTOCOL_TYPE = 'consumer'
const NO_GENERATION = -1
const RETRY_BACKOFF_MS = 100
/** Above the rebalance timeout, how long an answer to a join or sync is waited for, in ms. */
const JOIN_GRACE_MS = 5_000
/** How often the leader looks whether a topic came or has grown, in ms. */
const TOPICS_INTERVAL_MS = 30_000

/** The session is there at once; the listener hears of partitions later. */
export function joinGroup(parts: GroupMemberParts, options: GroupOptions): GroupMember {
  return new GroupMember(parts, options)
}

export class GroupMember implements GroupSession {
  readonly #broker: Broker
  readonly #clock: Clock
  readonly #notice: (line: string) => void
  readonly #options: GroupOptions
  readonly #rebalanceTimeoutMs: number
  #phase: Phase = 'unjoined'
  #memberId = ''
  /** Of the last join that was answered. */
  #generationId = NO_GENERATION
  /** The number of the last thing this member said of itself (GM6); other than those of the process before it (GM8). */
  #attempt: number
  #metadata: GroupMetadata | null = null
  #owned: readonly TopicPartition[] = []
  /** A share has come, in this process. */
  #hasShare = false
  /** The listener was told that it is in the group, and not yet that it is no more. */
  #standing = false
  /** The last thing the listener heard is `joining`. */
  #told = false
  /** When the last request was sent that was answered well. */
  #heardAt: number
  #polledAt: number
  /** Until when a join of its own may come late and fence it (GM9). */
  #strayUntil = -Infinity
  /** Did not poll for too long: out of the group until it does. */
  #idle = false
  /** A join or sync waits at the coordinator. */
  #parked = false
  /** Why membership is over; `lost` is still to be called. */
  #loss: LogError | null = null
  /** One more rebalance is wanted. */
  #again = false
  #leads = false
  /** What the leader has shared out: the topics, and how many partitions each had. */
  #shared: { readonly topics: readonly string[]; counts: string | null } = { topics: [], counts: null }
  #countedAt = 0
  #interrupt: (error: unknown) => void = nothing
  #wake: () => void = nothing
  #cancelTick: () => void
  #left: Promise<void> | null = null

  constructor({ broker, clock, notice }: GroupMemberParts, options: GroupOptions) {
    this.#broker = broker
    this.#clock = clock
    this.#notice = notice
    this.#options = options
    this.#rebalanceTimeoutMs = options.rebalanceTimeoutMs ?? options.sessionTimeoutMs
    this.#heardAt = this.#polledAt = clock.now()
    this.#attempt = firstAttempt(options, this.#polledAt)
    this.#cancelTick = clock.after(0, () => {
      this.#tick()
      void this.#live()
    })
  }

  metadata(): GroupMetadata {
    this.#checkSilence()
    if (this.#metadata !== null) return this.#metadata
    throw new LogError('UNKNOWN_MEMBER_ID', `group ${this.#options.groupId}: not a member now`, 'stop')
  }

  polled(): void {
    this.#polledAt = this.#clock.now()
    this.#checkSilence()
    if (!this.#idle) return
    this.#idle = false
    this.#signal()
  }

  rejoin(): void {
    this.#again = true
    this.#signal()
  }

  leave(place: 'kept' | 'given up' = 'kept'): Promise<void> {
    this.#left ??= this.#leave(place)
    return this.#left
  }

  async #leave(place: 'kept' | 'given up'): Promise<void> {
    if (this.#over) return
    this.#phase = 'leaving'
    this.#end()
    if (this.#isDynamic || place === 'given up') await this.#sayGoodbye(this.#memberId)
    this.#phase = 'closed'
  }

  get #isDynamic(): boolean {
    return this.#options.instanceId === null
  }

  async #sayGoodbye(memberId: string): Promise<void> {
    const { groupId, instanceId, sessionTimeoutMs } = this.#options
    if (memberId === '') return
    const left = this.#broker.leaveGroup({ groupId, memberId, instanceId })
    await this.#within(left, sessionTimeoutMs).catch(nothing)
  }

  /** Left, or ended for good. */
  get isOver(): boolean {
    return this.#over
  }

  get #over(): boolean {
    return this.#phase === 'leaving' || this.#phase === 'closed'
  }

  #end(): void {
    this.#metadata = null
    this.#cancelTick()
    this.#signal()
  }

  /** One step after another, so that the listener's calls never overlap (GM5). */
  async #live(): Promise<void> {
    while (!this.#over) {
      try {
        if (this.#loss !== null) await this.#lose(this.#loss)
        else if (this.#idle || (this.#phase === 'stable' && !this.#again)) await this.#sleep()
        else await this.#rebalance()
      } catch (error) {
        if (!this.#over) this.#loss ??= this.#lossBy(error)
      }
    }
  }

  /** @returns null when the member just joins again */
  #lossBy(error: unknown): LogError | null {
    if (!(error instanceof LogError)) {
      return new LogError('INVALID_REQUEST', `group ${this.#options.groupId}: ${String(error)}`, 'stop', error)
    }
    return error.code === 'REBALANCE_IN_PROGRESS' ? null : error
  }

  async #rebalance(): Promise<void> {
    if (this.#standing && !this.#told) {
      this.#told = true
      await this.#call((listener) => listener.joining?.())
      if (this.#loss !== null) return
    }
    const joined = await this.#join()
    const assignment = await this.#sync(joined)
    await this.#adopt(joined, assignment)
  }

  async #join(): Promise<JoinGroupResponse> {
    const { groupId, topics, instanceId, sessionTimeoutMs, userData } = this.#options
    this.#phase = 'joining'
    this.#again = false
    this.#attempt = nextAttempt(this.#attempt)
    const claim = { topics, owned: this.#owned, generationId: this.#generationId, userData: userData?.() ?? NO_BYTES }
    const protocols = [{ name: this.#assignor.name, metadata: encodeClaim(claim, this.#attempt) }]
    const rest = { groupId, instanceId, sessionTimeoutMs, rebalanceTimeoutMs: this.#rebalanceTimeoutMs, protocols }
    for (;;) {
      const memberId = this.#memberId
      const isFirst = memberId === '' && !this.#isDynamic
      const answer = await this.#insist(
        () => this.#broker.joinGroup({ ...rest, memberId, protocolType: PROTOCOL_TYPE }),
        'parked',
        () => isFirst && (this.#strayUntil = Infinity),
      )
      if (this.#strayUntil === Infinity) this.#strayUntil = this.#clock.now() + sessionTimeoutMs
      this.#memberId = answer.memberId
      if ('generationId' in answer) return this.#joined(answer)
    }
  }

  /** GM6 */
  #joined(answer: JoinGroupResponse): JoinGroupResponse {
    const missed = this.#owned.length > 0 && answer.generationId > this.#generationId + 1
    if (missed) throw this.#stale(`generations between ${this.#generationId} and ${answer.generationId} were missed`)
    this.#generationId = answer.generationId
    this.#leads = answer.leaderId === answer.memberId
    this.#shared = { topics: topicsOf(answer.members), counts: null }
    this.#countedAt = this.#clock.now()
    return answer
  }

  async #sync(joined: JoinGroupResponse): Promise<Share> {
    this.#phase = 'syncing'
    const assignments = this.#leads && !joined.skipAssignment ? await this.#shareOut(joined) : []
    const request = { ...this.#asMember(), assignments }
    const bytes = await this.#insist(() => this.#broker.syncGroup(request), 'parked')
    if (this.#clock.now() - this.#heardAt >= this.#options.sessionTimeoutMs) await this.#confirm()
    const { attempt, unfinished, ...assignment } = decodeShare(bytes)
    // GM8
    const isOfBefore = attempt !== this.#attempt
    if (isOfBefore && (unfinished || (!this.#hasShare && isOfOthers(attempt, this.#attempt)))) this.#again = true
    this.#hasShare = true
    if (this.#owned.length > 0 && attempt !== this.#attempt) throw this.#stale('the leader has read an older join')
    return assignment
  }

  async #shareOut(joined: JoinGroupResponse): Promise<SyncGroupRequest['assignments']> {
    const found = await this.#insist(() => this.#broker.metadata(this.#shared.topics), 'free')
    this.#shared.counts = countsOf(found)
    return shareOut(joined, this.#assignor, new Map(found.map(({ name, partitions }) => [name, partitions])))
  }

  /** An answer that is older than the session proves nothing: it is asked whether this is still a member. */
  async #confirm(): Promise<void> {
    const askedAt = this.#clock.now()
    try {
      await this.#insist(() => this.#broker.heartbeat(this.#asMember()), 'free')
    } catch (error) {
      if (codeOf(error) !== 'REBALANCE_IN_PROGRESS') throw error
      this.#again = true
    }
    this.#heardAt = askedAt
  }

  async #adopt({ generationId, memberId }: JoinGroupResponse, { partitions, userData }: Share): Promise<void> {
    const { groupId, instanceId } = this.#options
    const before = new Set(this.#owned.map(nameOf))
    const after = new Set(partitions.map(nameOf))
    const revoked = this.#owned.filter((partition) => !after.has(nameOf(partition)))
    this.#phase = 'stable'
    this.#metadata = { groupId, generationId, memberId, groupInstanceId: instanceId }
    this.#standing = true
    this.#told = false
    if (revoked.length > 0) {
      this.#owned = this.#owned.filter((partition) => after.has(nameOf(partition)))
      this.#again = true
      await this.#call((listener) => listener.revoked(revoked))
      return
    }
    this.#owned = partitions
    const added = partitions.filter((partition) => !before.has(nameOf(partition)))
    await this.#call((listener) => listener.assigned(added, userData))
  }

  /** Membership is over, the session is not; unless it was fenced or cannot go on. */
  async #lose(loss: LogError): Promise<void> {
    const memberId = this.#memberId
    const fatal = !['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION'].includes(loss.code) && !this.#fencedItself(loss)
    this.#forget(loss)
    if (this.#standing) {
      this.#standing = this.#told = false
      await this.#call((listener) => listener.lost())
    }
    // The place of a static member is its successor's, or its own when it comes back.
    if (this.#isDynamic && (this.#idle || (fatal && loss.code !== 'CLOSED'))) await this.#sayGoodbye(memberId)
    if (this.#over) return
    if (!fatal) return this.#pause()
    const call = this.#call((listener) => Promise.resolve(listener.failed?.(loss)))
    this.#phase = 'closed'
    this.#end()
    await call
  }

  /** GM9 */
  #fencedItself({ code }: LogError): boolean {
    if (code !== 'FENCED_INSTANCE_ID' || this.#clock.now() > this.#strayUntil) return false
    this.#strayUntil = -Infinity
    return true
  }

  #forget(loss: LogError): void {
    const { groupId } = this.#options
    if (this.#standing) this.#notice(`group ${groupId}: ${this.#memberId} lost its membership: ${loss.message}`)
    this.#loss = null
    this.#metadata = null
    this.#owned = []
    this.#generationId = NO_GENERATION
    this.#leads = false
    this.#phase = 'unjoined'
    if (loss.code !== 'ILLEGAL_GENERATION') this.#memberId = ''
  }

  /** Asks until it is answered; only an outcome that is unknown or passes is asked again (GM7). */
  async #insist<T>(ask: () => Promise<T>, how: 'parked' | 'free', unanswered: () => void = nothing): Promise<T> {
    for (;;) {
      const askedAt = this.#clock.now()
      this.#parked = how === 'parked'
      try {
        const answer = await this.#within(ask(), this.#rebalanceTimeoutMs + JOIN_GRACE_MS)
        if (how === 'parked') this.#heardAt = Math.max(this.#heardAt, askedAt)
        return answer
      } catch (error) {
        if (!passes(error)) throw error
        if (codeOf(error) === 'TIMEOUT') unanswered()
      } finally {
        this.#parked = false
      }
      this.#checkSilence()
      await this.#pause()
    }
  }

  #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = this.#clock.after(RETRY_BACKOFF_MS, resolve)
    return this.#interruptible(promise).finally(cancel)
  }

  /** The answer, or TIMEOUT. */
  #within<T>(work: Promise<T>, boundMs: number): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const late = (): void => reject(new LogError('TIMEOUT', `no answer in ${boundMs} ms`, 'retry'))
    const cancel = this.#clock.after(boundMs, late)
    work.then(resolve, reject)
    return (this.#over ? promise : this.#interruptible(promise)).finally(cancel)
  }

  /** Fails at once when membership is lost or the session ends. */
  #interruptible<T>(work: Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.#interrupt = reject
    work.then(resolve, reject)
    if (this.#loss !== null) reject(this.#loss)
    return promise
  }

  async #sleep(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    await promise
  }

  #signal(): void {
    if (this.#loss !== null) this.#interrupt(this.#loss)
    else if (this.#over) this.#interrupt(new LogError('CLOSED', 'the session was left', 'stop'))
    this.#wake()
  }

  #tick(): void {
    const { sessionTimeoutMs, heartbeatIntervalMs = Math.max(1, Math.floor(sessionTimeoutMs / 3)) } = this.#options
    const counts = this.#standing && this.#loss === null
    const silentInMs = counts ? this.#heardAt + this.#patienceMs - this.#clock.now() : heartbeatIntervalMs
    const delayMs = Math.max(1, Math.min(heartbeatIntervalMs, silentInMs))
    this.#cancelTick = this.#clock.after(delayMs, () => {
      this.#checkSilence()
      this.#checkPolled()
      if (this.#generationId !== NO_GENERATION && !this.#parked && this.#loss === null) {
        void this.#heartbeat()
        void this.#watchTopics()
      }
      if (!this.#over) this.#tick()
    })
  }

  async #heartbeat(): Promise<void> {
    const asked = this.#asMember()
    const sentAt = this.#clock.now()
    const error = await this.#broker.heartbeat(asked).then(nothing, (refused: unknown) => refused)
    if (this.#over || asked.generationId !== this.#generationId || asked.memberId !== this.#memberId) return
    const code = codeOf(error)
    if (error === undefined || code === 'REBALANCE_IN_PROGRESS') this.#heardAt = Math.max(this.#heardAt, sentAt)
    this.#checkSilence()
    if (code === 'REBALANCE_IN_PROGRESS' && this.#phase === 'stable') this.rejoin()
    // The answer to a join is on its way: its generation is current, and not yet known here.
    else if (code === 'ILLEGAL_GENERATION' && this.#phase === 'joining') return
    else if (endsMembership(error)) this.#isLost(error)
  }

  /** The leader alone looks whether the topics are still what it has shared out. */
  async #watchTopics(): Promise<void> {
    if (!this.#leads || this.#phase !== 'stable' || this.#clock.now() - this.#countedAt < TOPICS_INTERVAL_MS) return
    this.#countedAt = this.#clock.now()
    const shared = this.#shared
    const found = await this.#broker.metadata(shared.topics).catch(() => null)
    if (found === null || shared !== this.#shared || this.#phase !== 'stable') return
    const counts = countsOf(found)
    if (shared.counts !== null && counts !== shared.counts) this.rejoin()
    shared.counts = counts
  }

  #checkPolled(): void {
    const { maxPollIntervalMs = Infinity, groupId } = this.#options
    if (this.#idle || this.#memberId === '' || this.#clock.now() - this.#polledAt <= maxPollIntervalMs) return
    this.#idle = true
    this.#isLost(new LogError('UNKNOWN_MEMBER_ID', `group ${groupId}: not polled for ${maxPollIntervalMs} ms`, 'stop'))
  }

  /** GM4 */
  #checkSilence(): void {
    if (!this.#standing || this.#loss !== null || this.#over) return
    const silentMs = this.#clock.now() - this.#heardAt
    if (silentMs >= this.#patienceMs) this.#isLost(this.#stale(`not heard of the coordinator for ${silentMs} ms`))
  }

  get #patienceMs(): number {
    const { sessionTimeoutMs } = this.#options
    const waits = this.#phase === 'joining' || this.#phase === 'syncing'
    return waits ? sessionTimeoutMs + this.#rebalanceTimeoutMs + JOIN_GRACE_MS : sessionTimeoutMs
  }

  #isLost(loss: LogError): void {
    this.#loss ??= loss
    this.#metadata = null
    this.#signal()
  }

  #stale(why: string): LogError {
    return new LogError('ILLEGAL_GENERATION', `group ${this.#options.groupId}: ${why}`, 'stop')
  }

  #asMember(): Omit<SyncGroupRequest, 'assignments'> {
    const { groupId, instanceId } = this.#options
    return { groupId, instanceId, generationId: this.#generationId, memberId: this.#memberId }
  }

  get #assignor(): typeof partitionAssignor {
    return this.#options.assignor ?? partitionAssignor
  }

  async #call(call: (listener: RebalanceListener) => Promise<void> | undefined): Promise<void> {
    if (this.#over) return
    try {
      await call(this.#options.listener)
    } catch (error) {
      this.#notice(`group ${this.#options.groupId}: a rebalance listener failed: ${String(error)}`)
    }
  }
}

const NO_BYTES = Buffer.alloc(0)
/** Of the four bytes of an attempt the lower two count; the upper two tell what the member reads and was told (GM8). */
const attemptsMax = 2 ** 16

/** Every attempt of a process, up to its wrap, and no attempt of the one before it, as far as a clock can tell. */
function firstAttempt({ topics, assignor }: GroupOptions, now: number): number {
  const told = JSON.stringify([[...topics].sort(), assignor?.settings ?? ''])
  return (crc32c(Buffer.from(told)) & 0xffff) * attemptsMax + (Math.floor(now) % (attemptsMax / 2))
}

const nextAttempt = (attempt: number): number =>
  attempt % attemptsMax === attemptsMax - 1 ? attempt - attemptsMax + 1 : attempt + 1

const isOfOthers = (attempt: number, own: number): boolean =>
  Math.floor(attempt / attemptsMax) !== Math.floor(own / attemptsMax)

const nothing = (): void => {}

const codeOf = (error: unknown): string | null => (error instanceof LogError ? error.code : null)

const endsMembership = (error: unknown): error is LogError =>
  ['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'FENCED_INSTANCE_ID'].includes(codeOf(error) ?? '')

/** The coordinator is away, or nobody knows what it did. */
const passes = (error: unknown): boolean =>
  error instanceof LogError &&
  (error.code === 'TIMEOUT' || (error.then === 'retry' && error.code !== 'REBALANCE_IN_PROGRESS'))

const countsOf = (topics: readonly TopicMetadata[]): string =>
  JSON.stringify(topics.map(({ name, partitions }) => [name, partitions]).sort())
