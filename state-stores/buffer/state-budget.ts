/**
 * When to flush, over all tasks of a process. It looks and answers; the engine asks it between records or on a tick and
 * does the flushing. In this order: the largest when all buffers together pass the budget; the one with the most
 * changelog bytes since its last flush when that passes the bound; the oldest when its age does.
 */

import type { TaskState } from './task-state.ts'

export interface StateBudgetOptions {
  /** Bound of all write buffers of the process together, in bytes (STATE_BUFFER_BYTES). */
  readonly bytes: number
  /** Changelog bytes a task may have committed since its last flush (STATE_FLUSH_BYTES). */
  readonly flushBytes: number
  /** How long a committed row may wait for the disk, in ms, counted from the first due() that saw it (STATE_FLUSH_MS). */
  readonly flushMs: number
  readonly now: () => number
}

/** The flush after number `flushes` is due `flushMs` after `since`. */
interface Waiting {
  readonly flushes: number
  readonly since: number
}

export class StateBudget {
  readonly #options: StateBudgetOptions
  readonly #tasks = new Map<TaskState, Waiting | null>()

  constructor(options: StateBudgetOptions) {
    this.#options = options
  }

  /** The returned function takes the task out again, before or after it is closed. */
  register(task: TaskState): () => void {
    this.#tasks.set(task, null)
    return () => void this.#tasks.delete(task)
  }

  /** Memory of all write buffers, in bytes. Past the budget even with every task flushing, the engine must wait. */
  get bufferedBytes(): number {
    let bytes = 0
    for (const task of this.#tasks.keys()) bytes += task.unflushedBytes + task.uncommittedBytes
    return bytes
  }

  get overBudget(): boolean {
    return this.bufferedBytes > this.#options.bytes
  }

  /** The task to flush next, or null. A task that is flushing is never named: call again when it is done. */
  due(): TaskState | null {
    this.#look()
    const ready = [...this.#tasks.keys()].filter((task) => task.hasUnflushed && !task.flushing)
    return this.#overBudget(ready) ?? this.#overBytes(ready) ?? this.#overAge(ready)
  }

  #look(): void {
    for (const [task, waiting] of this.#tasks) {
      if (!task.hasUnflushed) this.#tasks.set(task, null)
      else if (waiting?.flushes !== task.flushes) {
        this.#tasks.set(task, { flushes: task.flushes, since: this.#options.now() })
      }
    }
  }

  #overBudget(ready: readonly TaskState[]): TaskState | null {
    return this.overBudget ? largest(ready, (task) => task.unflushedBytes) : null
  }

  #overBytes(ready: readonly TaskState[]): TaskState | null {
    const over = ready.filter((task) => task.changelogBytes >= this.#options.flushBytes)
    return largest(over, (task) => task.changelogBytes)
  }

  #overAge(ready: readonly TaskState[]): TaskState | null {
    const oldest = largest(ready, (task) => this.#age(task))
    return oldest !== null && this.#age(oldest) >= this.#options.flushMs ? oldest : null
  }

  #age(task: TaskState): number {
    return this.#options.now() - (this.#tasks.get(task)?.since ?? this.#options.now())
  }
}

function largest<T>(items: readonly T[], size: (item: T) => number): T | null {
  let found: T | null = null
  for (const item of items) if (found === null || size(item) > size(found)) found = item
  return found
}
