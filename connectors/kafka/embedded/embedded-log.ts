/** Kafka's semantics in one process, over any storage. */

import { LogError } from '../port.ts'
import type {
  FetchedPartition,
  FetchRequest,
  GroupDescription,
  GroupOptions,
  GroupSession,
  Log,
  OffsetAndMetadata,
  ProducerOptions,
  ProducerSession,
  TopicMetadata,
  TopicPartition,
  TopicSpec,
} from '../port.ts'
import { CONSUMER_OFFSETS_TOPIC, isInternal, TRANSACTION_STATE_TOPIC } from './catalogue.ts'
import { checkpointWhenGrown } from './checkpoint.ts'
import { longPoll } from './fetch.ts'
import { GroupCoordinator } from './group-coordinator.ts'
import type { OffsetStore } from './offset-store.ts'
import type { Clock, Random } from './options.ts'
import type { PartitionLog } from './partition-log.ts'
import { EmbeddedProducer } from './producer-session.ts'
import type { RecoveredTransactions } from './recover-transactions.ts'
import type { Syncer } from './syncer.ts'
import type { Topics } from './topics.ts'
import { TransactionCoordinator } from './transaction-coordinator.ts'

const DEFAULT_STABLE_TIMEOUT_MS = 30_000

export interface EmbeddedLogParts {
  readonly topics: Topics
  readonly offsets: OffsetStore
  readonly recovered: RecoveredTransactions
  readonly syncer: Syncer
  readonly clock: Clock
  readonly random: Random
  readonly checkpointBytes: number
  readonly notice: (line: string) => void
}

export class EmbeddedLog implements Log {
  readonly clusterId: string
  readonly #topics: Topics
  readonly #offsets: OffsetStore
  readonly #transactions: TransactionCoordinator
  readonly #groups: GroupCoordinator
  readonly #syncer: Syncer
  readonly #clock: Clock
  readonly #closing = new AbortController()
  #closed: Promise<void> | null = null

  constructor({ topics, offsets, recovered, syncer, clock, random, checkpointBytes, notice }: EmbeddedLogParts) {
    const stateLog = topics.partition({ topic: TRANSACTION_STATE_TOPIC, partition: 0 })
    const offsetsLog = topics.partition({ topic: CONSUMER_OFFSETS_TOPIC, partition: 0 })
    const transactions = new TransactionCoordinator({ stateLog, offsets, clock, notice, ...recovered })
    this.clusterId = topics.clusterId
    this.#topics = topics
    this.#offsets = offsets
    this.#transactions = transactions
    this.#groups = new GroupCoordinator(random, notice, (topic) =>
      topics.partitionsOf(topic).map(({ partition }) => ({ topic, partition })),
    )
    this.#syncer = syncer
    this.#clock = clock
    const checkpoint = {
      syncAll: () => syncer.flush(),
      deleteBelow: (log: PartitionLog, offset: bigint) => topics.deleteRecords([{ log, offset }]),
      growthBytes: checkpointBytes,
      notice,
    }
    checkpointWhenGrown({ ...checkpoint, log: stateLog, encodeAll: () => transactions.encodeAll() })
    checkpointWhenGrown({ ...checkpoint, log: offsetsLog, encodeAll: () => offsets.encodeAll() })
  }

  async metadata(names?: readonly string[]): Promise<readonly TopicMetadata[]> {
    this.#checkOpen()
    return this.#topics.metadata(names)
  }

  async createTopics(specs: readonly TopicSpec[]): Promise<void> {
    this.#checkOpen()
    await this.#topics.create(specs)
  }

  async listOffsets(
    partitions: readonly TopicPartition[],
    which: 'earliest' | 'latest' | 'stable',
  ): Promise<readonly bigint[]> {
    this.#checkOpen()
    return partitions.map((where) => {
      const log = this.#topics.partition(where)
      return which === 'earliest' ? log.logStart : which === 'latest' ? log.highWatermark : log.lastStableOffset
    })
  }

  async fetch(request: FetchRequest): Promise<readonly FetchedPartition[]> {
    this.#checkOpen()
    return longPoll(request, (where) => this.#topics.find(where), this.#clock, this.#closing.signal)
  }

  async openProducer({ transactionalId, transactionTimeoutMs }: ProducerOptions): Promise<ProducerSession> {
    this.#checkOpen()
    const context = {
      partition: (where: TopicPartition) => {
        this.#checkOpen()
        return this.#topics.partition(where)
      },
      offsetsLog: this.#topics.partition({ topic: CONSUMER_OFFSETS_TOPIC, partition: 0 }),
      offsets: this.#offsets,
      groups: this.#groups,
      transactions: this.#transactions,
      clock: this.#clock,
    }
    if (transactionalId === null) {
      const identity = { producerId: this.#transactions.newProducerId(), epoch: 0 }
      return new EmbeddedProducer(identity, null, transactionTimeoutMs, context)
    }
    return this.#transactions.open(
      transactionalId,
      (identity) => new EmbeddedProducer(identity, transactionalId, transactionTimeoutMs, context),
    )
  }

  async joinGroup(options: GroupOptions): Promise<GroupSession> {
    this.#checkOpen()
    return this.#groups.join(options)
  }

  async committedOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
    timeoutMs: number = DEFAULT_STABLE_TIMEOUT_MS,
  ): Promise<readonly (OffsetAndMetadata | null)[]> {
    this.#checkOpen()
    return this.#offsets.committed(groupId, partitions, timeoutMs)
  }

  async describeGroups(groupIds?: readonly string[]): Promise<readonly GroupDescription[]> {
    this.#checkOpen()
    return this.#groups.describe(groupIds, this.#offsets.groups())
  }

  async deleteRecords(before: readonly (TopicPartition & { readonly offset: bigint })[]): Promise<void> {
    this.#checkOpen()
    const moves = before.map(({ topic, partition, offset }) => {
      if (isInternal(topic)) throw new LogError('INVALID_TOPIC_EXCEPTION', `${topic} is kept by the log alone`, 'stop')
      const log = this.#topics.partition({ topic, partition })
      if (offset >= 0n && offset <= log.highWatermark) return { log, offset }
      throw new LogError(
        'OFFSET_OUT_OF_RANGE',
        `${log.name}: ${offset} is not between 0 and ${log.highWatermark}`,
        'stop',
      )
    })
    await this.#topics.deleteRecords(moves)
  }

  /** Waits for what is being written, syncs it and closes the files. Open transactions are aborted at the next open. */
  close(): Promise<void> {
    this.#closed ??= this.#shutDown()
    return this.#closed
  }

  async #shutDown(): Promise<void> {
    this.#closing.abort()
    this.#transactions.close()
    this.#offsets.close()
    this.#syncer.stop()
    await this.#topics.close()
    this.#syncer.stop()
  }

  #checkOpen(): void {
    if (this.#closed !== null) throw new LogError('CLOSED', 'the log is closed', 'stop')
  }
}
