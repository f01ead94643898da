/**
 * The log port: the little the engine needs of Kafka. The Kafka driver and the embedded log (over files or memory)
 * implement it, and one conformance suite (`tests/contracts/log.ts`) holds them to the same answers.
 *
 * Vocabulary is Kafka's. Offsets are bigint at this border (exact above 2^53); inside a batch a record is a base offset
 * plus a small delta, so the per-record path touches no bigint. Timestamps are integers in milliseconds.
 */

import type { RecordBatchBuilder } from './record-batch.ts'

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export interface Header {
  readonly key: string
  readonly value: Buffer
}

/** What a topic is created with. Existing topics are never altered. */
export interface TopicSpec {
  readonly name: string
  readonly partitions: number
  /** Topic configuration as Kafka spells it, e.g. `{ 'cleanup.policy': 'compact', 'retention.ms': '-1' }`. */
  readonly config: Readonly<Record<string, string>>
}

export interface TopicMetadata {
  readonly name: string
  readonly topicId: string
  readonly partitions: number
  readonly config: Readonly<Record<string, string>>
}

export type Isolation = 'read_committed' | 'read_uncommitted'

export interface FetchPartition extends TopicPartition {
  /** The first offset wanted. */
  readonly offset: bigint
  /** Bound of the answer for this partition, in bytes; at least one whole batch is returned when there is one. */
  readonly maxBytes: number
}

export interface FetchRequest {
  readonly partitions: readonly FetchPartition[]
  readonly isolation: Isolation
  /** How long to wait for the first byte, in ms; 0 answers at once. */
  readonly maxWaitMs: number
  /** Ends the wait early; the answer is then empty. */
  readonly signal?: AbortSignal
}

/** A transaction whose records a read_committed reader must skip: from `firstOffset` until its abort marker. */
export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
}

export interface FetchedPartition extends TopicPartition {
  /** Raw record batches (format v2), concatenated; the first may begin before the wanted offset. */
  readonly batches: Buffer
  readonly aborted: readonly AbortedTransaction[]
  readonly highWatermark: bigint
  readonly lastStableOffset: bigint
  readonly logStartOffset: bigint
  readonly error: LogErrorCode | null
}

/** One partition's records of one Produce request. The producer session stamps ids, epoch, sequence and CRC. */
export interface PartitionAppend extends TopicPartition {
  readonly records: RecordBatchBuilder
}

export interface PartitionAppended extends TopicPartition {
  /** Offset of the first record appended. */
  readonly baseOffset: bigint
}

export interface OffsetAndMetadata extends TopicPartition {
  /** The next offset to read. */
  readonly offset: bigint
  readonly metadata: string
}

/** Who commits offsets: checked by the group coordinator inside TxnOffsetCommit (KIP-447). */
export interface GroupMetadata {
  readonly groupId: string
  readonly generationId: number
  readonly memberId: string
  readonly groupInstanceId: string | null
}

export interface ProducerOptions {
  /** Durable name of a transactional producer; null makes an idempotent, non-transactional one. */
  readonly transactionalId: string | null
  /** A transaction left open longer is aborted by the coordinator, in ms. */
  readonly transactionTimeoutMs: number
}

/**
 * One producer id and epoch. Opening a second session with the same transactional id fences this one: every later call
 * fails with PRODUCER_FENCED. After an unknown outcome (TIMEOUT) the session must be closed and a new one opened.
 * `epoch` grows with every transaction (KIP-890).
 */
export interface ProducerSession {
  readonly producerId: bigint
  readonly epoch: number
  begin(): void
  /** One Produce request. Outside a transaction allowed only for a non-transactional session. Resolves when acked. */
  append(batches: readonly PartitionAppend[]): Promise<readonly PartitionAppended[]>
  /** Adds consumed offsets to the open transaction. `group` null commits for a group without members. */
  sendOffsets(group: GroupMetadata, offsets: readonly OffsetAndMetadata[]): Promise<void>
  end(outcome: 'commit' | 'abort'): Promise<void>
  close(): Promise<void>
}

