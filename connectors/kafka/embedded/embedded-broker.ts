/** Kafka's semantics in one process, over any storage. Every request ends in a partition, in a coordinator, or in both. */

import {
  batchFault,
  baseSequenceOf,
  countOf,
  epochOf,
  isControl,
  isTransactional,
  producerIdOf,
  sizeOf,
} from '../batch-format.ts'
import type {
  Broker,
  EndTxnRequest,
  InitProducerIdRequest,
  JoinGroupResponse,
  OffsetCommitRequest,
  OffsetFetchRequest,
  ProduceBatch,
  ProducedPartition,
  ProduceRequest,
  ProducerIdentity,
  TxnOffsetCommitRequest,
} from '../broker.ts'
import type { Clock, Random } from '../clock.ts'
import type { CrashPoint } from '../crash-point.ts'
import { LogError } from '../port.ts'
import type {
  FetchedPartition,
  FetchRequest,
  GroupDescription,
  GroupOptions,
  GroupSession,
  OffsetAndMetadata,
  TopicMetadata,
  TopicPartition,
  TopicSpec,
} from '../port.ts'
import { CONSUMER_OFFSETS_TOPIC, isInternal, TRANSACTION_STATE_TOPIC } from './catalogue.ts'
import { checkpointWhenGrown } from './checkpoint.ts'
import { longPoll } from './fetch.ts'
import { GroupCoordinator } from './group-coordinator.ts'
import type { OffsetStore } from './offset-store.ts'
import type { PartitionLog } from './partition-log.ts'
import type { RecoveredTransactions } from './recover-transactions.ts'
import type { Syncer } from './syncer.ts'
import type { Topics } from './topics.ts'
import { NO_PRODUCER, TransactionCoordinator } from './transaction-coordinator.ts'

/** Kafka's `offset.metadata.max.bytes`. */
const MAX_METADATA_BYTES = 4096

export interface EmbeddedBrokerParts {
  readonly topics: Topics
  readonly offsets: OffsetStore
  readonly recovered: RecoveredTransactions
  readonly syncer: Syncer
  readonly clock: Clock
  readonly random: Random
  readonly checkpointBytes: number
  readonly notice: (line: string) => void
  readonly crash: CrashPoint
}

export class EmbeddedBroker implements Broker {
  readonly clusterId: string
  readonly #topics: Topics
  readonly #offsets: OffsetStore
  readonly #offsetsLog: PartitionLog
  readonly #transactions: TransactionCoordinator
  readonly #groups: GroupCoordinator
  readonly #syncer: Syncer
  readonly #clock: Clock
  readonly #closing = new AbortController()
  #closed: Promise<void> | null = null

