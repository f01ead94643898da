/**
 * Standby tasks of an application in this worker: state that follows its changelogs, so that a task which moves here has
 * only a tail to restore.
 *
 * SB1  Only committed rows are applied, each answer whole and with the positions it ends at: what a flush writes is a
 *      committed prefix, as with a task that runs.
 * SB2  A standby that becomes active keeps its open state, and one that was active keeps it too.
 * SB3  While the write buffers of the process are full nothing is read.
 * SB4  A warm-up that has caught up says so once.
 * SB5  A standby whose database has met damage is opened again, wiped: what it holds could never be written, and would fill
 *      the write buffers of the process.
 */

import type { CrashPoint, FetchedPartition, Log } from '../../connectors/kafka/index.ts'
import type { StateBudget, TaskState } from '../../state-stores/index.ts'
import type { Clock } from '../clock.ts'
import type { Reading } from './changelog.ts'
import { atEnd, positionsOf, remaining, replay } from './changelog.ts'
import type { RuntimeSettings } from './settings.ts'
import { Mutex, Signal } from './signal.ts'

export class StandbyTask {
  readonly id: string
  readonly state: TaskState
  readonly readings: readonly Reading[]
  warmUp: boolean
  saidCaughtUp = false
  /** Its state is closed. */
  isBroken = false

  constructor(id: string, state: TaskState, readings: readonly Reading[], warmUp: boolean) {
    this.id = id
    this.state = state
    this.readings = readings
    this.warmUp = warmUp
  }

  get lag(): bigint {
    return remaining(this.readings)
  }
}

export interface StandbyOptions {
  readonly log: Log
  readonly clock: Clock
  readonly settings: RuntimeSettings
  readonly budget: StateBudget
  readonly crash: CrashPoint
  /** A warm-up has caught up. */
  readonly caughtUp: () => void
  /** A standby cannot go on as it is: it was taken out, its state is closed. */
  readonly broken: (task: StandbyTask, error: unknown) => void
}

/** How soon to look again when the write buffers of the process are full, in ms. */
const overBudgetWaitMs = 50
/** One answer for all standbys of an application, in bytes; and what each changelog gets of it at least. */
const answerMaxBytes = 8 * 1024 * 1024
const leastBytes = 16 * 1024

export class StandbyTasks {
  readonly #options: StandbyOptions
  readonly #tasks = new Map<string, StandbyTask>()
  /** Applying and taking out never overlap. */
  readonly #applying = new Mutex()
  readonly #changed: Signal
  #fetch: AbortController | null = null
  #loop: Promise<void> | null = null
  #failures = 0

  constructor(options: StandbyOptions) {
    this.#options = options
    this.#changed = new Signal(options.clock)
  }

  get tasks(): readonly StandbyTask[] {
    return [...this.#tasks.values()]
  }

  add(task: StandbyTask): void {
    this.#tasks.set(task.id, task)
    this.#wake()
    this.#loop ??= this.#run()
  }

  /** Takes one out with what was applied so far; its state stays open and is the caller's. Null when it broke meanwhile. */
  async remove(id: string): Promise<StandbyTask | null> {
    const task = this.#tasks.get(id) ?? null
    this.#tasks.delete(id)
    this.#wake()
    // What is being applied ends first (SB1).
    await this.#applying.run(() => Promise.resolve())
    return task === null || task.isBroken ? null : task
  }

  /** Whether the task will move here. */
  warm(id: string, warmUp: boolean): void {
    const task = this.#tasks.get(id)
    if (task === undefined || task.warmUp === warmUp) return
    task.warmUp = warmUp
    task.saidCaughtUp = false
  }

  #wake(): void {
    this.#fetch?.abort()
    this.#changed.raise()
  }

  async #run(): Promise<void> {
    const { budget, settings } = this.#options
    while (this.#tasks.size > 0) {
      await this.#breakDamaged()
      if (budget.overBudget) {
        await this.#changed.wait(overBudgetWaitMs)
        continue
      }
      try {
        await this.#readOnce()
        this.#failures = 0
      } catch {
        // Trouble with the log: whatever it is, the standby only falls behind.
        const wait = settings.retryMinMs * 2 ** Math.min(this.#failures++, 20)
        await this.#changed.wait(Math.min(wait, settings.retryMaxMs))
      }
    }
    this.#loop = null
  }

  async #readOnce(): Promise<void> {
    const { log, settings } = this.#options
    const abort = new AbortController()
    this.#fetch = abort
    const tasks = this.tasks
    const changelogs = tasks.reduce((sum, { readings }) => sum + readings.length, 0)
    const askedAt = this.#options.clock.now()
    const maxBytes = Math.max(leastBytes, Math.min(settings.fetchMaxBytes, Math.floor(answerMaxBytes / changelogs)))
    const partitions = tasks.flatMap(({ readings }) =>
      readings.map(({ topic, partition, position }) => ({
        topic,
        partition,
        offset: position,
        maxBytes,
      })),
    )
    const answer = await log.fetch({
      partitions,
      isolation: 'read_committed',
      maxWaitMs: settings.fetchMaxWaitMs,
      signal: abort.signal,
    })
    this.#fetch = null
    await this.#applying.run(async () => {
      for (const task of tasks) if (this.#tasks.get(task.id) === task) await this.#apply(task, answer, askedAt)
    })
  }

  async #apply(task: StandbyTask, answer: readonly FetchedPartition[], askedAt: number): Promise<void> {
    const { clock, crash } = this.#options
    const pause = (): Promise<void> => new Promise((resolve) => void clock.after(0, resolve))
    try {
      for (const fetched of answer) {
        const reading = task.readings.find(
          ({ topic, partition }) => topic === fetched.topic && partition === fetched.partition,
        )
        if (reading === undefined) continue
        await replay({ state: task.state, crash, pause }, fetched, reading)
        reading.target = fetched.highWatermark
      }
      if (task.lag === 0n) atEnd(task.state, task.readings, askedAt)
      task.state.restored(positionsOf(task.readings))
      this.#noteCaughtUp(task)
    } catch (error) {
      await this.#break(task, error)
    }
  }

  /** SB5. */
  async #breakDamaged(): Promise<void> {
    if (this.tasks.every(({ state }) => state.damage === null)) return
    await this.#applying.run(async () => {
      for (const task of this.tasks) if (task.state.damage !== null) await this.#break(task, task.state.damage)
    })
  }

  async #break(task: StandbyTask, error: unknown): Promise<void> {
    this.#tasks.delete(task.id)
    task.isBroken = true
    await task.state.close({ flush: false }).catch(() => undefined)
    this.#options.broken(task, error)
  }

  #noteCaughtUp(task: StandbyTask): void {
    const { settings, caughtUp } = this.#options
    if (!task.warmUp || task.saidCaughtUp || task.lag > BigInt(settings.acceptableRecoveryLag)) return
    task.saidCaughtUp = true
    caughtUp()
  }
}
