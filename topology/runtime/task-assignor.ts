/**
 * Which worker of a group runs which task: run by the group's leader over what the members said of themselves. Pure.
 *
 * TA1  Every task has exactly one active member; the partitions of its inputs go together. A member gets only tasks all of
 *      whose topics it subscribes to.
 * TA2  Tasks with state and tasks without are spread on their own, each to within one per member.
 * TA3  A task stays where it is while that keeps TA2. Those that move go first where their state is.
 * TA4  A task with state is not moved to a process that lacks more than `acceptableRecoveryLag` changelog offsets of it while
 *      another process has them: it runs there and a warm-up standby is filled where it is to go. Few at a time.
 * TA5  Standbys stand on other processes than the active and one another: as many as wanted, or as there are processes.
 *
 * How far a process lacks behind is told from the positions members report, the greatest being the changelog's end as far as
 * the group knows: the assignor asks nobody.
 */

import type { AssignorMember, GroupAssignor, MemberAssignment, TopicPartition } from '../../connectors/kafka/index.ts'
import type { Topology } from '../graph/topology.ts'
import { topicName } from '../graph/topology.ts'
import type { StandbyPlace } from './task-assignment-data.ts'
import { decodeMemberData, encodeStandbys } from './task-assignment-data.ts'

export interface TaskAssignorOptions {
  readonly topology: Topology
  readonly standbyReplicas: number
  /** Changelog offsets that a new owner may still have to restore. */
  readonly acceptableRecoveryLag: number
  /** Of the topics it reads, as they are when this member starts. */
  readonly partitions?: ReadonlyMap<string, number>
}

/** Warm-ups filled at a time, over all members. */
const warmUpsMax = 2

interface Place {
  readonly id: string
  readonly part: string
  readonly partition: number
  readonly stateful: boolean
  readonly inputs: readonly TopicPartition[]
}

interface Member {
  readonly id: string
  readonly process: string
  readonly topics: ReadonlySet<string>
  readonly owned: ReadonlySet<string>
  /** Tasks whose store it has open. */
  readonly open: ReadonlySet<string>
  readonly active: Place[]
  readonly standbys: StandbyPlace[]
}

/** @param options of the leader: what it was configured with holds for the group */
export function taskAssignor(options: TaskAssignorOptions): GroupAssignor {
  return {
    name: 'tasks',
    settings: settingsOf(options),
    assign: (members, partitionCounts) => new Sharing(options, members, partitionCounts).run(),
  }
}

/** What a member that comes back may have been told since. */
function settingsOf({ topology, standbyReplicas, acceptableRecoveryLag, partitions }: TaskAssignorOptions): string {
  const parts = topology.subTopologies.map((part) => ({
    name: part.name,
    stateful: part.stores.some((store) => store.logged),
    sources: part.sources.map(({ topic }) => [topic, partitions?.get(topicName(topology, topic)) ?? null]),
  }))
  return JSON.stringify({ parts, standbyReplicas, acceptableRecoveryLag })
}

/** The tasks of a topology, part by part. */
export function tasksOf(topology: Topology, partitionCounts: ReadonlyMap<string, number>): Place[] {
  return topology.subTopologies.flatMap((part) => {
    const topics = part.sources.map((source) => topicName(topology, source.topic))
    const count = Math.max(0, ...topics.map((topic) => partitionCounts.get(topic) ?? 0))
    return Array.from({ length: count }, (_, partition) => ({
      id: `${part.name}_${partition}`,
      part: part.name,
      partition,
      stateful: part.stores.some((store) => store.logged),
      inputs: topics
        .filter((topic) => partition < (partitionCounts.get(topic) ?? 0))
        .map((topic) => ({ topic, partition })),
    }))
  })
}

class Sharing {
  readonly #options: TaskAssignorOptions
  readonly #places: readonly Place[]
  readonly #members: readonly Member[]
  /** By process, then task. */
  readonly #positions = new Map<string, Map<string, bigint>>()
  /** By task. */
  readonly #furthest = new Map<string, bigint>()

  constructor(
    options: TaskAssignorOptions,
    members: readonly AssignorMember[],
    partitionCounts: ReadonlyMap<string, number>,
  ) {
    this.#options = options
    this.#places = tasksOf(options.topology, partitionCounts)
    const sorted = [...members].sort((a, b) => compare(a.memberId, b.memberId))
    const owners = this.#owners(sorted)
    this.#members = sorted.map((member) => this.#member(member, owners))
  }

