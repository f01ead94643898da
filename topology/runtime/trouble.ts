/** What is trouble, and what it means for a worker: gone back from, waited out, or the end. */

import { EngineBug } from './invariant.ts'

/** The log no longer counts this worker as a member of its group: what it holds may be another's. */
const membershipCodes = new Set(['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'FENCED_INSTANCE_ID'])

/** The producer session is over: fenced by a successor or by its transaction's timeout, or the log forgot it. */
const fenceCodes = new Set(['PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH'])

/** A new producer session and the last commit put it right. */
const sessionCodes = new Set([
  'INVALID_TXN_STATE',
  'CONCURRENT_TRANSACTIONS',
  'INVALID_PRODUCER_ID_MAPPING',
  'UNKNOWN_PRODUCER_ID',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'DUPLICATE_SEQUENCE_NUMBER',
  'TRANSACTION_ABORTABLE',
  'REBALANCE_IN_PROGRESS',
])

export const codeOf = (error: unknown): string | null =>
  error instanceof Error && 'code' in error ? String(error.code) : null

export const isMembershipLost = (error: unknown): boolean => membershipCodes.has(codeOf(error) ?? '')

export const isFenced = (error: unknown): boolean => fenceCodes.has(codeOf(error) ?? '')

/** Another owner of the state directory is still closing. */
export const isLocked = (error: unknown): boolean => codeOf(error) === 'STATE_LOCKED'

export function canRetry(error: unknown): boolean {
  if (error instanceof EngineBug) return false
  const then = error instanceof Error && 'then' in error ? error.then : null
  if (then === 'retry' || then === 'restore') return true
  return isMembershipLost(error) || isFenced(error) || sessionCodes.has(codeOf(error) ?? '')
}

/** A call failed for a reason that passes by itself. */
export const isPassing = (error: unknown): boolean =>
  error instanceof Error && 'then' in error && error.then === 'retry'

/** What a decoder or a step may throw: it is set aside. Trouble and bugs pass through. */
export function isBadData(error: unknown): boolean {
  if (!(error instanceof Error)) return true
  const isTrouble = ['EngineError', 'LogError', 'StateError'].includes(error.name)
  return !(error instanceof EngineBug || isTrouble || isPassing(error))
}

export const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)))

export function messageOf(error: unknown): string {
  const code = codeOf(error)
  return `${code === null ? '' : `${code}: `}${asError(error).message}`
}
