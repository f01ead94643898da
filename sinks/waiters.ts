/** Those who wait until a sink has passed an offset. */

import type { Clock } from '../topology/index.ts'

interface Waiter {
  readonly partition: number
  readonly offset: bigint
  readonly settle: (passed: boolean) => void
}

export class Waiters {
  readonly #clock: Clock
  readonly #waiting = new Set<Waiter>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  wait(partition: number, offset: bigint, timeoutMs: number): Promise<boolean> {
    return new Promise((done) => {
      const waiter: Waiter = {
        partition,
        offset,
        settle: (passed) => {
          cancel()
          this.#waiting.delete(waiter)
          done(passed)
        },
      }
      const cancel = this.#clock.after(timeoutMs, () => waiter.settle(false))
      this.#waiting.add(waiter)
    })
  }

  /** The partition's next offset is now `position`. */
  passed(partition: number, position: bigint): void {
    for (const waiter of [...this.#waiting])
      if (waiter.partition === partition && position > waiter.offset) waiter.settle(true)
  }

  close(): void {
    for (const waiter of [...this.#waiting]) waiter.settle(false)
  }
}
