import type { Clock } from '../../clock.ts'

/** Calls to come, one for each key; setting a key again replaces it. */
export class Timers {
  readonly #clock: Clock
  readonly #cancels = new Map<string, () => void>()
  #closed = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  set(key: string, delayMs: number, call: () => void): void {
    this.cancel(key)
    if (this.#closed) return
    const cancel = this.#clock.after(delayMs, () => {
      this.#cancels.delete(key)
      call()
    })
    this.#cancels.set(key, cancel)
  }

  has(key: string): boolean {
    return this.#cancels.has(key)
  }

  cancel(key: string): void {
    this.#cancels.get(key)?.()
    this.#cancels.delete(key)
  }

  close(): void {
    this.#closed = true
    for (const cancel of this.#cancels.values()) cancel()
    this.#cancels.clear()
  }
}
