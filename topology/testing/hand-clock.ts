import type { Clock } from '../clock.ts'

interface Waiting {
  readonly at: number
  readonly order: number
  readonly call: () => void
}

/** A clock that stands still until it is turned. A delay of zero still means "after the work at hand". */
export class HandClock implements Clock {
  #now: number
  #order = 0
  #timers: Waiting[] = []

  constructor(now = 1_700_000_000_000) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  after(delayMs: number, call: () => void): () => void {
    if (delayMs <= 0) {
      const immediate = setImmediate(call)
      return () => clearImmediate(immediate)
    }
    const timer = { at: this.#now + delayMs, order: this.#order++, call }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  /** When the next timer is due; null when none waits. */
  get nextAt(): number | null {
    return this.#timers.length === 0 ? null : Math.min(...this.#timers.map((timer) => timer.at))
  }

  /** Moves to a time, calling what comes due on the way, in order. */
  async turnTo(time: number): Promise<void> {
    for (let next = this.#nextBefore(time); next !== undefined; next = this.#nextBefore(time)) {
      const due = next
      this.#timers = this.#timers.filter((timer) => timer !== due)
      this.#now = Math.max(this.#now, due.at)
      due.call()
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    this.#now = Math.max(this.#now, time)
  }

  /** Moves at once, as when a machine wakes from sleep: what came due meanwhile is called now, once, in order. */
  async jumpTo(time: number): Promise<void> {
    this.#now = Math.max(this.#now, time)
    await this.turnTo(this.#now)
  }

  #nextBefore(time: number): Waiting | undefined {
    return this.#timers.filter((timer) => timer.at <= time).sort((a, b) => a.at - b.at || a.order - b.order)[0]
  }
}

/** One process's view of a clock: while it is stalled (a paused machine) nothing is called; what came due is called after. */
export class StallableClock implements Clock {
  readonly #clock: Clock
  readonly #missed = new Set<() => void>()
  #stalled = false
  #running = Promise.withResolvers<void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  now(): number {
    return this.#clock.now()
  }

  after(delayMs: number, call: () => void): () => void {
    const due = (): void => {
      if (this.#stalled) this.#missed.add(call)
      else call()
    }
    const cancel = this.#clock.after(delayMs, due)
    return () => {
      cancel()
      this.#missed.delete(call)
    }
  }

  get isStalled(): boolean {
    return this.#stalled
  }

  /** Resolves when it is not stalled: what comes from outside is heard only then. */
  async whenRunning(): Promise<void> {
    while (this.#stalled) await this.#running.promise
  }

  stall(): void {
    this.#stalled = true
    this.#running = Promise.withResolvers()
  }

  resume(): void {
    this.#stalled = false
    this.#running.resolve()
    const missed = [...this.#missed]
    this.#missed.clear()
    for (const call of missed) call()
  }
}
