/** Tenants' data keys, kept wrapped in SQL. */
export type * from './sql-key-ring.ts'
export { KeyRingError, openKeyRing } from './sql-key-ring.ts'
