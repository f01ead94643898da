/** What went wrong with a statement or a transaction, in the words its callers decide by. */

import pg from 'pg'

/** ROLLED_BACK: nothing happened. OUTCOME_UNKNOWN: it may have; look before doing it again. */
export type TransactionErrorCode = 'ROLLED_BACK' | 'OUTCOME_UNKNOWN'

export class TransactionError extends Error {
  readonly code: TransactionErrorCode
  constructor(code: TransactionErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'TransactionError'
    this.code = code
  }
}

/** The SQLSTATE a server answered with, or null when the error is not a server's answer. */
export function sqlState(error: unknown): string | null {
  return error instanceof pg.DatabaseError && typeof error.code === 'string' ? error.code : null
}

/** The server said so and the session goes on; anything else leaves the connection in doubt. */
export function isAnswer(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.severity === 'ERROR'
}

/**
 * trouble: the same statement may work later (connection, deadlock, limits, shutdown).
 * data: these values will never fit (type, range, constraint, row size).
 * bug: the statement or the schema is wrong.
 */
export type Failure = 'trouble' | 'data' | 'bug'

const troubleClasses = new Set(['08', '25', '40', '53', '55', '57', '58', 'XX'])
const dataClasses = new Set(['22', '23', '44', '54'])

export function failureOf(error: unknown): Failure {
  const state = sqlState(error)
  if (state === null) return 'trouble'
  // 28: wrong password. A server that is being set up says so too; it is not the record's fault.
  const group = state.slice(0, 2)
  if (troubleClasses.has(group) || group === '28' || group === '3D') return 'trouble'
  return dataClasses.has(group) ? 'data' : 'bug'
}
