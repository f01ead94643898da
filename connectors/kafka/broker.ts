/**
 * The broker port: what a Kafka client asks of a cluster, one method for each request of the protocol, with Kafka's meaning
 * and Kafka's errors. `client/` makes a `Log` of it: sequences, transactions, group membership and retries live there, once,
 * whatever stands behind this port: the embedded broker in the same process, a simulated network, or a cluster.
 *
 *   BR1  A method either answers, or rejects with a LogError. Any code but TIMEOUT and STORAGE_ERROR says that the request had
 *        no effect; after these nobody knows, and after TIMEOUT the request may still take effect later.
 *   BR2  A request that is delivered twice has the effect of one, or is refused: by sequence (Produce), by epoch
 *        (EndTxn, TxnOffsetCommit), by generation (the group requests).
 *   BR3  The protocol is that of transaction version 2 (KIP-890): a Produce or TxnOffsetCommit adds its partition to the
 *        transaction, and every EndTxn bumps the epoch, so that what was late belongs to no later transaction.
 *
 * Finding leaders and coordinators is the implementation's; it answers NOT_COORDINATOR or COORDINATOR_LOAD_IN_PROGRESS only
 * when it gave up, and the client asks again.
 */

import type {
  FetchRequest,
  FetchedPartition,
  GroupDescription,
  GroupMetadata,
  LogErrorCode,
  OffsetAndMetadata,
  TopicMetadata,
  TopicPartition,
  TopicSpec,
} from './port.ts'

export interface ProducerIdentity {
  readonly producerId: bigint
  readonly epoch: number
}

export interface InitProducerIdRequest {
  /** Null asks for the identity of an idempotent, non-transactional producer. */
  readonly transactionalId: string | null
  readonly transactionTimeoutMs: number
}

/** A sealed batch: ids, epoch, sequence and CRC are the client's; base offset and leader epoch are stamped in place. */
export interface ProduceBatch extends TopicPartition {
  readonly batch: Buffer
}

export interface ProduceRequest {
  /** Set exactly when the batches are transactional. */
  readonly transactionalId: string | null
  readonly batches: readonly ProduceBatch[]
}

export interface ProducedPartition extends TopicPartition {
  /** Of the first record; -1 with an error. */
  readonly baseOffset: bigint
  readonly error: LogErrorCode | null
  readonly message: string | null
}

export interface TxnOffsetCommitRequest extends ProducerIdentity {
  readonly transactionalId: string
  readonly group: GroupMetadata
  readonly offsets: readonly OffsetAndMetadata[]
}

export interface EndTxnRequest extends ProducerIdentity {
  readonly transactionalId: string
  readonly outcome: 'commit' | 'abort'
}

export interface GroupProtocol {
  readonly name: string
  /** Opaque to the broker. */
  readonly metadata: Buffer
}

export interface JoinGroupRequest {
  readonly groupId: string
  /** '' at the first time: answered MEMBER_ID_REQUIRED with the id to use (KIP-394), for static members at once. */
  readonly memberId: string
  readonly instanceId: string | null
  readonly sessionTimeoutMs: number
  /** How long the group waits for its members to join again. */
  readonly rebalanceTimeoutMs: number
  readonly protocolType: string
  readonly protocols: readonly GroupProtocol[]
}

export interface JoinedMember {
  readonly memberId: string
  readonly instanceId: string | null
  readonly metadata: Buffer
}

export interface JoinGroupResponse {
  readonly generationId: number
  readonly protocolName: string
  readonly leaderId: string
  readonly memberId: string
  /** For the leader only; empty for the others. */
  readonly members: readonly JoinedMember[]
  /** A static leader that came back while nothing changed must not assign anew (KIP-814). */
  readonly skipAssignment: boolean
}

export interface MemberRequest {
  readonly groupId: string
  readonly generationId: number
  readonly memberId: string
  readonly instanceId: string | null
}

export interface SyncGroupRequest extends MemberRequest {
  /** The leader's sharing out; empty from the others. */
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[]
}

export interface LeaveGroupRequest {
  readonly groupId: string
  readonly memberId: string
  readonly instanceId: string | null
}

export interface OffsetCommitRequest {
  readonly group: GroupMetadata
  readonly offsets: readonly OffsetAndMetadata[]
}

export interface OffsetFetchRequest {
  readonly groupId: string
  readonly partitions: readonly TopicPartition[]
  /** KIP-447: answers UNSTABLE_OFFSET_COMMIT while a pending transaction may move one of them. */
  readonly requireStable: boolean
}

/** MEMBER_ID_REQUIRED carries the id that the coordinator has given. */
export interface MemberIdRequired {
  readonly memberId: string
}

export interface Broker {
  readonly clusterId: string
  /** Known topics among `names`, or all but the internal ones when absent; unknown names are left out. */
  metadata(names?: readonly string[]): Promise<readonly TopicMetadata[]>
  createTopics(specs: readonly TopicSpec[]): Promise<void>
  listOffsets(
    partitions: readonly TopicPartition[],
    which: 'earliest' | 'latest' | 'stable',
  ): Promise<readonly bigint[]>
  fetch(request: FetchRequest): Promise<readonly FetchedPartition[]>
  deleteRecords(before: readonly (TopicPartition & { readonly offset: bigint })[]): Promise<void>

  initProducerId(request: InitProducerIdRequest): Promise<ProducerIdentity>
  /** In the order asked, an answer for each batch. Rejects only when nothing was tried. */
  produce(request: ProduceRequest): Promise<readonly ProducedPartition[]>
  txnOffsetCommit(request: TxnOffsetCommitRequest): Promise<void>
  /** @returns the identity of the next transaction (BR3) */
  endTxn(request: EndTxnRequest): Promise<ProducerIdentity>

  joinGroup(request: JoinGroupRequest): Promise<JoinGroupResponse | MemberIdRequired>
  /** @returns this member's part */
  syncGroup(request: SyncGroupRequest): Promise<Buffer>
  heartbeat(request: MemberRequest): Promise<void>
  leaveGroup(request: LeaveGroupRequest): Promise<void>
  offsetCommit(request: OffsetCommitRequest): Promise<void>
  /** In the order asked, null where none. */
  offsetFetch(request: OffsetFetchRequest): Promise<readonly (OffsetAndMetadata | null)[]>
  /** Those asked for, or all. */
  describeGroups(groupIds?: readonly string[]): Promise<readonly GroupDescription[]>

  close(): Promise<void>
}
