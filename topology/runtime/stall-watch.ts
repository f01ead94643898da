/**
 * Notices that this process stood still: the machine slept, the process was stopped, the wall clock was set forward. For
 * the timers that is down time (timers T4): what came due meanwhile may have an answer that upstream has not read yet.
 *
 * It looks by the clock alone: a call that was wanted every second comes late, or the clock reads far more than the last
 * look allows. A clock that is set back is no stall, and is told too: what started by it while it was ahead has not started
 * in the time to come.
 */

import type { Clock } from '../clock.ts'

/** How often it looks, in ms. */
const lookEveryMs = 1_000
/** Later than this is a stall; shorter ones are what a busy machine does, in ms. */
export const stallMs = 5_000

export class StallWatch {
  readonly #clock: Clock
  readonly #stalled: (now: number) => void
  readonly #setBack: (now: number) => void
  #lookedAt: number
  #cancel: () => void = () => undefined

  /**
   * @param stalled told the time at which the process goes on
   * @param setBack told the time that the clock reads since
   */
  constructor(clock: Clock, stalled: (now: number) => void, setBack: (now: number) => void) {
    this.#clock = clock
    this.#stalled = stalled
    this.#setBack = setBack
    this.#lookedAt = clock.now()
  }

  start(): void {
    this.#lookedAt = this.#clock.now()
    this.#wait()
  }

  stop(): void {
    this.#cancel()
  }

  /** Called before anything that trusts the clock, because a late call is not necessarily the first to come. */
  look(): void {
    const now = this.#clock.now()
    const sinceMs = now - this.#lookedAt
    this.#lookedAt = now
    if (sinceMs > lookEveryMs + stallMs) this.#stalled(now)
    else if (sinceMs < 0) this.#setBack(now)
  }

  #wait(): void {
    this.#cancel = this.#clock.after(lookEveryMs, () => {
      this.look()
      this.#wait()
    })
  }
}