/**
 * Called by the group session, one at a time, in the order of the protocol (KIP-429, cooperative):
 *
 *   joining -> [revoked -> joining ->] assigned, once a rebalance; `lost` at any time instead of the rest
 */
export interface RebalanceListener {
  /** The member is about to join again. When this settles nothing is being committed, and nothing is until `assigned`
   *  or `revoked` is called: the generation is unknown in between. Work on what is held may go on. */
  joining?(): Promise<void>
  /** These were taken away; commit or abort what is open on them before settling. The others go on. */
  revoked(partitions: readonly TopicPartition[]): Promise<void>
  /**
   * The rebalance is over. These are new (maybe none); others that are held stay held.
   * @param userData what the assignor gave this member
   */
  assigned(added: readonly TopicPartition[], userData: Buffer): Promise<void>
  /** Membership was lost (session timeout, fenced generation): nothing held may be committed any more. The session joins again by itself. */
  lost(): Promise<void>
  /** The session ended for good, e.g. FENCED_INSTANCE_ID; `lost` was called before. */
  failed?(error: LogError): void
}

export interface AssignorMember {
  readonly memberId: string
  readonly instanceId: string | null
  readonly topics: readonly string[]
  /** What it held when it joined. */
  readonly owned: readonly TopicPartition[]
  readonly userData: Buffer
}

export interface MemberAssignment {
  readonly partitions: readonly TopicPartition[]
  readonly userData: Buffer
}

/** Shares out partitions among the members of a group; run by the group's leader. Pure. */
export interface GroupAssignor {
  /** Name of the protocol: all members of a group have the same. */
  readonly name: string
  /**
   * What this member's share depends on besides what it says when it joins, as text. A static member gets the share of the
   * process before it when it comes back; when that one's text was another, it asks for a rebalance.
   */
  readonly settings?: string
  /**
   * The wanted end state. A partition that another member still holds is withheld by the group session until that one has
   * given it up (cooperative hand-over in two rebalances).
   * @param partitionCounts of the topics subscribed to
   */
  assign(
    members: readonly AssignorMember[],
    partitionCounts: ReadonlyMap<string, number>,
  ): ReadonlyMap<string, MemberAssignment>
}

export interface GroupOptions {
  readonly groupId: string
  readonly topics: readonly string[]
  /** Static membership (KIP-345); null for a dynamic member. */
  readonly instanceId: string | null
  readonly sessionTimeoutMs: number
  /** A third of the session timeout unless told. */
  readonly heartbeatIntervalMs?: number
  /** How long the group waits for this member in a rebalance; the session timeout unless told. */
  readonly rebalanceTimeoutMs?: number
  /** A member that did not call `polled` for longer leaves the group (Kafka's max.poll.interval.ms); no bound unless told. */
  readonly maxPollIntervalMs?: number
  /** Sticky by partitions unless told. */
  readonly assignor?: GroupAssignor
  readonly listener: RebalanceListener
  /** Opaque bytes given to the assignor (tasks held, lags); asked for at each join. */
  userData?(): Buffer
}

export interface GroupSession {
  /** @throws LogError UNKNOWN_MEMBER_ID before the first assignment and after `lost` */
  metadata(): GroupMetadata
  /** The member's loop is alive. */
  polled(): void
  /** Asks for a rebalance: what this member says of itself has changed (e.g. a standby caught up). */
  rejoin(): void
  /**
   * No listener call comes after.
   * @param place of a static member: kept for its successor until the session timeout unless told. A dynamic one has none.
   */
  leave(place?: 'kept' | 'given up'): Promise<void>
}

export interface GroupDescription {
  readonly groupId: string
  readonly state: 'Empty' | 'Stable' | 'PreparingRebalance' | 'CompletingRebalance' | 'Dead'
  readonly members: readonly {
    readonly memberId: string
    readonly instanceId: string | null
    readonly assigned: readonly TopicPartition[]
  }[]
}

