/**
 * What is known of the cluster: its nodes, and who leads what. Asked for when it is needed, and again when a broker says that
 * it is wrong.
 *
 *   KM1  No node is believed for ever: one that has lost touch with the others answers as ever, with what was. What turns out to
 *       be wrong is asked of the next node, and what is old is looked at again at the next, aside: nobody waits for that.
 *   KM2  Nor is it believed before one that knows more: of two leaders the one of the later epoch counts, and no partition
 *       that was seen is gone while its topic is the same.
 *   KM3  A node that is silent (KC5) is the last to be asked.
 */

import type { API } from '@platformatic/kafka'
import { metadataV12 } from '@platformatic/kafka'
import type { Clock } from '../clock.ts'
import { LogError } from '../port.ts'
import type { TopicPartition } from '../port.ts'
import type { Address, Connections } from './connections.ts'
import { nameOf, Unsent } from './connections.ts'
import { check, errorOf, withCode } from './errors.ts'

export interface Topic {
  readonly name: string
  /** Of this topic, not of another that had the name before. */
  readonly id: string
  readonly internal: boolean
  /** Node ids of the leaders by partition, -1 where there is none now. */
  readonly leaders: readonly number[]
}

/** Partitions by the node that leads them, and those that nobody can be asked about. */
export interface Led<T> {
  readonly nodes: ReadonlyMap<Address, readonly T[]>
  /** Of topics that do not exist, or past their last partition. */
  readonly unknown: readonly T[]
  readonly leaderless: readonly T[]
  /** What was known when they were looked for, by name. */
  readonly topics: ReadonlyMap<string, Topic>
}

/** An answer of whichever node had its turn. */
export interface Told<R> {
  readonly answer: R
  readonly turn: number
}

interface Known {
  readonly topic: Topic
  /** When and in which turn that was told. */
  readonly at: number
  readonly turn: number
}

/** The latest leaders that were told of, and their epochs (KM2). */
interface Seen {
  readonly id: string
  readonly leaders: readonly number[]
  readonly epochs: readonly number[]
}

type Partitions = readonly {
  readonly partitionIndex: number
  readonly leaderId: number
  readonly leaderEpoch: number
}[]

const noLeader = -1
const noEpoch = -1
/** How long what is known counts as new, in ms: as in Kafka's own client. */
const maxAgeMs = 300_000

export class Cluster {
  readonly #connections: Connections
  readonly #bootstrap: readonly Address[]
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #nodes = new Map<number, Address>()
  readonly #topics = new Map<string, Known>()
  readonly #seen = new Map<string, Seen>()
  /** Turns through the nodes, so that one that is away or wrong is not asked twice in a row. */
  #turn = 0
  #isRenewing = false
  #clusterId = ''

  constructor(connections: Connections, bootstrap: readonly Address[], clock: Clock, timeoutMs: number) {
    this.#connections = connections
    this.#bootstrap = bootstrap
    this.#clock = clock
    this.#timeoutMs = timeoutMs
  }

  get clusterId(): string {
    return this.#clusterId
  }

