import type { Clock } from '../clock.ts'

/** Wakes one waiting loop; a wake before the wait is not lost. */
export class Signal {
  readonly #clock: Clock
  #raised = false
  #resume: (() => void) | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  raise(): void {
    this.#raised = true
    this.#resume?.()
  }

  /** Resolves at the next raise, or after `forMs` when that is not null. */
  async wait(forMs: number | null): Promise<void> {
    if (!this.#raised) {
      await new Promise<void>((resolve) => {
        const cancel = forMs === null ? () => undefined : this.#clock.after(forMs, resolve)
        this.#resume = () => {
          cancel()
          resolve()
        }
      })
      this.#resume = null
    }
    this.#raised = false
  }
}

/** One at a time, in the order asked. */
export class Mutex {
  #tail: Promise<unknown> = Promise.resolve()

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work)
    this.#tail = result.catch(() => undefined)
    return result
  }
}

/** A few at a time, in the order asked. */
export class Permits {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(count: number) {
    this.#free = count
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}

/** Stops waiting when the signal says so; what was asked for goes on unheard. @throws the signal's reason */
export function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
