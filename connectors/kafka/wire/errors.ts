/** Kafka's error numbers in our codes. What a number says of the effect of a request is BR1's business. */

import { protocolErrorsCodesById } from '@platformatic/kafka'
import { LogError } from '../port.ts'
import type { LogErrorCode } from '../port.ts'

/** Those that are not spelt alike, or that say the same to us. */
const ours: Readonly<Record<string, LogErrorCode>> = {
  // The broker does not know either what it did.
  UNKNOWN_SERVER_ERROR: 'STORAGE_ERROR',
  KAFKA_STORAGE_ERROR: 'STORAGE_ERROR',
  LOG_DIR_NOT_FOUND: 'STORAGE_ERROR',
  // Written by the leader, and perhaps by no other.
  REQUEST_TIMED_OUT: 'TIMEOUT',
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 'TIMEOUT',
  // Another broker leads, or soon one will.
  LEADER_NOT_AVAILABLE: 'NOT_LEADER_OR_FOLLOWER',
  BROKER_NOT_AVAILABLE: 'NOT_LEADER_OR_FOLLOWER',
  REPLICA_NOT_AVAILABLE: 'NOT_LEADER_OR_FOLLOWER',
  FENCED_LEADER_EPOCH: 'NOT_LEADER_OR_FOLLOWER',
  UNKNOWN_LEADER_EPOCH: 'NOT_LEADER_OR_FOLLOWER',
  OFFSET_NOT_AVAILABLE: 'NOT_LEADER_OR_FOLLOWER',
  NOT_ENOUGH_REPLICAS: 'NOT_LEADER_OR_FOLLOWER',
  ELECTION_NOT_NEEDED: 'NOT_LEADER_OR_FOLLOWER',
  // The topic of that id is gone; one of the same name is another.
  UNKNOWN_TOPIC_ID: 'UNKNOWN_TOPIC_OR_PARTITION',
  INCONSISTENT_TOPIC_ID: 'UNKNOWN_TOPIC_OR_PARTITION',
  MESSAGE_TOO_LARGE: 'RECORD_TOO_LARGE',
  RECORD_LIST_TOO_LARGE: 'RECORD_TOO_LARGE',
  SASL_AUTHENTICATION_FAILED: 'AUTHENTICATION_FAILED',
}

const same: ReadonlySet<string> = new Set<LogErrorCode>([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'TOPIC_ALREADY_EXISTS',
  'INVALID_TOPIC_EXCEPTION',
  'OFFSET_OUT_OF_RANGE',
  'PRODUCER_FENCED',
  'INVALID_PRODUCER_EPOCH',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'INVALID_TXN_STATE',
  'CONCURRENT_TRANSACTIONS',
  'UNSTABLE_OFFSET_COMMIT',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'FENCED_INSTANCE_ID',
  'MEMBER_ID_REQUIRED',
  'REBALANCE_IN_PROGRESS',
  'INCONSISTENT_GROUP_PROTOCOL',
  'INVALID_SESSION_TIMEOUT',
  'INVALID_GROUP_ID',
  'GROUP_ID_NOT_FOUND',
  'INVALID_PRODUCER_ID_MAPPING',
  'UNKNOWN_PRODUCER_ID',
  'DUPLICATE_SEQUENCE_NUMBER',
  'TRANSACTION_ABORTABLE',
  'INVALID_TRANSACTION_TIMEOUT',
  'INVALID_RECORD',
  'INVALID_PARTITIONS',
  'INVALID_REPLICATION_FACTOR',
  'INVALID_CONFIG',
  'INVALID_REQUEST',
  'OFFSET_METADATA_TOO_LARGE',
  'POLICY_VIOLATION',
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'NOT_COORDINATOR',
  'COORDINATOR_NOT_AVAILABLE',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'NOT_LEADER_OR_FOLLOWER',
  'CORRUPT_MESSAGE',
  'UNSUPPORTED_VERSION',
])

/** The same request may be answered otherwise later. */
const passing: ReadonlySet<LogErrorCode> = new Set([
  'CONCURRENT_TRANSACTIONS',
  'UNSTABLE_OFFSET_COMMIT',
  'NOT_COORDINATOR',
  'COORDINATOR_NOT_AVAILABLE',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'NOT_LEADER_OR_FOLLOWER',
  'STORAGE_ERROR',
  'TIMEOUT',
])

/** @param number of Kafka's protocol, not 0; one that is not known to us says that nothing is known */
export function codeOf(number: number): LogErrorCode {
  const name = protocolErrorsCodesById[number] ?? ''
  return ours[name] ?? (same.has(name) ? (name as LogErrorCode) : 'STORAGE_ERROR')
}

/** @param what the request, for a person */
export function errorOf(number: number, what: string, message?: string | null): LogError {
  const code = codeOf(number)
  const name = protocolErrorsCodesById[number] ?? `error ${number}`
  const said = message == null || message === '' ? name : `${name}: ${message}`
  return new LogError(code, `${what}: ${said}`, passing.has(code) ? 'retry' : 'stop')
}

/** @throws LogError unless the number is 0 */
export function check(number: number, what: string, message?: string | null): void {
  if (number !== 0) throw errorOf(number, what, message)
}

/** For a question before a request: that it got no answer says that the request was not sent (BR1). */
export const withCode =
  (code: LogErrorCode) =>
  (error: unknown): never => {
    if (error instanceof LogError && error.code === 'TIMEOUT') throw new LogError(code, error.message, 'retry', error)
    throw error
  }
