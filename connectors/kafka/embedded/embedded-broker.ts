/** Kafka's semantics in one process, over any storage. Every request ends in a partition, in a coordinator, or in both. */

import {
  batchFault,
  baseSequenceOf,
  countOf,
  epochOf,
  isCompressed,
  isControl,
  isTransactional,
  lastOffsetDeltaOf,
  producerIdOf,
  sizeOf,
} from '../batch-format.ts'
import type {
  Broker,
  EndTxnRequest,
  InitProducerIdRequest,
  JoinGroupRequest,
  JoinGroupResponse,
  LeaveGroupRequest,
  MemberIdRequired,
  MemberRequest,
  OffsetCommitRequest,
  OffsetFetchRequest,
  ProduceBatch,
  ProducedPartition,
  ProduceRequest,
  ProducerIdentity,
  SyncGroupRequest,
  TxnOffsetCommitRequest,
} from '../broker.ts'
import type { Clock, Random } from '../clock.ts'
import type { CrashPoint } from '../crash-point.ts'
import { LogError } from '../port.ts'
import type {
  FetchedPartition,
  FetchRequest,
  GroupDescription,
  OffsetAndMetadata,
  TopicMetadata,
  TopicPartition,
  TopicSpec,
} from '../port.ts'
import { RecordCursor } from '../record-cursor.ts'
import { CONSUMER_OFFSETS_TOPIC, isInternal, TRANSACTION_STATE_TOPIC } from './catalogue.ts'
import { checkpointWhenGrown } from './checkpoint.ts'
import { longPoll } from './fetch.ts'
import { GroupCoordinator } from './groups/group-coordinator.ts'
import type { GroupSettings } from './groups/group-coordinator.ts'
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
  readonly groups: GroupSettings
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
    const { topics, offsets, recovered, syncer, clock, random, checkpointBytes, notice, crash, groups } = parts
    const stateLog = topics.partition({ topic: TRANSACTION_STATE_TOPIC, partition: 0 })
    const offsetsLog = topics.partition({ topic: CONSUMER_OFFSETS_TOPIC, partition: 0 })
    const transactions = new TransactionCoordinator({ stateLog, offsets, clock, notice, crash, ...recovered })
    this.clusterId = topics.clusterId
    this.#topics = topics
    this.#offsets = offsets
    this.#offsetsLog = offsetsLog
    this.#transactions = transactions
    this.#groups = new GroupCoordinator({ clock, random, notice, ...groups })
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
      if (!log.cleanup.deletes)
        throw new LogError('POLICY_VIOLATION', `${topic} is compacted: its records go by their keys`, 'stop')
      if (offset === -1n) return { log, offset: log.highWatermark }
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
    this.#groups.check(group, 'transactional', this.#offsets.has(group.groupId))
    this.#checkOffsets(offsets)
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
    const { group, offsets } = request
    this.#groups.check(group, 'plain', this.#offsets.has(group.groupId))
    this.#checkOffsets(offsets)
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

  joinGroup(request: JoinGroupRequest): Promise<JoinGroupResponse | MemberIdRequired> {
    return this.#groups.joinGroup(request)
  }

  syncGroup(request: SyncGroupRequest): Promise<Buffer> {
    return this.#groups.syncGroup(request)
  }

  heartbeat(request: MemberRequest): Promise<void> {
    return this.#groups.heartbeat(request)
  }

  leaveGroup(request: LeaveGroupRequest): Promise<void> {
    return this.#groups.leaveGroup(request)
  }

  /** Waits for what is being written, syncs it and closes the files. Open transactions are aborted at the next open. */
  close(): Promise<void> {
    this.#closed ??= this.#shutDown()
    return this.#closed
  }

  async #shutDown(): Promise<void> {
    this.#closing.abort()
    this.#groups.close()
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
    if (log.cleanup.compacts) checkKeys(log, batch)
    if (transactionalId === null) return log.append(batch)
    const by = { producerId: producerIdOf(batch, 0), epoch: epochOf(batch, 0) }
    return this.#transactions.join(transactionalId, by).track(log, countOf(batch, 0), log.append(batch))
  }

  /** @throws LogError UNKNOWN_TOPIC_OR_PARTITION, OFFSET_METADATA_TOO_LARGE */
  #checkOffsets(offsets: OffsetCommitRequest['offsets']): void {
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

/** Compaction goes by keys. @throws LogError CORRUPT_MESSAGE, INVALID_RECORD */
function checkKeys({ topic, partition }: PartitionLog, batches: Buffer): void {
  const limits = { highWatermark: -1n, lastStableOffset: -1n, logStartOffset: -1n }
  const fetched = { topic, partition, batches, aborted: [], error: null, ...limits }
  const cursor = new RecordCursor(fetched, 0n, 'read_uncommitted')
  while (cursor.next()) {
    if (cursor.keyLength >= 0) continue
    throw new LogError('INVALID_RECORD', `${topic}-${partition} is compacted: a record needs a key`, 'stop')
  }
}

/** Bytes of a client are not trusted. @throws LogError CORRUPT_MESSAGE, INVALID_RECORD */
function checkBatch(log: PartitionLog, batch: Buffer, transactional: boolean): void {
  const fault = batchFault(batch, 0) ?? (sizeOf(batch, 0) === batch.length ? null : 'bytes behind the batch')
  if (fault !== null) throw new LogError('CORRUPT_MESSAGE', `${log.name}: ${fault}`, 'stop')
  const wrong =
    countOf(batch, 0) !== lastOffsetDeltaOf(batch, 0) + 1
      ? 'a batch with gaps'
      : isControl(batch, 0)
        ? 'a control batch'
        : producerIdOf(batch, 0) >= 0n && baseSequenceOf(batch, 0) < 0
          ? 'a batch of a producer without a sequence'
          : isCompressed(batch, 0)
            ? 'a compressed batch, which is not read yet'
            : isTransactional(batch, 0) !== transactional
              ? 'a batch and its request of which one alone is transactional'
              : null
  if (wrong !== null) throw new LogError('INVALID_RECORD', `${log.name}: a client sent ${wrong}`, 'stop')
}

const internalTopic = (topic: string): LogError =>
  new LogError('INVALID_TOPIC_EXCEPTION', `${topic} is kept by the log alone`, 'stop')

const tooLarge = (log: PartitionLog, { length }: Buffer): LogError =>
  new LogError('RECORD_TOO_LARGE', `${log.name}: a batch of ${length} bytes is more than ${log.maxBatchBytes}`, 'stop')
