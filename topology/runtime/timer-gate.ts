import type { Log } from '../../connectors/kafka/index.ts'
import { EngineError } from '../errors.ts'
import type { Task } from './task.ts'

/**
 * Decides when a task's due timers may fire (task R6): asks for the high watermarks after the due time, and opens when
 * every input was read past them. Not the last stable offset: a record in a transaction that is still open counts.
 */
export class TimerGate {
  readonly #log: Log
  readonly #now: () => number
  readonly #wake: () => void
  readonly #failed: (error: unknown) => void
  readonly #asked = new Map<Task, { readonly asOf: number; highWatermarks: readonly bigint[] | null }>()

  constructor(log: Log, now: () => number, wake: () => void, failed: (error: unknown) => void) {
    this.#log = log
    this.#now = now
    this.#wake = wake
    this.#failed = failed
  }

  get isAsking(): boolean {
    return this.#asked.size > 0
  }

  /** Fires what may fire, at most `limit` timers. Returns how many did. */
  fire(task: Task, limit: number): number {
    const asked = this.#asked.get(task)
    if (asked === undefined) {
      if (task.hasDueTimer) this.#ask(task)
      return 0
    }
    if (asked.highWatermarks === null || !task.hasRead(asked.highWatermarks)) return 0
    const fired = task.fireTimers(asked.asOf, limit)
    if (fired < limit) this.#asked.delete(task)
    return fired
  }

  /** The task is closed. */
  forget(task: Task): void {
    this.#asked.delete(task)
  }

  clear(): void {
    this.#asked.clear()
  }

  #ask(task: Task): void {
    const asked = { asOf: this.#now(), highWatermarks: null as readonly bigint[] | null }
    this.#asked.set(task, asked)
    Promise.all([this.#log.listOffsets(task.queues, 'latest'), task.prepareTimers(asked.asOf)]).then(
      ([offsets]) => {
        asked.highWatermarks = offsets
        this.#wake()
      },
      (error: unknown) => {
        if (this.#asked.get(task) !== asked) return
        this.#asked.delete(task)
        this.#failed(
          new EngineError(
            'PREPARE_FAILED',
            `timers of task ${task.id} cannot fire yet: ${String(error)}`,
            'retry',
            error,
          ),
        )
      },
    )
  }
}
