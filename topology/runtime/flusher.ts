/** Moves committed rows to disk when the budget says so, one task at a time, off the record path. */

import type { CrashPoint } from '../../connectors/kafka/index.ts'
import type { StateBudget } from '../../state-stores/index.ts'
import type { Clock } from '../clock.ts'

/** How often the budget is asked, in ms. */
const askEveryMs = 100

export class Flusher {
  readonly #budget: StateBudget
  readonly #clock: Clock
  readonly #notice: (line: string) => void
  readonly #crash: CrashPoint
  #cancel: () => void = () => undefined
  #running: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(budget: StateBudget, clock: Clock, notice: (line: string) => void, crash: CrashPoint) {
    this.#budget = budget
    this.#clock = clock
    this.#notice = notice
    this.#crash = crash
  }

  start(): void {
    if (this.#stopped) return
    this.#cancel = this.#clock.after(askEveryMs, () => {
      this.#running = this.#flush().finally(() => this.start())
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel()
    await this.#running
  }

  /** A failed flush leaves its rows where they were; it is tried again, and the buffer's bound holds meanwhile. */
  async #flush(): Promise<void> {
    try {
      for (let due = this.#budget.due(); due !== null && !this.#stopped; due = this.#budget.due()) {
        await due.flush()
        this.#crash('C11')
      }
    } catch (error) {
      this.#notice(
        `flush of local state failed, it is tried again: ${error instanceof Error ? error.message : String(error)}`,
      )
    }
  }
}
