/**
 * Asking again. A definite answer that says "not now" had no effect (BR1) and is asked again until a bound of time; every
 * other failure is the caller's.
 */

import type { Clock, Random } from '../clock.ts'
import { LogError } from '../port.ts'
import type { LogErrorCode } from '../port.ts'

/** How long Kafka's client waits for the markers of the transaction before. */
const CONCURRENT_TRANSACTIONS_MS = 20
const MAX_BACKOFF_FACTOR = 10

const NOT_NOW: ReadonlySet<LogErrorCode> = new Set([
  'CONCURRENT_TRANSACTIONS',
  'NOT_COORDINATOR',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_LEADER_OR_FOLLOWER',
])

/** The request had no effect; the same one may have it later. */
export const isNotNow = (code: LogErrorCode): boolean => NOT_NOW.has(code)
/** Nobody knows whether the request had its effect, or whether it will have it later. */
export const isUnknown = (code: LogErrorCode): boolean => code === 'TIMEOUT' || code === 'STORAGE_ERROR'

export interface RetryContext {
  readonly clock: Clock
  readonly random: Random
  /** The first wait; each is twice the one before, up to ten times this. */
  readonly retryBackoffMs: number
  /** Ends every wait. */
  readonly closing: AbortSignal
}

/** The waits of one request. The time runs from the first wait, on timers: a wall clock may jump. */
export class Retry {
  readonly #context: RetryContext
  readonly #limitMs: number
  #backoffMs: number
  #timeIsUp = false
  #wake: () => void = nothing
  #cancelLimit: (() => void) | null = null

  constructor(context: RetryContext, limitMs: number) {
    this.#context = context
    this.#limitMs = limitMs
    this.#backoffMs = context.retryBackoffMs
  }

  /** Waits before the request is sent again. @returns false when there is no more time */
  async pause(code: LogErrorCode): Promise<boolean> {
    const { clock, closing } = this.#context
    this.#cancelLimit ??= clock.after(this.#limitMs, () => {
      this.#timeIsUp = true
      this.#wake()
    })
    if (this.#timeIsUp || closing.aborted) return false
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    const cancel = clock.after(this.#delayMs(code), resolve)
    closing.addEventListener('abort', this.#wake)
    await promise
    closing.removeEventListener('abort', this.#wake)
    cancel()
    return !this.#timeIsUp && !closing.aborted
  }

  end(): void {
    this.#cancelLimit?.()
  }

  /** With a fifth more or less, so that those who wait do not come back together. */
  #delayMs(code: LogErrorCode): number {
    if (code === 'CONCURRENT_TRANSACTIONS') return CONCURRENT_TRANSACTIONS_MS
    const backoffMs = this.#backoffMs
    this.#backoffMs = Math.min(backoffMs * 2, this.#context.retryBackoffMs * MAX_BACKOFF_FACTOR)
    return Math.round(backoffMs * (0.8 + (0.4 * this.#context.random.bytes(1)[0]!) / 255))
  }
}

/**
 * Asks until it is answered, refused for good, or the time is over.
 * @param asksAgain which failures are worth another try
 */
export async function retrying<T>(
  context: RetryContext,
  limitMs: number,
  ask: () => Promise<T>,
  asksAgain: (code: LogErrorCode) => boolean = isNotNow,
): Promise<T> {
  const retry = new Retry(context, limitMs)
  try {
    for (;;) {
      try {
        return await ask()
      } catch (error) {
        if (!(error instanceof LogError) || !asksAgain(error.code)) throw error
        if (!(await retry.pause(error.code))) throw context.closing.aborted ? closed() : giveUp(error, limitMs)
      }
    }
  } finally {
    retry.end()
  }
}

/** What is said when the time is over: nothing was done, and later it may be. */
export const giveUp = (error: LogError, limitMs: number): LogError =>
  new LogError(error.code, `${error.message} (asked for ${limitMs} ms)`, 'retry', error)

export const closed = (): LogError => new LogError('CLOSED', 'the log is closed', 'stop')

const nothing = (): void => {}
