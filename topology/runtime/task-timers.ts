/**
 * Firing the timers of one task: before a record of their key (R3), or by the clock (R6). The timers themselves are in
 * `timers.ts`; when R6 holds, `timer-gate.ts` finds out.
 */

import type { Clock } from '../clock.ts'
import { reasonOf } from './dead-letters.ts'
import type { Poison } from './poison.ts'
import type { RunningPart } from './running-nodes.ts'
import type { TaskStep } from './task-step.ts'
import type { Timer } from './timers.ts'
import { isBadData } from './trouble.ts'

/** Timers that one record fires before the loop gets its turn (R7). */
const keyTimersPerTurn = 256

export interface TaskTimersOptions {
  readonly step: TaskStep
  readonly poison: Poison
  readonly nodes: RunningPart
  /** An input of the task: where a dead letter of a timer says that it comes from. */
  readonly input: { readonly topic: string; readonly partition: number }
  readonly counters: { timersFired: number }
  readonly time: Clock
}

export class TaskTimers {
  readonly #options: TaskTimersOptions
  readonly #step: TaskStep

  constructor(options: TaskTimersOptions) {
    this.#options = options
    this.#step = options.step
  }

  get armed(): number {
    let armed = 0
    for (const table of this.#step.timerTables.values()) armed += table.size
    return armed
  }

  /** When the next may fire; null when none is armed. */
  get nextAt(): number | null {
    return this.#next()?.timer.mayFireAt ?? null
  }

  /** The process stood still until `now` (R6). */
  wentOn(now: number): void {
    for (const table of this.#step.timerTables.values()) table.wentOn(now)
  }

  unpark(key: Buffer): void {
    for (const table of this.#step.timerTables.values()) table.unpark(key)
  }

  /** Fires those of a key due before a time. False when there were too many for one go: call again (R7). */
  fireOfKey(key: Buffer, before: number): boolean {
    let fired = 0
    for (const [store, table] of this.#step.timerTables) {
      for (let timer = table.dueForKey(key, before); timer !== null; timer = table.dueForKey(key, before)) {
        if (fired++ >= keyTimersPerTurn) return false
        this.#fire(store, timer)
      }
    }
    return true
  }

  /** Fires those due at or before `asOf`, at most `limit` of them. Call only when R6 holds for `asOf`. */
  fireDue(asOf: number, limit: number): number {
    const { poison, time } = this.#options
    let fired = 0
    for (; fired < limit; fired++) {
      const next = this.#next()
      if (next === null || next.timer.dueAt > asOf || next.timer.mayFireAt > time.now()) break
      if (poison.isBlocked(next.timer.key)) this.#step.timers(next.store).park(next.timer)
      else this.#fire(next.store, next.timer)
    }
    return fired
  }

  #fire(store: string, timer: Timer): void {
    const table = this.#step.timers(store)
    this.#step.enter(null, timer.dueAt, timer.key)
    try {
      this.#step.run(() => {
        table.fired(timer)
        const handler = this.#options.nodes.timerHandler(store, timer.name)
        if (handler === undefined) throw new Error(`no processor handles timer "${timer.name}" any more`)
        handler.fire(timer.key, timer.name, timer.dueAt)
      })
    } catch (error) {
      if (!isBadData(error)) throw error
      this.#bury(store, timer, error)
    } finally {
      this.#step.leave()
    }
    this.#options.counters.timersFired++
  }

  /** A timer that failed has no record: what is set aside says so, and the timer is disarmed. */
  #bury(store: string, timer: Timer, error: unknown): void {
    const { topic, partition } = this.#options.input
    const value = Buffer.from(JSON.stringify({ timer: timer.name, due_at: timer.dueAt }), 'utf8')
    const record = { topic, partition, offset: -1n, timestamp: timer.dueAt, key: timer.key, value, headers: [] }
    this.#options.poison.buryAlone(record, reasonOf(error), () => this.#step.timers(store).fired(timer))
  }

  #next(): { store: string; timer: Timer } | null {
    let first: { store: string; timer: Timer } | null = null
    for (const [store, table] of this.#step.timerTables) {
      const timer = table.next()
      if (timer !== null && (first === null || timer.dueAt < first.timer.dueAt)) first = { store, timer }
    }
    return first
  }
}
