/**
 * Whether and when to try a failed call again. What the provider asked for comes first, our own backoff second; the later of the
 * two holds. The jitter is drawn from the call's id and attempt, so that a replay waits exactly as long.
 */

export interface RetrySettings {
  /** Tries in all, the first included. */
  readonly attempts: number
  readonly baseMs: number
  readonly capMs: number
}

/**
 * `min(cap, base * 2^(attempt-1)) * (0.5 + u/2)` after `time`, never before `retryAt`.
 * @param attempt the try that failed, from 1
 * @param chance a UUID (v5) that is new for each try: its bits are the draw
 */
export function retryTime(
  settings: RetrySettings,
  failed: { readonly time: number; readonly attempt: number; readonly retryAt: number | null; readonly chance: string },
): number {
  const uniform = Number.parseInt(failed.chance.slice(0, 8), 16) / 0xffff_ffff
  const longest = Math.min(settings.capMs, settings.baseMs * 2 ** (failed.attempt - 1))
  const own = failed.time + Math.round(longest * (0.5 + uniform / 2))
  return Math.max(own, failed.retryAt ?? 0)
}

/** The try that follows an answer. */
export interface NextTry {
  /** From 2. */
  readonly attempt: number
  /** Milliseconds. */
  readonly notBefore: number
}

/**
 * Null when there is none: trying again would not help, or this was the last try.
 * @param at event time of the answer, and a UUID (v5) that is new for each try
 */
export function nextTry(
  settings: RetrySettings,
  answer: { readonly class: string; readonly attempt: number; readonly retry_at?: number | null },
  at: { readonly time: number; readonly chance: string },
): NextTry | null {
  const { attempt, retry_at: retryAt = null } = answer
  if (answer.class !== 'retry' || attempt >= settings.attempts) return null
  return { attempt: attempt + 1, notBefore: retryTime(settings, { ...at, attempt, retryAt }) }
}
