/** PostgreSQL: pools, transactions, and the read-only view of one viewer. */
export type * from './pool.ts'
export { openPool } from './pool.ts'
export type * from './errors.ts'
export { failureOf, isAnswer, sqlState, TransactionError } from './errors.ts'
export type * from './transaction.ts'
export { inTransaction, readOnly } from './transaction.ts'