  /** Every node that is known. */
  get nodes(): readonly Address[] {
    return [...this.#nodes.values()]
  }

  /** A request that any broker answers. They are tried in turn until one takes it. @throws LogError TIMEOUT */
  async any<A extends unknown[], R>(api: API<A, R>, ...args: A): Promise<R> {
    return (await this.told(api, ...args)).answer
  }

  /** The same, for an answer that may turn out to be wrong: `doubt` is told then. */
  told<A extends unknown[], R>(api: API<A, R>, ...args: A): Promise<Told<R>> {
    return this.#toldFrom(this.#turn, api, args)
  }

  /** What was told in this turn is wrong, or may be: the next node is asked (KM1). */
  doubt(turn: number): void {
    this.#turn = Math.max(this.#turn, turn + 1)
  }

  async #toldFrom<A extends unknown[], R>(first: number, api: API<A, R>, args: A): Promise<Told<R>> {
    const nodes = inTurn(this.nodes, first)
    const addresses = nodes.length === 0 ? inTurn(this.#bootstrap, first) : [...nodes, ...this.#bootstrap]
    const inOrder = addresses.map((to, tried) => ({ to, turn: first + tried }))
    // KM3
    const heard = inOrder.filter(({ to }) => !this.#connections.isSilent(to))
    const silent = inOrder.filter(({ to }) => this.#connections.isSilent(to))
    let failure: Unsent | null = null
    for (const { to, turn } of [...heard, ...silent]) {
      try {
        const route = { to, lane: 'cluster', timeoutMs: this.#timeoutMs }
        return { answer: await this.#connections.call(route, api, ...args), turn }
      } catch (error) {
        // Also one that hears and does not answer.
        this.doubt(turn)
        if (!(error instanceof Unsent)) throw error
        failure ??= error
      }
    }
    const names = [...new Set(addresses.map(nameOf))].join(', ')
    throw new LogError('TIMEOUT', `no Kafka broker can be reached at ${names} (${failure?.message})`, 'retry', failure)
  }

  /** Looks anew. @param names of topics, all when null. @returns those that exist */
  async refresh(names: readonly string[] | null): Promise<readonly Topic[]> {
    return (await this.#look(names, this.#turn)).answer
  }

  async #look(names: readonly string[] | null, first: number): Promise<Told<readonly Topic[]>> {
    const asked = names === null ? null : [...names]
    const { answer, turn } = await this.#toldFrom(first, metadataV12.api, [asked, false, false])
    const at = this.#clock.now()
    this.#clusterId = answer.clusterId ?? ''
    this.#nodes.clear()
    // Whoever answers: the turns go on where they were.
    const brokers = answer.brokers.toSorted((one, other) => one.nodeId - other.nodeId)
    for (const { nodeId, host, port } of brokers) this.#nodes.set(nodeId, { host, port })
    for (const name of names ?? [...this.#topics.keys()]) this.#topics.delete(name)
    const found: Topic[] = []
    const hidden: string[] = []
    for (const { errorCode, name, topicId, isInternal, partitions } of answer.topics) {
      if (name == null || isUnknown(errorCode)) continue
      if (errorCode === topicAuthorizationFailed) {
        hidden.push(name)
        continue
      }
      if (errorCode !== 0 && !isLeaderless(errorCode)) throw errorOf(errorCode, `metadata of ${name}`)
      const topic = { name, id: topicId, internal: isInternal, leaders: this.#leadersOf(name, topicId, partitions) }
      this.#topics.set(name, { topic, at, turn })
      found.push(topic)
    }
    check(hidden.length === 0 ? 0 : topicAuthorizationFailed, `metadata of ${hidden.sort().join(', ')}`)
    return { answer: found, turn }
  }

  /** KM2 */
  #leadersOf(name: string, id: string, partitions: Partitions): readonly number[] {
    const seen = this.#seen.get(name)
    const before = seen?.id === id ? seen : null
    const count = Math.max(partitions.length, before?.leaders.length ?? 0)
    const leaders = Array.from({ length: count }, (_, partition) => before?.leaders[partition] ?? noLeader)
    const epochs = leaders.map((_, partition) => before?.epochs[partition] ?? noEpoch)
    for (const { partitionIndex, leaderId, leaderEpoch } of partitions) {
      if (leaderEpoch !== noEpoch && leaderEpoch < epochs[partitionIndex]!) continue
      leaders[partitionIndex] = leaderId
      epochs[partitionIndex] = leaderEpoch
    }
    this.#seen.set(name, { id, leaders, epochs })
    return leaders
  }

  /** From what is known, asking only for what is not. Left out is what no node has heard of: one may be late. */
  async topics(names: readonly string[]): Promise<ReadonlyMap<string, Topic>> {
    // What others forget or learn meanwhile is not this caller's.
    const found = new Map<string, Topic>()
    const old: Known[] = []
    let missing: string[] = []
    for (const name of new Set(names)) {
      const known = this.#topics.get(name)
      if (known === undefined) missing.push(name)
      else found.set(name, known.topic)
      if (known !== undefined && this.#isOld(known)) old.push(known)
    }
    if (old.length > 0) this.#renew(old)
    let next = this.#turn
    for (let asked = 0; missing.length > 0 && asked < Math.max(1, this.#nodes.size); asked++) {
      if (asked > 0) this.doubt(next - 1)
      const { answer, turn } = await this.#look(missing, next)
      next = turn + 1
      for (const topic of answer) found.set(topic.name, topic)
      missing = missing.filter((name) => !found.has(name))
    }
    return found
  }

  #isOld({ at }: Known): boolean {
    const ageMs = this.#clock.now() - at
    // A clock that was set back counts as late.
    return ageMs < 0 || ageMs >= maxAgeMs
  }

  /** Aside (KM1). What comes of it counts for the next who asks; while nobody can tell, what is known does. */
  #renew(old: readonly Known[]): void {
    if (this.#isRenewing) return
    this.#isRenewing = true
    for (const { turn } of old) this.doubt(turn)
    void this.refresh(old.map(({ topic }) => topic.name))
      .catch(() => undefined)
      .finally(() => (this.#isRenewing = false))
  }

  /** What was said of these topics is wrong, or may be. */
  forget(parts: Iterable<{ readonly topic: string }>): void {
    for (const { topic } of parts) {
      const known = this.#topics.get(topic)
      if (known === undefined) continue
      this.#topics.delete(topic)
      this.doubt(known.turn)
    }
  }

  /**
   * Who is to be asked. What has no leader is looked for again the next time; a topic that has too few partitions at once,
   * since it may have grown.
   * @throws LogError NOT_LEADER_OR_FOLLOWER when nobody can say: looking has no effect, however it ends
   */
  async led<T extends TopicPartition>(parts: readonly T[], mayHaveGrown = true): Promise<Led<T>> {
    const topics = await this.topics(parts.map(({ topic }) => topic)).catch(withCode('NOT_LEADER_OR_FOLLOWER'))
    const leaderOf = ({ topic, partition }: T): number | undefined => topics.get(topic)?.leaders[partition]
    const nodes = new Map<Address, T[]>()
    const unknown: T[] = []
    const leaderless: T[] = []
    for (const part of parts) {
      const leader = leaderOf(part)
      const node = leader === undefined ? undefined : this.#nodes.get(leader)
      const led = node === undefined ? undefined : nodes.get(node)
      if (leader === undefined) unknown.push(part)
      else if (node === undefined) leaderless.push(part)
      else if (led === undefined) nodes.set(node, [part])
      else led.push(part)
    }
    const outgrown = unknown.filter(({ topic }) => topics.has(topic))
    if (mayHaveGrown && outgrown.length > 0) {
      this.forget(outgrown)
      return this.led(parts, false)
    }
    this.forget(leaderless)
    return { nodes, unknown, leaderless, topics }
  }

  /**
   * A leader does not know one of its partitions. Either the topic is gone, or that node has not heard of it yet.
   * @returns true when the topic is the same as before: whoever asked may ask again
   */
  async stillHas(topic: string, id?: string): Promise<boolean> {
    this.forget([{ topic }])
    const found = (await this.topics([topic])).get(topic)
    return found !== undefined && (id === undefined || found.id === id)
  }
}

/** All of them, each once, beginning with the one whose turn it is. */
const inTurn = (addresses: readonly Address[], turn: number): readonly Address[] =>
  addresses.map((_, index) => addresses[(turn + index) % addresses.length]!)

/** It may not be seen, or is not there and would not be seen. */
const topicAuthorizationFailed = 29
/** UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION */
const isUnknown = (errorCode: number): boolean => errorCode === 3 || errorCode === 17
/** LEADER_NOT_AVAILABLE: of a topic that was made a moment ago. */
const isLeaderless = (errorCode: number): boolean => errorCode === 5
