/** Tenants' data keys, kept wrapped in SQL, and the tokens of links that people share. */
export type * from './sql-key-ring.ts'
export { KeyRingError, openKeyRing } from './sql-key-ring.ts'
export type { ShareLinks, SharedDemo } from './share-link.ts'
export { shareLinks } from './share-link.ts'
export type { SecretBox } from './secret-box.ts'
export { secretBox } from './secret-box.ts'