  constructor(parts: EmbeddedBrokerParts) {
    const { topics, offsets, recovered, syncer, clock, random, checkpointBytes, notice, crash } = parts
    const stateLog = topics.partition({ topic: TRANSACTION_STATE_TOPIC, partition: 0 })
    const offsetsLog = topics.partition({ topic: CONSUMER_OFFSETS_TOPIC, partition: 0 })
    const transactions = new TransactionCoordinator({ stateLog, offsets, clock, notice, crash, ...recovered })
    this.clusterId = topics.clusterId
    this.#topics = topics
    this.#offsets = offsets
    this.#offsetsLog = offsetsLog
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

  /** After a recovery, before the first request: who wrote before must open anew. @throws LogError STORAGE_FULL, STORAGE_ERROR */
  fenceRecovered(): Promise<void> {
    return this.#transactions.fenceRecovered()
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

  async deleteRecords(before: readonly (TopicPartition & { readonly offset: bigint })[]): Promise<void> {
    this.#checkOpen()
    const moves = before.map(({ topic, partition, offset }) => {
      if (isInternal(topic)) throw internalTopic(topic)
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

  async initProducerId({ transactionalId, transactionTimeoutMs }: InitProducerIdRequest): Promise<ProducerIdentity> {
    this.#checkOpen()
    if (transactionalId === null) return this.#transactions.newProducer()
    return this.#transactions.open(transactionalId, transactionTimeoutMs)
  }

  /** Batches get their places synchronously, in the order of the calls. */
  async produce({ transactionalId, batches }: ProduceRequest): Promise<readonly ProducedPartition[]> {
    this.#checkOpen()
    return Promise.all(batches.map((batch) => this.#produce(transactionalId, batch)))
  }

  async txnOffsetCommit(request: TxnOffsetCommitRequest): Promise<void> {
    this.#checkOpen()
    const { transactionalId, producerId, epoch, group, offsets } = request
    const transaction = this.#transactions.join(transactionalId, request)
    this.#checkOffsets(request)
    if (offsets.length === 0) return
    const writtenAt = this.#offsets.addPending(producerId, group.groupId, offsets)
    const records = this.#offsets.encode(group.groupId, offsets)
    const batch = records.build({ producerId, epoch, baseSequence: -1, transactional: true })
    await transaction.track(this.#offsetsLog, records.count, this.#offsetsLog.append(batch, writtenAt))
  }

  async endTxn(request: EndTxnRequest): Promise<ProducerIdentity> {
    this.#checkOpen()
    return this.#transactions.end(request)
  }

  async offsetCommit(request: OffsetCommitRequest): Promise<void> {
    this.#checkOpen()
    this.#checkOffsets(request)
    const { group, offsets } = request
    if (offsets.length === 0) return
    const batch = this.#offsets.encode(group.groupId, offsets).build(NO_PRODUCER)
    await this.#offsetsLog.append(batch, (at) => this.#offsets.commit(group.groupId, offsets, at))
  }

  async offsetFetch(request: OffsetFetchRequest): Promise<readonly (OffsetAndMetadata | null)[]> {
    this.#checkOpen()
    return this.#offsets.fetch(request.groupId, request.partitions, request.requireStable)
  }

  async describeGroups(groupIds?: readonly string[]): Promise<readonly GroupDescription[]> {
    this.#checkOpen()
    return this.#groups.describe(groupIds, this.#offsets.groups())
  }

  /** Membership inside the process, until a group has several members. */
  async join(options: GroupOptions): Promise<GroupSession> {
    this.#checkOpen()
    return this.#groups.join(options)
  }

  joinGroup(): Promise<JoinGroupResponse> {
    return Promise.reject(noGroups())
  }

  syncGroup(): Promise<Buffer> {
    return Promise.reject(noGroups())
  }

  heartbeat(): Promise<void> {
    return Promise.reject(noGroups())
  }

  leaveGroup(): Promise<void> {
    return Promise.reject(noGroups())
  }

  /** Waits for what is being written, syncs it and closes the files. Open transactions are aborted at the next open. */
  close(): Promise<void> {
    this.#closed ??= this.#shutDown()
    return this.#closed
  }

  async #shutDown(): Promise<void> {
    this.#closing.abort()
    this.#transactions.close()
    this.#syncer.stop()
    await this.#topics.close()
    this.#syncer.stop()
  }

  async #produce(
    transactionalId: string | null,
    { topic, partition, batch }: ProduceBatch,
  ): Promise<ProducedPartition> {
    try {
      const baseOffset = await this.#append(transactionalId, { topic, partition }, batch)
      return { topic, partition, baseOffset, error: null, message: null }
    } catch (error) {
      if (!(error instanceof LogError)) throw error
      return { topic, partition, baseOffset: -1n, error: error.code, message: error.message }
    }
  }

  #append(transactionalId: string | null, where: TopicPartition, batch: Buffer): Promise<bigint> {
    if (isInternal(where.topic)) throw internalTopic(where.topic)
    const log = this.#topics.partition(where)
    if (batch.length > log.maxBatchBytes) throw tooLarge(log, batch)
    checkBatch(log, batch, transactionalId !== null)
    if (transactionalId === null) return log.append(batch)
    const by = { producerId: producerIdOf(batch, 0), epoch: epochOf(batch, 0) }
    return this.#transactions.join(transactionalId, by).track(log, countOf(batch, 0), log.append(batch))
  }

  /** @throws LogError UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, FENCED_INSTANCE_ID, UNKNOWN_TOPIC_OR_PARTITION, … */
  #checkOffsets({ group, offsets }: OffsetCommitRequest): void {
    this.#groups.check(group)
    for (const { topic, partition, metadata } of offsets) {
      this.#topics.partition({ topic, partition })
      if (Buffer.byteLength(metadata) <= MAX_METADATA_BYTES) continue
      const what = `${topic}-${partition}: metadata of an offset is longer than ${MAX_METADATA_BYTES} bytes`
      throw new LogError('OFFSET_METADATA_TOO_LARGE', what, 'stop')
    }
  }

  #checkOpen(): void {
    if (this.#closed !== null) throw new LogError('CLOSED', 'the log is closed', 'stop')
  }
}

/** Bytes of a client are not trusted. @throws LogError CORRUPT_MESSAGE, INVALID_RECORD */
function checkBatch(log: PartitionLog, batch: Buffer, transactional: boolean): void {
  const fault = batchFault(batch, 0) ?? (sizeOf(batch, 0) === batch.length ? null : 'bytes behind the batch')
  if (fault !== null) throw new LogError('CORRUPT_MESSAGE', `${log.name}: ${fault}`, 'stop')
  const wrong =
    countOf(batch, 0) === 0
      ? 'an empty batch'
      : isControl(batch, 0)
        ? 'a control batch'
        : producerIdOf(batch, 0) >= 0n && baseSequenceOf(batch, 0) < 0
          ? 'a batch of a producer without a sequence'
          : isTransactional(batch, 0) !== transactional
            ? 'a batch and its request of which one alone is transactional'
            : null
  if (wrong !== null) throw new LogError('INVALID_RECORD', `${log.name}: a client sent ${wrong}`, 'stop')
}

const internalTopic = (topic: string): LogError =>
  new LogError('INVALID_TOPIC_EXCEPTION', `${topic} is kept by the log alone`, 'stop')

const tooLarge = (log: PartitionLog, { length }: Buffer): LogError =>
  new LogError('RECORD_TOO_LARGE', `${log.name}: a batch of ${length} bytes is more than ${log.maxBatchBytes}`, 'stop')

const noGroups = (): LogError =>
  new LogError('INVALID_REQUEST', 'groups of several members are not served by this log', 'stop')