  run(): ReadonlyMap<string, MemberAssignment> {
    if (this.#members.length > 0) {
      this.#shareStateful()
      this.#share(
        this.#places.filter((place) => !place.stateful),
        (member) => member.active.length,
      )
      this.#placeStandbys()
    }
    return new Map(
      this.#members.map(({ id, active, standbys }) => [
        id,
        { partitions: active.flatMap((place) => place.inputs), userData: encodeStandbys(standbys) },
      ]),
    )
  }

  // What members said --------------------------------------------------------------------------------------------

  /** Who holds a task: of several that say so, who comes first. */
  #owners(members: readonly AssignorMember[]): Map<string, string> {
    const tasks = new Map(this.#places.flatMap(({ id, inputs }) => inputs.map((input) => [nameOf(input), id])))
    const owners = new Map<string, string>()
    for (const { memberId, owned } of members) {
      for (const partition of owned) {
        const task = tasks.get(nameOf(partition))
        if (task !== undefined && !owners.has(task)) owners.set(task, memberId)
      }
    }
    return owners
  }

  #member({ memberId, topics, userData }: AssignorMember, owners: ReadonlyMap<string, string>): Member {
    const data = decodeMemberData(userData)
    const process = data?.processId ?? memberId
    const positions = this.#positions.get(process) ?? new Map<string, bigint>()
    this.#positions.set(process, positions)
    for (const { part, partition, position } of data?.held ?? []) {
      const task = `${part}_${partition}`
      positions.set(task, greater(positions.get(task), position))
      this.#furthest.set(task, greater(this.#furthest.get(task), position))
    }
    return {
      id: memberId,
      process,
      topics: new Set(topics),
      owned: new Set(this.#places.filter(({ id }) => owners.get(id) === memberId).map(({ id }) => id)),
      open: new Set(
        data?.held.filter(({ role }) => role !== 'left').map(({ part, partition }) => `${part}_${partition}`),
      ),
      active: [],
      standbys: [],
    }
  }

  #lag(process: string, task: string): bigint {
    return (this.#furthest.get(task) ?? 0n) - (this.#positions.get(process)?.get(task) ?? 0n)
  }

  #isCaughtUp({ process }: Member, { id }: Place): boolean {
    return this.#lag(process, id) <= BigInt(this.#options.acceptableRecoveryLag)
  }

  // Active -------------------------------------------------------------------------------------------------------

  /** TA4: the balanced sharing, and where it must wait for state, who runs the task meanwhile. */
  #shareStateful(): void {
    const places = this.#places.filter((place) => place.stateful)
    this.#share(places, () => 0)
    let warmUps = 0
    for (const place of places) {
      const target = this.#members.find((member) => member.active.includes(place))
      if (target === undefined || this.#isCaughtUp(target, place)) continue
      const runner = this.#runnerOf(place)
      if (runner === undefined) continue
      target.active.splice(target.active.indexOf(place), 1)
      runner.active.push(place)
      if (warmUps++ < warmUpsMax) target.standbys.push({ part: place.part, partition: place.partition, warmUp: true })
    }
  }

  /** Who has the state of a task that is to move elsewhere: its owner, or the least busy of those that have it. */
  #runnerOf(place: Place): Member | undefined {
    const able = this.#members.filter((member) => canTake(member, place) && this.#isCaughtUp(member, place))
    const owner = able.find((member) => member.owned.has(place.id))
    return owner ?? least(able, (member) => [member.active.length])
  }

  /** @param busy what breaks a tie about who gets one more: the less, the sooner */
  #share(places: readonly Place[], busy: (member: Member) => number): void {
    const limits = this.#limits(places, busy)
    const counts = new Map(this.#members.map((member) => [member, 0]))
    const give = (member: Member, place: Place): void => {
      member.active.push(place)
      counts.set(member, (counts.get(member) ?? 0) + 1)
    }
    const hasRoom = (member: Member): boolean => (counts.get(member) ?? 0) < (limits.get(member) ?? 0)
    const kept = new Set<Place>()
    for (const member of this.#members) {
      for (const place of this.#keeps(member, places, limits)) {
        give(member, place)
        kept.add(place)
      }
    }
    const rest = places.filter((place) => !kept.has(place))
    // Who has the state chooses first.
    const wanted = rest.filter(({ id }) => (this.#furthest.get(id) ?? 0n) > 0n)
    const without: Place[] = rest.filter((place) => !wanted.includes(place))
    for (const place of wanted) {
      const able = this.#members.filter(
        (member) => canTake(member, place) && hasRoom(member) && this.#isCaughtUp(member, place),
      )
      const next = least(able, (member) => [this.#lag(member.process, place.id), counts.get(member) ?? 0])
      if (next === undefined) without.push(place)
      else give(next, place)
    }
    for (const place of without) {
      const able = this.#members.filter((member) => canTake(member, place))
      const withRoom = able.filter(hasRoom)
      const next = least(withRoom.length > 0 ? withRoom : able, (member) => [
        this.#lag(member.process, place.id),
        counts.get(member) ?? 0,
      ])
      if (next !== undefined) give(next, place)
    }
  }

  /** TA2: how many each member gets; those that have more keep more. */
  #limits(places: readonly Place[], busy: (member: Member) => number): Map<Member, number> {
    const owned = (member: Member): number => places.filter(({ id }) => member.owned.has(id)).length
    const base = Math.floor(places.length / this.#members.length)
    const extra = places.length % this.#members.length
    const order = [...this.#members].sort((a, b) => busy(a) - busy(b) || owned(b) - owned(a) || compare(a.id, b.id))
    return new Map(order.map((member, index) => [member, index < extra ? base + 1 : base]))
  }

  /** TA3: what a member keeps of what it has; it gives up first what others have the state of. */
  #keeps(member: Member, places: readonly Place[], limits: ReadonlyMap<Member, number>): Place[] {
    const owned = places.filter(
      (place) => member.owned.has(place.id) && canTake(member, place) && this.#isCaughtUp(member, place),
    )
    const over = owned.length - (limits.get(member) ?? 0)
    if (over <= 0) return owned
    const takers = this.#members.filter(
      (other) => other !== member && places.filter(({ id }) => other.owned.has(id)).length < (limits.get(other) ?? 0),
    )
    const ease = (place: Place): number => {
      if (takers.some((taker) => taker.process === member.process)) return 2
      const known = (this.#furthest.get(place.id) ?? 0n) > 0n
      return known && takers.some((taker) => canTake(taker, place) && this.#isCaughtUp(taker, place)) ? 1 : 0
    }
    const given = new Set(
      owned
        .map((place, index) => ({ place, ease: ease(place), index }))
        .sort((a, b) => b.ease - a.ease || b.index - a.index)
        .slice(0, over)
        .map(({ place }) => place),
    )
    return owned.filter((place) => !given.has(place))
  }

  // Standby ------------------------------------------------------------------------------------------------------

  /** TA5. First those that are kept, then the rest by who has fewest. */
  #placeStandbys(): void {
    const processes = new Set(this.#members.map(({ process }) => process))
    const replicas = Math.min(this.#options.standbyReplicas, processes.size - 1)
    if (replicas <= 0) return
    const places = this.#places.filter((place) => place.stateful)
    const most = Math.ceil((places.length * replicas) / this.#members.length)
    const left = new Map(places.map((place) => [place, replicas]))
    const add = (place: Place, among: readonly Member[], order: (member: Member) => (number | bigint)[]): boolean => {
      const member = least(
        among.filter((candidate) => this.#mayStandBy(candidate, place)),
        order,
      )
      if (member === undefined) return false
      member.standbys.push({ part: place.part, partition: place.partition, warmUp: false })
      left.set(place, (left.get(place) ?? 0) - 1)
      return true
    }
    for (const place of places) {
      const holders = (): Member[] =>
        this.#members.filter((member) => member.open.has(place.id) && member.standbys.length < most)
      while ((left.get(place) ?? 0) > 0 && add(place, holders(), (member) => [this.#lag(member.process, place.id)]))
        continue
    }
    for (const place of places) {
      const order = (member: Member): (number | bigint)[] => [
        member.standbys.length < most ? 0 : 1,
        this.#isKnown(member, place) ? 0 : 1,
        member.standbys.length,
      ]
      while ((left.get(place) ?? 0) > 0 && add(place, this.#members, order)) continue
    }
  }

  #isKnown({ process }: Member, { id }: Place): boolean {
    return (this.#positions.get(process)?.get(id) ?? 0n) > 0n
  }

  #mayStandBy(member: Member, place: Place): boolean {
    if (!canTake(member, place)) return false
    return this.#members.every(
      ({ process, active, standbys }) =>
        process !== member.process || (!active.includes(place) && !standbys.some((standby) => isOf(standby, place))),
    )
  }
}

const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`

const isOf = (standby: StandbyPlace, place: Place): boolean =>
  standby.part === place.part && standby.partition === place.partition

const canTake = ({ topics }: Member, { inputs }: Place): boolean => inputs.every(({ topic }) => topics.has(topic))

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const greater = (a: bigint | undefined, b: bigint): bigint => (a === undefined || b > a ? b : a)

/** The member with the smallest ranks, compared in order; of equals the first. */
function least(members: readonly Member[], ranks: (member: Member) => (number | bigint)[]): Member | undefined {
  let found: { readonly member: Member; readonly ranks: readonly (number | bigint)[] } | undefined
  for (const member of members) {
    const own = ranks(member)
    if (found === undefined || isBefore(own, found.ranks)) found = { member, ranks: own }
  }
  return found?.member
}

function isBefore(a: readonly (number | bigint)[], b: readonly (number | bigint)[]): boolean {
  for (const [index, value] of a.entries()) {
    const other = b[index] ?? 0
    if (value !== other) return value < other
  }
  return false
}
