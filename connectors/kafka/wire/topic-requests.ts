/** Topics and where they begin and end: the requests about partitions that move no records. */

import {
  ConfigResourceTypes,
  createTopicsV7,
  deleteRecordsV2,
  describeConfigsV4,
  ListOffsetTimestamps,
  listOffsetsV9,
} from '@platformatic/kafka'
import type { API } from '@platformatic/kafka'
import type { Clock } from '../clock.ts'
import { LogError } from '../port.ts'
import type { TopicMetadata, TopicPartition, TopicSpec } from '../port.ts'
import { byTopic } from './by-topic.ts'
import type { Cluster, Led, Topic } from './cluster.ts'
import type { Connections } from './connections.ts'
import { Unsent } from './connections.ts'
import { check, codeOf, errorOf } from './errors.ts'

type Which = 'earliest' | 'latest' | 'stable'

/** Of one partition, as a leader answered. */
interface Answered<R> extends TopicPartition {
  readonly errorCode: number
  readonly result: R
}

const replicaOfNobody = -1
const anyEpoch = -1
/** As many as the cluster says is usual. */
const usualReplication = -1
const readUncommitted = 0
const readCommitted = 1
/** How often a topic that was made is looked at until all of it has leaders, in ms. */
const readyPollMs = 20

export class TopicRequests {
  readonly #cluster: Cluster
  readonly #connections: Connections
  readonly #clock: Clock
  readonly #timeoutMs: number

  constructor(cluster: Cluster, connections: Connections, clock: Clock, timeoutMs: number) {
    this.#cluster = cluster
    this.#connections = connections
    this.#clock = clock
    this.#timeoutMs = timeoutMs
  }

  async metadata(names?: readonly string[]): Promise<readonly TopicMetadata[]> {
    const found = await this.#cluster.refresh(names ?? null)
    const topics = names === undefined ? found.filter(({ internal }) => !internal) : found
    const configs = await this.#configs(topics)
    return topics.map(({ name, id, leaders }) => ({
      name,
      topicId: id,
      partitions: leaders.length,
      config: configs.get(name) ?? {},
    }))
  }

