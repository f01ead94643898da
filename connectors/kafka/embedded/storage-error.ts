/** What a file system's failure means to a caller of the log. */

import { LogError } from '../port.ts'

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** @param then `retry` when the failed write was taken back, so that trying again can help */
export function storageError(where: string, error: unknown, then: 'retry' | 'stop'): LogError {
  if (error instanceof LogError) return error
  const { code, message } = error as NodeJS.ErrnoException
  if (then === 'retry' && code !== undefined && FULL.has(code)) {
    return new LogError('STORAGE_FULL', `${where}: no space left, nothing was written`, 'retry', error)
  }
  return new LogError('STORAGE_ERROR', `${where}: ${message}`, then, error)
}
