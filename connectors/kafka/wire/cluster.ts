/**
 * What is known of the cluster: its nodes, and who leads what. Asked for when it is needed, and again when a broker says that
 * it is wrong.
 */

import type { API } from '@platformatic/kafka'
import { metadataV12 } from '@platformatic/kafka'
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

const noLeader = -1

export class Cluster {
  readonly #connections: Connections
  readonly #bootstrap: readonly Address[]
  readonly #timeoutMs: number
  readonly #nodes = new Map<number, Address>()
  readonly #topics = new Map<string, Topic>()
  /** Turns through the nodes, so that one that is away is not asked twice in a row. */
  #turn = 0
  #clusterId = ''

  constructor(connections: Connections, bootstrap: readonly Address[], timeoutMs: number) {
    this.#connections = connections
    this.#bootstrap = bootstrap
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
    const addresses = this.#nodes.size === 0 ? this.#bootstrap : [...this.nodes, ...this.#bootstrap]
    let failure: Unsent | null = null
    for (let tried = 0; tried < addresses.length; tried++) {
      const to = addresses[this.#turn % addresses.length]!
      try {
        return await this.#connections.call({ to, lane: 'cluster', timeoutMs: this.#timeoutMs }, api, ...args)
      } catch (error) {
        // Also one that hears and does not answer.
        this.#turn++
        if (!(error instanceof Unsent)) throw error
        failure ??= error
      }
    }
    const names = [...new Set(addresses.map(nameOf))].join(', ')
    throw new LogError('TIMEOUT', `no Kafka broker can be reached at ${names} (${failure?.message})`, 'retry', failure)
  }

  /** Looks anew. @param names of topics, all when null. @returns those that exist */
  async refresh(names: readonly string[] | null): Promise<readonly Topic[]> {
    const answer = await this.any(metadataV12.api, names === null ? null : [...names], false, false)
    this.#clusterId = answer.clusterId ?? ''
    this.#nodes.clear()
    for (const { nodeId, host, port } of answer.brokers) this.#nodes.set(nodeId, { host, port })
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
      const leaders = Array<number>(partitions.length).fill(noLeader)
      for (const one of partitions) leaders[one.partitionIndex] = one.leaderId
      const topic = { name, id: topicId, internal: isInternal, leaders }
      this.#topics.set(name, topic)
      found.push(topic)
    }
    check(hidden.length === 0 ? 0 : topicAuthorizationFailed, `metadata of ${hidden.sort().join(', ')}`)
    return found
  }

  /** From what is known, asking only for what is not. Left out is what no node has heard of: one may be late. */
  async topics(names: readonly string[]): Promise<ReadonlyMap<string, Topic>> {
    // What others forget or learn meanwhile is not this caller's.
    const found = new Map<string, Topic>()
    let missing: string[] = []
    for (const name of new Set(names)) {
      const known = this.#topics.get(name)
      if (known === undefined) missing.push(name)
      else found.set(name, known)
    }
    for (let asked = 0; missing.length > 0 && asked < Math.max(1, this.#nodes.size); asked++) {
      if (asked > 0) this.#turn++
      for (const topic of await this.refresh(missing)) found.set(topic.name, topic)
      missing = missing.filter((name) => !found.has(name))
    }
    return found
  }

  /** What was said of these topics is wrong, or may be. */
  forget(parts: Iterable<{ readonly topic: string }>): void {
    for (const { topic } of parts) this.#topics.delete(topic)
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

/** It may not be seen, or is not there and would not be seen. */
const topicAuthorizationFailed = 29
/** UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION */
const isUnknown = (errorCode: number): boolean => errorCode === 3 || errorCode === 17
/** LEADER_NOT_AVAILABLE: of a topic that was made a moment ago. */
const isLeaderless = (errorCode: number): boolean => errorCode === 5