  /** What counts for each topic, whether it was said of it or of the cluster. Without the right to know, nothing. */
  async #configs(topics: readonly Topic[]): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>> {
    if (topics.length === 0) return new Map()
    const asked = topics.map(({ name }) => ({
      resourceType: ConfigResourceTypes.TOPIC,
      resourceName: name,
      configurationKeys: null,
    }))
    const { results } = await this.#cluster.any(describeConfigsV4.api, asked, false, false)
    return new Map(
      results.map(({ errorCode, resourceName, configs }) => {
        const code = errorCode === 0 ? null : codeOf(errorCode)
        // Deleted meanwhile, or not ours to know.
        if (code !== null && code !== 'UNKNOWN_TOPIC_OR_PARTITION' && code !== 'TOPIC_AUTHORIZATION_FAILED')
          throw errorOf(errorCode, `configuration of ${resourceName}`)
        const known = configs.flatMap(({ name, value }) => (value == null ? [] : [[name, value] as const]))
        return [resourceName, Object.fromEntries(known)]
      }),
    )
  }

  /**
   * Returns when all of it can be written and read; so can, when it throws TOPIC_ALREADY_EXISTS, what somebody else has made
   * a moment ago. @throws LogError of the first that was refused; others may exist then
   */
  async createTopics(specs: readonly TopicSpec[]): Promise<void> {
    const asked = specs.map(({ name, partitions, config }) => ({
      name,
      numPartitions: partitions,
      replicationFactor: usualReplication,
      assignments: [],
      configs: Object.entries(config).map(([key, value]) => ({ name: key, value })),
    }))
    const { topics } = await this.#cluster.any(createTopicsV7.api, asked, this.#timeoutMs, false)
    const refused = new Map(topics.map(({ name, errorCode }) => [name, errorCode === 0 ? null : codeOf(errorCode)]))
    await this.#ready(
      specs.flatMap((spec) => {
        const code = refused.get(spec.name) ?? null
        if (code === null) return [spec]
        // How many partitions it has is not ours to say.
        return code === 'TOPIC_ALREADY_EXISTS' ? [{ ...spec, partitions: 1 }] : []
      }),
    )
    for (const { name, errorCode, errorMessage } of topics) check(errorCode, `topic ${name}`, errorMessage)
  }

  /** A leader is named before it has opened the partition: it has when it says where that begins. */
  async #ready(specs: readonly TopicSpec[]): Promise<void> {
    const names = specs.map(({ name }) => name)
    const all = specs.flatMap(({ name: topic, partitions }) =>
      Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
    )
    for (let waitedMs = 0; waitedMs < this.#timeoutMs; waitedMs += readyPollMs) {
      try {
        await this.#cluster.refresh(names)
        await this.listOffsets(all, 'earliest')
        return
      } catch (error) {
        const isLate =
          error instanceof LogError && (error.then === 'retry' || error.code === 'UNKNOWN_TOPIC_OR_PARTITION')
        if (!isLate) throw error
      }
      await new Promise<void>((resolve) => void this.#clock.after(readyPollMs, resolve))
    }
  }

  async listOffsets(partitions: readonly TopicPartition[], which: Which): Promise<readonly bigint[]> {
    const timestamp = which === 'earliest' ? ListOffsetTimestamps.EARLIEST : ListOffsetTimestamps.LATEST
    const isolation = which === 'stable' ? readCommitted : readUncommitted
    const led = await this.#cluster.led(partitions)
    checkLed(led)
    const offsets = await this.#eachLeader('ListOffsets', led, listOffsetsV9.api, {
      request: (parts) => [
        replicaOfNobody,
        isolation,
        byTopic(parts).map(([name, of]) => ({
          name,
          partitions: of.map(({ partition }) => ({
            partitionIndex: partition,
            currentLeaderEpoch: anyEpoch,
            timestamp,
          })),
        })),
      ],
      answers: ({ topics }) =>
        topics.flatMap(({ name, partitions: of }) =>
          of.map(({ partitionIndex, errorCode, offset }) => answered(name, partitionIndex, errorCode, offset)),
        ),
    })
    return partitions.map((where) => offsets.get(placeOf(where))!)
  }

  /** Where nobody can be asked nothing is deleted; that is said when it is done elsewhere. */
  async deleteRecords(before: readonly (TopicPartition & { readonly offset: bigint })[]): Promise<void> {
    const led = await this.#cluster.led(before)
    await this.#eachLeader('DeleteRecords', led, deleteRecordsV2.api, {
      request: (parts) => [
        byTopic(parts).map(([name, of]) => ({
          name,
          partitions: of.map(({ partition, offset }) => ({ partitionIndex: partition, offset })),
        })),
        this.#timeoutMs,
      ],
      answers: ({ topics }) =>
        topics.flatMap(({ name, partitions: of }) =>
          of.map(({ partitionIndex, errorCode, lowWatermark }) =>
            answered(name, partitionIndex, errorCode, lowWatermark),
          ),
        ),
    })
    checkLed(led)
  }

  /** Asks each leader about its partitions. @returns by name of the partition @throws LogError of the first that was refused */
  async #eachLeader<T extends TopicPartition, A extends unknown[], R, Result>(
    what: string,
    { nodes }: Led<T>,
    api: API<[...A], R>,
    by: { request(parts: readonly T[]): [...A]; answers(answer: R): readonly Answered<Result>[] },
  ): Promise<ReadonlyMap<string, Result>> {
    const results = new Map<string, Result>()
    await Promise.all(
      [...nodes].map(async ([to, parts]) => {
        try {
          const route = { to, lane: null, timeoutMs: this.#timeoutMs }
          const answer = await this.#connections.call(route, api, ...by.request(parts))
          for (const one of by.answers(answer)) results.set(placeOf(one), await this.#sound(what, one))
        } catch (error) {
          this.#cluster.forget(parts)
          if (error instanceof Unsent) throw new LogError('NOT_LEADER_OR_FOLLOWER', error.message, 'retry', error)
          throw error
        }
        for (const place of parts.map(placeOf))
          if (!results.has(place))
            throw new LogError('UNKNOWN_TOPIC_OR_PARTITION', `${what}: no answer for ${place}`, 'stop')
      }),
    )
    return results
  }

  async #sound<Result>(what: string, { topic, partition, errorCode, result }: Answered<Result>): Promise<Result> {
    if (errorCode === 0) return result
    const error = errorOf(errorCode, `${what} of ${topic}-${partition}`)
    if (error.code === 'UNKNOWN_TOPIC_OR_PARTITION' && (await this.#cluster.stillHas(topic)))
      throw new LogError('NOT_LEADER_OR_FOLLOWER', error.message, 'retry', error)
    throw error
  }
}

const placeOf = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`

/** @throws LogError of the first partition that nobody can be asked about */
function checkLed({ unknown, leaderless }: Led<TopicPartition>): void {
  for (const where of unknown) throw new LogError('UNKNOWN_TOPIC_OR_PARTITION', `there is no ${placeOf(where)}`, 'stop')
  for (const where of leaderless)
    throw new LogError('NOT_LEADER_OR_FOLLOWER', `${placeOf(where)} has no leader now`, 'retry')
}

const answered = <R>(topic: string, partition: number, errorCode: number, result: R): Answered<R> => ({
  topic,
  partition,
  errorCode,
  result,
})