export interface Log {
  readonly clusterId: string
  /** Known topics among `names`, or all when absent; unknown names are left out. */
  metadata(names?: readonly string[]): Promise<readonly TopicMetadata[]>
  createTopics(specs: readonly TopicSpec[]): Promise<void>
  /** In the order asked. `stable` is the last stable offset, `latest` the high watermark. */
  listOffsets(
    partitions: readonly TopicPartition[],
    which: 'earliest' | 'latest' | 'stable',
  ): Promise<readonly bigint[]>
  fetch(request: FetchRequest): Promise<readonly FetchedPartition[]>
  openProducer(options: ProducerOptions): Promise<ProducerSession>
  joinGroup(options: GroupOptions): Promise<GroupSession>
  /**
   * Offsets a group has committed, in the order asked, null where none. Always with require_stable (KIP-447): waits while a
   * pending transaction may still move one of them, and fails with UNSTABLE_OFFSET_COMMIT after `timeoutMs`.
   */
  committedOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
    timeoutMs?: number,
  ): Promise<readonly (OffsetAndMetadata | null)[]>
  describeGroups(groupIds?: readonly string[]): Promise<readonly GroupDescription[]>
  /** Moves the log start; consumed repartition records are dropped with it. */
  deleteRecords(before: readonly (TopicPartition & { readonly offset: bigint })[]): Promise<void>
  close(): Promise<void>
}

/** Stable codes, spelt as Kafka spells its errors where it has the same one. */
export type LogErrorCode =
  | 'UNKNOWN_TOPIC_OR_PARTITION'
  | 'TOPIC_ALREADY_EXISTS'
  | 'INVALID_TOPIC_EXCEPTION'
  | 'OFFSET_OUT_OF_RANGE'
  | 'PRODUCER_FENCED'
  | 'INVALID_PRODUCER_EPOCH'
  | 'OUT_OF_ORDER_SEQUENCE_NUMBER'
  | 'INVALID_TXN_STATE'
  | 'CONCURRENT_TRANSACTIONS'
  | 'UNSTABLE_OFFSET_COMMIT'
  | 'ILLEGAL_GENERATION'
  | 'UNKNOWN_MEMBER_ID'
  | 'FENCED_INSTANCE_ID'
  | 'MEMBER_ID_REQUIRED'
  | 'REBALANCE_IN_PROGRESS'
  | 'INCONSISTENT_GROUP_PROTOCOL'
  | 'INVALID_SESSION_TIMEOUT'
  | 'INVALID_GROUP_ID'
  | 'GROUP_ID_NOT_FOUND'
  | 'INVALID_PRODUCER_ID_MAPPING'
  | 'UNKNOWN_PRODUCER_ID'
  | 'DUPLICATE_SEQUENCE_NUMBER'
  | 'TRANSACTION_ABORTABLE'
  | 'INVALID_TRANSACTION_TIMEOUT'
  | 'INVALID_RECORD'
  | 'INVALID_PARTITIONS'
  | 'INVALID_REPLICATION_FACTOR'
  | 'INVALID_CONFIG'
  | 'INVALID_REQUEST'
  | 'OFFSET_METADATA_TOO_LARGE'
  | 'POLICY_VIOLATION'
  | 'AUTHENTICATION_FAILED'
  | 'TOPIC_AUTHORIZATION_FAILED'
  | 'GROUP_AUTHORIZATION_FAILED'
  | 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED'
  | 'CLUSTER_AUTHORIZATION_FAILED'
  | 'UNSUPPORTED_VERSION'
  | 'NOT_COORDINATOR'
  | 'COORDINATOR_NOT_AVAILABLE'
  | 'COORDINATOR_LOAD_IN_PROGRESS'
  | 'NOT_LEADER_OR_FOLLOWER'
  | 'RECORD_TOO_LARGE'
  | 'CORRUPT_MESSAGE'
  | 'STORAGE_FULL'
  | 'STORAGE_ERROR'
  | 'TIMEOUT'
  | 'CLOSED'

/** Trouble with the log. `then` says whether trying again can help. */
export class LogError extends Error {
  readonly code: LogErrorCode
  readonly then: 'retry' | 'stop'
  constructor(code: LogErrorCode, message: string, then: 'retry' | 'stop', cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'LogError'
    this.code = code
    this.then = then
  }
}
