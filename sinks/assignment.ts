/**
 * Which partitions of a projection's topic are ours, and the claim on each: the one place that knows the log's group.
 * P4 The group says whose a partition is; where it stands, and that an earlier owner writes no more, SQL says (claim).
 */

import type { GroupSession, Log, RebalanceListener, TopicMetadata } from '../connectors/kafka/index.ts'
import { LogError } from '../connectors/kafka/index.ts'
import type { AnyProjection } from './projection.ts'
import { sinkGroup } from './projection.ts'
import type { Claim, TablePort } from './table-port.ts'

/** A partition that is ours. */
export interface Source {
  readonly partition: number
  /** Null until its offset was read from SQL. */
  claim: Claim | null
  /** The next offset to read. */
  position: bigint
  /** The last stable offset when last looked. */
  endOffset: bigint
  /** Dead letters already appended, at or after `position`: a batch tried again does not repeat them. */
  readonly setAside: Set<bigint>
}

export interface AssignmentOptions {
  readonly projection: AnyProjection
  readonly log: Log
  readonly tables: TablePort
  readonly sessionTimeoutMs: number
  /** Partitions came or went. */
  readonly changed: () => void
  /** Settles when nothing is being written: partitions are given up only then. */
  readonly quiet: () => Promise<void>
}

export class Assignment {
  readonly #options: AssignmentOptions
  readonly #sources = new Map<number, Source>()
  #topic: TopicMetadata | null = null
  #session: GroupSession | null = null
  #rejoin = false
  #isMember = false
  /** Why the session has ended for good. */
  #failure: LogError | null = null

  constructor(options: AssignmentOptions) {
    this.#options = options
  }

  /** Known once `hold` has returned. */
  get topic(): TopicMetadata {
    return this.#topic!
  }

  /** The group has said what is ours, maybe nothing; a session that was only opened may be refused yet. */
  get isMember(): boolean {
    return this.#isMember
  }

  get sources(): readonly Source[] {
    return [...this.#sources.values()]
  }

  of(partition: number): Source | undefined {
    return this.#sources.get(partition)
  }

  /** Is a member of the group, and every partition that is ours is claimed. @throws LogError, SinkError, or the database's */
  async hold(claimed: (source: Source, nextOffset: bigint) => void): Promise<void> {
    const failure = this.#failure
    if (this.#rejoin || failure !== null) await this.leave()
    if (failure !== null) throw failure
    if (this.#session === null) await this.#join()
    for (const source of this.sources) {
      if (source.claim !== null) continue
      source.claim = await this.#claim(source.partition)
      claimed(source, source.claim.nextOffset)
    }
  }

  /** Somebody else has claimed: nothing is ours until the group has spoken again. */
  lose(): void {
    this.#sources.clear()
    this.#rejoin = true
  }

  async leave(): Promise<void> {
    const session = this.#session
    this.#session = null
    this.#rejoin = false
    this.#isMember = false
    this.#failure = null
    this.#sources.clear()
    await session?.leave().catch(() => undefined)
  }

  async #join(): Promise<void> {
    const { log, projection, sessionTimeoutMs } = this.#options
    const topic = projection.reads.name
    this.#topic = (await log.metadata([topic]))[0] ?? null
    if (this.#topic === null) throw new LogError('UNKNOWN_TOPIC_OR_PARTITION', `topic ${topic} does not exist`, 'retry')
    this.#session = await log.joinGroup({
      groupId: sinkGroup(projection),
      topics: [topic],
      instanceId: null,
      sessionTimeoutMs,
      listener: this.#listener(),
    })
  }

  #listener(): RebalanceListener {
    const { changed, quiet } = this.#options
    return {
      assigned: (partitions) => {
        for (const { partition } of partitions) {
          if (!this.#sources.has(partition)) this.#sources.set(partition, newSource(partition))
        }
        this.#isMember = true
        changed()
        return Promise.resolve()
      },
      revoked: async (partitions) => {
        for (const { partition } of partitions) this.#sources.delete(partition)
        changed()
        await quiet()
      },
      // What is being written then is SQL's to refuse: the claim of the next owner fences it.
      lost: () => {
        this.#isMember = false
        this.#sources.clear()
        changed()
        return Promise.resolve()
      },
      failed: (error) => {
        this.#failure = error
        changed()
      },
    }
  }

  async #claim(partition: number): Promise<Claim> {
    const { log, tables, projection } = this.#options
    const { name, topicId, partitions } = this.topic
    const [first = 0n] = await log.listOffsets([{ topic: name, partition }], 'earliest')
    const source = { sink: projection.name, topic: name, partition, clusterId: log.clusterId, topicId, partitions }
    return tables.claim(source, first)
  }
}

const newSource = (partition: number): Source => ({
  partition,
  claim: null,
  position: 0n,
  endOffset: 0n,
  setAside: new Set(),
})
