/** What the SDK threw, as one line and a reason. S3's own message is left out: it may repeat what we sent. */

import { classOfStatus } from '../http/index.ts'
import type { StorageReason } from './storage-error.ts'
import { StorageError } from './storage-error.ts'

export const nameOf = (error: unknown): string => (error instanceof Error ? error.name : '')

export const isMissing = (error: unknown): boolean =>
  ['NotFound', 'NoSuchKey', 'NoSuchBucket', 'NoSuchVersion'].includes(nameOf(error))

const reasons: Readonly<Record<string, StorageReason>> = {
  PreconditionFailed: 'precondition',
  // Another put of the same key was under way.
  ConditionalRequestConflict: 'retry',
  SlowDown: 'retry',
  RequestTimeout: 'retry',
  // S3 answers these 400 and 403 to a clock that is off or a body that broke on its way.
  BadDigest: 'retry',
  IncompleteBody: 'retry',
  XAmzContentSHA256Mismatch: 'retry',
  QuotaExceeded: 'quota',
  NoSuchBucket: 'invalid',
}

export function failedCall(what: string, error: unknown): StorageError {
  if (error instanceof StorageError) return error
  const status = statusOf(error)
  const code = nameOf(error)
  const reason = reasons[code] ?? reasonOfStatus(status)
  const said = status === 0 ? 'could not be reached, or broke off its answer' : `answered ${status}${wordOf(code)}`
  return new StorageError(reason, `S3 ${said} (${what})`, { status, cause: error })
}

export function statusOf(error: unknown): number {
  const metadata = (error as { readonly $metadata?: { readonly httpStatusCode?: number } } | null)?.$metadata
  return metadata?.httpStatusCode ?? 0
}

function reasonOfStatus(status: number): StorageReason {
  if (status === 412) return 'precondition'
  if (status === 0) return 'retry'
  const found = classOfStatus(status)
  // A 200 or a redirect that the SDK could not read came from something that is not S3.
  return found === 'ok' ? 'retry' : found
}

const wordOf = (code: string): string => (/^[A-Za-z0-9]{3,64}$/.test(code) && code !== 'Error' ? ` ${code}` : '')
