/** What went wrong with an object, in one line and in a word that tells what to do about it. */

/**
 * precondition: `ifNoneMatch` or `ifMatch` does not hold · retry: network, overload, time out · auth: not allowed ·
 * quota: no room · invalid: never, as it was asked · damaged: the bytes are not what was put there.
 */
export type StorageReason = 'precondition' | 'retry' | 'auth' | 'quota' | 'invalid' | 'damaged'

export class StorageError extends Error {
  override readonly name = 'StorageError'
  readonly reason: StorageReason
  /** HTTP status; 0 when none came. */
  readonly status: number

  constructor(
    reason: StorageReason,
    message: string,
    options: { readonly status?: number; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.reason = reason
    this.status = options.status ?? 0
  }
}
