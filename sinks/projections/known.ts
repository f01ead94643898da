import type { Erased } from '../../schemas/index.ts'

/** A personal value, or null where it was erased or never given. */
export const known = <T>(value: T | Erased | null | undefined): T | null =>
  value === undefined || typeof value === 'symbol' ? null : value
