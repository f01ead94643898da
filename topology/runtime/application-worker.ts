/**
 * One application in one worker: a group membership, a transactional producer, the tasks of its assigned partitions,
 * and the loop that feeds, runs and commits them.
 *
 *   created -> starting -> running <-> recovering
 *                             |            |
 *                          closing -> closed   failed (trouble that retrying cannot mend)
 *
 * W1  The producer is opened before committed offsets are read: what a predecessor left open is decided by then.
 * W2  Rebalances and turns of the loop never overlap.
 * W3  One transaction covers all tasks of the application in this worker.
 * W4  A commit follows at once when every task is drained, no sooner than `commitMinIntervalMs` after the last and not
 *     above `commitMaxShare` of the time; at the latest after `commitIntervalMs`; at once past `transactionMaxBytes`.
 *     When nothing was taken and nothing written there is no transaction.
 * W5  After trouble in a commit every task goes back to its committed state: local rows, the changelog's tail, committed
 *     offsets. Answers of finished calls are kept (async operator A3). Until then nothing is committed, also not by a
 *     close: what the failed commit took is gone from the collector.
 */

import type { GroupSession, Log, TopicPartition } from '../../connectors/kafka/index.ts'
import type { StateBudget, StateDatabaseSupplier, TaskState } from '../../state-stores/index.ts'
import type { Clock } from '../clock.ts'
import { EngineError } from '../errors.ts'
import type { Topology } from '../graph/topology.ts'
import { changelogTopic, topicName } from '../graph/topology.ts'
import { Collector } from './collector.ts'
import type { FetchTarget } from './fetcher.ts'
import { Fetcher } from './fetcher.ts'
import { EngineBug, invariant } from './invariant.ts'
import type { BlockedKey } from './set-aside.ts'
import type { RuntimeSettings } from './settings.ts'
import { Mutex, Signal } from './signal.ts'
import { StallWatch } from './stall-watch.ts'
import type { Task, TaskCounters } from './task.ts'
import type { KeptTask, TaskPlace } from './task-opener.ts'
import { TaskOpener, placesOf } from './task-opener.ts'
import { TimerGate } from './timer-gate.ts'
import { resolveTopics } from './topics.ts'
import { Transaction } from './transaction.ts'

export type ApplicationState = 'created' | 'starting' | 'running' | 'recovering' | 'closing' | 'closed' | 'failed'

export interface ApplicationWorkerOptions {
  readonly topology: Topology
  readonly log: Log
  readonly databases: StateDatabaseSupplier
  readonly budget: StateBudget
  readonly clock: Clock
  /** Milliseconds of a fine, monotonic watch; only to bound how much time commits and slices take. */
  readonly watch: () => number
  readonly settings: RuntimeSettings
  /** Durable id of the process, and which worker of it: `<application>-<process>-<worker>` is the transactional id. */
  readonly processId: string
  readonly workerIndex: number
  /** One line for the operator. */
  readonly notice: (line: string) => void
  /** Called once when the application cannot go on. */
  readonly failed: (error: Error) => void
}

export interface ApplicationStatus extends Readonly<TaskCounters> {
  readonly application: string
  readonly state: ApplicationState
  readonly tasks: number
  readonly blockedKeys: number
  readonly timersArmed: number
  readonly callsInFlight: number
  readonly callsWaiting: number
  readonly commits: number
}

const recordsPerCheck = 64
const timersPerTurn = 256
/** How soon to look again when the write buffers of the process are full, in ms. */
const overBudgetWaitMs = 50

export class ApplicationWorker {
  readonly name: string
  readonly #options: ApplicationWorkerOptions
  readonly #clock: Clock
  readonly #settings: RuntimeSettings
  readonly #signal: Signal
  readonly #mutex = new Mutex()
  readonly #fetcher: Fetcher
  readonly #gate: TimerGate
  readonly #transaction: Transaction
  readonly #stalls: StallWatch
  /** What was assigned, by task id; a task that could not be opened yet is here and not in `#tasks`. */
  readonly #places = new Map<string, TaskPlace>()
  readonly #tasks = new Map<string, Task>()
  /** Takes a task's state out of the buffer budget. */
  readonly #unregister = new Map<string, () => void>()
  #state: ApplicationState = 'created'
  #collector = new Collector(new Map())
  #opener: TaskOpener | null = null
  #group: GroupSession | null = null
  #loop: Promise<void> = Promise.resolve()
  #stopping = false
  readonly #assigned = Promise.withResolvers<void>()
  #trouble: Error | null = null
  #failures = 0
  #lastCommitAt = 0
  #commitCostMs = 0
  #commits = 0
  /** A commit began and did not end (W5). */
  #broken = false
  /** What tasks that could not be opened again have left. */
  readonly #left = new Map<string, Omit<KeptTask, 'state'>>()
  readonly #counters: TaskCounters = newCounters()

  constructor(options: ApplicationWorkerOptions) {
    this.name = options.topology.name
    this.#options = options
    this.#clock = options.clock
    this.#settings = options.settings
    this.#signal = new Signal(options.clock)
    // start() waits for it; when that is not running, its rejection is nobody's news.
    this.#assigned.promise.catch(() => undefined)
    const wake = (): void => this.#signal.raise()
    const failed = (error: unknown): void => {
      this.#trouble = asError(error)
      wake()
    }
    this.#fetcher = new Fetcher(options.log, options.settings, wake, failed)
    this.#stalls = new StallWatch(options.clock, (now) => this.#wentOn(now))
    this.#gate = new TimerGate(options.log, () => options.clock.now(), wake, failed)
    const transactionalId = `${this.name}-${options.processId}-${options.workerIndex}`
    this.#transaction = new Transaction(options.log, transactionalId, options.settings.transactionTimeoutMs)
  }

  get state(): ApplicationState {
    return this.#state
  }

  /** Resolves when the first assignment is open: restored and running. @throws EngineError or LogError, one clear line */
  async start(): Promise<void> {
    invariant(this.#state === 'created', `application ${this.name} was started twice`)
    this.#state = 'starting'
    const { log, topology, databases, clock, settings, notice } = this.#options
    const topics = await resolveTopics(log, topology)
    this.#collector = new Collector(topics.partitions)
    this.#opener = new TaskOpener({
      topology,
      log,
      databases,
      clock,
      settings,
      notice,
      collector: this.#collector,
      counters: this.#counters,
      wake: () => this.#signal.raise(),
    })
    await this.#transaction.open()
    this.#checkOpen()
    this.#group = await log.joinGroup({
      groupId: this.name,
      topics: topology.subTopologies.flatMap((part) => part.sources.map((source) => topicName(topology, source.topic))),
      instanceId: null,
      sessionTimeoutMs: settings.sessionTimeoutMs,
      listener: {
        assigned: (partitions) => this.#mutex.run(() => this.#take(partitions)),
        revoked: (partitions) => this.#mutex.run(() => this.#revoked(partitions)),
        lost: () => this.#mutex.run(() => this.#lost()),
      },
    })
    this.#checkOpen()
    this.#stalls.start()
    this.#loop = this.#run()
    await this.#assigned.promise
  }

  /** A close may come while the start waits for the log. */
  #checkOpen(): void {
    if (!this.#stopping) return
    void this.#group?.leave().catch(() => undefined)
    throw new EngineError('CLOSED', `application "${this.name}" was closed while it started`, 'stop')
  }

  /** Commits what is done, waits for calls up to a bound, flushes and closes the stores. */
  async close(): Promise<void> {
    if (this.#state === 'closed' || this.#state === 'created') return
    this.#stopping = true
    this.#signal.raise()
    this.#assigned.reject(new EngineError('CLOSED', `application "${this.name}" was closed`, 'stop'))
    await this.#loop
    this.#stalls.stop()
    const failed = this.#state === 'failed'
    if (!failed) this.#state = 'closing'
    try {
      await this.#mutex.run(() => this.#closeTasks([...this.#tasks.keys()], !failed))
    } finally {
      this.#fetcher.restart()
      await this.#group?.leave().catch(() => undefined)
      await this.#transaction.discard()
      if (!failed) this.#state = 'closed'
    }
  }

  /** Looks again at once: something outside the loop has changed, e.g. a flush met damage. */
  wake(): void {
    this.#signal.raise()
  }

  // For operators ------------------------------------------------------------------------------------------------

  /** True when everything readable was processed and committed and nothing is in flight. For tests and `warp`. */
  async isIdle(): Promise<boolean> {
    if (this.#state !== 'running') return false
    const tasks = this.#openTasks()
    const quiet = (): boolean =>
      this.#trouble === null &&
      !this.#gate.isAsking &&
      this.#collector.isEmpty &&
      tasks.every(
        (task) =>
          task.isDrained &&
          !task.isDirty &&
          task.callsInFlight === 0 &&
          !task.hasDueTimer &&
          !hasDueCall(task, this.#clock.now()),
      )
    if (!quiet()) return false
    const queues = tasks.flatMap((task) => task.queues)
    const ends = await this.#options.log.listOffsets(queues, 'latest')
    return quiet() && queues.every((queue, index) => queue.position >= (ends[index] ?? 0n))
  }

  blocked(): readonly (BlockedKey & { readonly task: string })[] {
    return this.#openTasks().flatMap((task) => task.blocked.map((blocked) => ({ task: task.id, ...blocked })))
  }

  /** Processes a blocked key's records again, in order. Returns how many are left set aside. */
  redrive(key: Buffer, options: { readonly skipFirst: boolean }): Promise<number> {
    return this.#mutex.run(async () => {
      for (const task of this.#openTasks()) await task.prepareRedrive(key)
      const left = this.#openTasks().reduce((sum, task) => sum + task.redrive(key, options.skipFirst), 0)
      this.#signal.raise()
      return left
    })
  }

  status(): ApplicationStatus {
    const tasks = this.#openTasks()
    const sum = (of: (task: Task) => number): number => tasks.reduce((total, task) => total + of(task), 0)
    return {
      application: this.name,
      state: this.#state,
      tasks: tasks.length,
      ...this.#counters,
      blockedKeys: sum((task) => task.blocked.length),
      timersArmed: sum((task) => task.timersArmed),
      callsInFlight: sum((task) => task.callsInFlight),
      callsWaiting: sum((task) => task.callsWaiting),
      commits: this.#commits,
    }
  }

  /** Records between the committed or buffered position and the end of the inputs. */
  async lag(): Promise<bigint> {
    const queues = this.#openTasks().flatMap((task) => task.queues)
    const ends = await this.#options.log.listOffsets(queues, 'stable')
    return queues.reduce(
      (sum, queue, index) => sum + ((ends[index] ?? 0n) > queue.position ? (ends[index] ?? 0n) - queue.position : 0n),
      0n,
    )
  }

  // The loop -----------------------------------------------------------------------------------------------------

  async #run(): Promise<void> {
    while (!this.#stopping) {
      try {
        const busy = await this.#mutex.run(() => this.#turn())
        if (busy) await new Promise<void>((resolve) => void this.#clock.after(0, resolve))
        else await this.#signal.wait(this.#waitMs())
      } catch (error) {
        if (!(await this.#survive(error))) return
      }
    }
  }

  /** One turn: feed, work for a slice, commit when due. True when there may be more to do at once. */
  async #turn(): Promise<boolean> {
    if (this.#trouble !== null) {
      const trouble = this.#trouble
      this.#trouble = null
      throw trouble
    }
    this.#stalls.look()
    for (const { state } of this.#openTasks()) if (state.damage !== null) throw state.damage
    this.#fetcher.start(this.#fetchTargets())
    const worked = this.#work()
    if (this.#commitIsDue()) {
      await this.#commit()
      return true
    }
    return worked
  }

  /** What the gate has asked for was asked before; timers that came due since wait (R6, T4). */
  #wentOn(now: number): void {
    for (const task of this.#openTasks()) task.wentOn(now)
    for (const [id, left] of this.#left) this.#left.set(id, { ...left, startedAt: now })
  }

  #work(): boolean {
    if (this.#options.budget.overBudget) return false
    const watch = this.#options.watch
    const until = watch() + this.#settings.sliceMs
    let worked = false
    for (const task of this.#openTasks()) {
      if (this.#gate.fire(task, timersPerTurn) > 0) worked = true
      if (task.processAnswers()) worked = true
    }
    for (let took = true; took && watch() < until;) {
      took = false
      for (const task of this.#openTasks()) if (task.process(recordsPerCheck) > 0) took = true
      worked ||= took
      if (this.#uncommittedBytes() > this.#settings.transactionMaxBytes) break
    }
    return worked
  }

  #fetchTargets(): FetchTarget[] {
    return this.#openTasks().flatMap((task) =>
      task.part.sources.flatMap((source) => {
        const queue = task.queueOf(topicName(this.#options.topology, source.topic), task.partition)
        return queue === undefined ? [] : [{ queue, key: source.key, value: source.value }]
      }),
    )
  }

  // Commit -------------------------------------------------------------------------------------------------------

  #isDirty(): boolean {
    return !this.#collector.isEmpty || this.#openTasks().some((task) => task.isDirty)
  }

  #uncommittedBytes(): number {
    return this.#openTasks().reduce((sum, task) => sum + task.state.uncommittedBytes, this.#collector.sizeBytes)
  }

  /** The earliest time a commit of drained tasks may follow (W4). */
  #earlyCommitAt(): number {
    const share = this.#commitCostMs / this.#settings.commitMaxShare
    return (
      this.#lastCommitAt +
      Math.min(this.#settings.commitIntervalMs, Math.max(this.#settings.commitMinIntervalMs, share))
    )
  }

  #commitIsDue(): boolean {
    if (!this.#isDirty()) return false
    const now = this.#clock.now()
    // The wall clock may step back; that must not put commits off.
    if (now < this.#lastCommitAt) this.#lastCommitAt = now
    if (now - this.#lastCommitAt >= this.#settings.commitIntervalMs) return true
    if (this.#uncommittedBytes() > this.#settings.transactionMaxBytes) return true
    return now >= this.#earlyCommitAt() && this.#openTasks().every((task) => task.isDrained)
  }

  async #commit(): Promise<void> {
    const { watch, topology } = this.#options
    invariant(this.#group !== null, 'a commit needs a group membership')
    const begun = watch()
    const tasks = this.#openTasks().filter((task) => task.isDirty)
    const offsets = tasks.flatMap((task) => task.prepareCommit())
    const prepared = watch()
    this.#broken = true
    const ends = await this.#transaction.commit(this.#collector, this.#group.metadata(), offsets)
    this.#broken = false
    const ended = watch()
    for (const task of tasks) task.committed(positionsOf(topology, task, ends))
    this.#commits++
    this.#failures = 0
    this.#lastCommitAt = this.#clock.now()
    this.#commitCostMs = prepared - begun + (watch() - ended)
  }

  // Assignment ---------------------------------------------------------------------------------------------------

  /** Opens the tasks of new partitions; trouble with one is the loop's to survive. */
  async #take(partitions: readonly TopicPartition[]): Promise<void> {
    for (const place of placesOf(this.#options.topology, partitions)) this.#places.set(idOf(place), place)
    try {
      await this.#openMissing()
    } catch (error) {
      this.#trouble = asError(error)
    }
    this.#signal.raise()
  }

  async #openMissing(): Promise<void> {
    for (const [id, place] of this.#places) if (!this.#tasks.has(id)) await this.#openTask(id, place, null)
    if (this.#state === 'starting' || this.#state === 'recovering') this.#state = 'running'
    this.#assigned.resolve()
  }

  async #openTask(id: string, place: TaskPlace, state: TaskState | null): Promise<void> {
    invariant(this.#opener !== null, 'tasks are opened after the start')
    const left = this.#left.get(id)
    const task = await this.#opener.open(place, left === undefined ? null : { ...left, state })
    this.#left.delete(id)
    this.#tasks.set(id, task)
    if (task.state !== state) this.#unregister.set(id, this.#options.budget.register(task.state))
  }

  async #revoked(partitions: readonly TopicPartition[]): Promise<void> {
    const ids = placesOf(this.#options.topology, partitions).map(idOf)
    await this.#closeTasks(ids, true)
    for (const id of ids) this.#places.delete(id)
  }

  async #lost(): Promise<void> {
    await this.#closeTasks([...this.#tasks.keys()], false)
    this.#places.clear()
    this.#trouble = new EngineError(
      'TASK_MIGRATED',
      `application "${this.name}": another member took over its partitions`,
      'stop',
    )
    this.#signal.raise()
  }

  /** @param clean commits first; else what is uncommitted is dropped */
  async #closeTasks(ids: readonly string[], clean: boolean): Promise<void> {
    const open = ids.flatMap((id) => this.#tasks.get(id) ?? [])
    const commits = clean && !this.#broken && (await this.#finish(open))
    if (!commits) await Promise.all(open.map((task) => task.closeCalls(0)))
    for (const task of open) {
      task.takeMemo()
      task.closeNodes()
      this.#gate.clear()
      this.#tasks.delete(task.id)
      this.#unregister.get(task.id)?.()
      if (!commits) task.state.abort()
      await task.state.close({ flush: clean })
    }
    if (!commits) this.#collector.clear()
  }

  /** Waits for calls and commits what is done. False when that failed: it is done again after the next start. */
  async #finish(tasks: readonly Task[]): Promise<boolean> {
    try {
      await Promise.all(tasks.map((task) => task.closeCalls(this.#settings.closeTimeoutMs)))
      for (const task of tasks) task.processAnswers()
      if (this.#isDirty()) await this.#commit()
      return true
    } catch (error) {
      if (error instanceof EngineBug) throw error
      this.#options.notice(
        `application "${this.name}": the last commit failed, its work is repeated after the next start: ${messageOf(error)}`,
      )
      return false
    }
  }

  // Trouble ------------------------------------------------------------------------------------------------------

  /** Goes back to the committed state after trouble (W5). False when the application cannot go on. */
  async #survive(error: unknown): Promise<boolean> {
    if (!canRetry(error)) {
      this.#fail(error)
      return false
    }
    if (this.#state !== 'starting') this.#state = 'recovering'
    this.#options.notice(`application "${this.name}": ${messageOf(error)}: going back to the last commit`)
    await new Promise<void>((resolve) => void this.#clock.after(this.#backoffMs(), resolve))
    if (this.#stopping) return false
    try {
      await this.#mutex.run(() => this.#reopen())
      return true
    } catch (again) {
      return this.#survive(again)
    }
  }

  async #reopen(): Promise<void> {
    this.#fetcher.restart()
    this.#gate.clear()
    this.#collector.clear()
    await this.#transaction.discard()
    await this.#transaction.open()
    this.#trouble = null
    for (const [id, task] of [...this.#tasks]) await this.#reopenTask(id, task)
    await this.#openMissing()
    this.#broken = false
  }

  /** A task that cannot be opened again is missing from then on: its state is closed, what it leaves is kept. */
  async #reopenTask(id: string, task: Task): Promise<void> {
    const place = this.#places.get(id)
    invariant(place !== undefined, `task ${id} runs without being assigned`)
    this.#tasks.delete(id)
    this.#left.set(id, { memo: task.takeMemo(), startedAt: task.startedAt })
    task.closeNodes()
    task.state.abort()
    const unregister = this.#unregister.get(id)
    try {
      await this.#openTask(id, place, task.state)
    } finally {
      if (this.#tasks.get(id)?.state !== task.state) unregister?.()
    }
  }

  #backoffMs(): number {
    const wait = this.#settings.retryMinMs * 2 ** Math.min(this.#failures++, 20)
    return Math.min(wait, this.#settings.retryMaxMs)
  }

  #fail(error: unknown): void {
    const wasStarting = this.#state === 'starting'
    this.#state = 'failed'
    this.#stalls.stop()
    this.#assigned.reject(asError(error))
    // Who starts it is told by start(); later there is nobody who waits.
    if (!wasStarting) this.#options.failed(asError(error))
  }

  // Small things -------------------------------------------------------------------------------------------------

  #openTasks(): Task[] {
    return [...this.#tasks.values()]
  }

  /** How long the loop may sleep; null is until something wakes it. */
  #waitMs(): number | null {
    const due: number[] = []
    if (this.#isDirty()) {
      const drained = this.#openTasks().every((task) => task.isDrained)
      due.push(drained ? this.#earlyCommitAt() : this.#lastCommitAt + this.#settings.commitIntervalMs)
    }
    for (const task of this.#openTasks()) if (task.nextDue !== null && !this.#gate.isAsking) due.push(task.nextDue)
    if (this.#options.budget.overBudget) due.push(this.#clock.now() + overBudgetWaitMs)
    if (due.length === 0) return null
    return Math.max(1, Math.ceil(Math.min(...due) - this.#clock.now()))
  }
}

const newCounters = (): TaskCounters => ({
  processed: 0,
  deadLetters: 0,
  setAside: 0,
  timersFired: 0,
  answers: 0,
  lateRecords: 0,
  expiredPuts: 0,
})

const idOf = (place: TaskPlace): string => `${place.part.name}_${place.partition}`

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)))

function hasDueCall(task: Task, now: number): boolean {
  return task.nextDue !== null && task.nextDue <= now
}

function positionsOf(topology: Topology, task: Task, ends: ReadonlyMap<string, bigint>): ReadonlyMap<string, bigint> {
  const positions = new Map<string, bigint>()
  for (const store of task.part.stores) {
    const end = ends.get(`${changelogTopic(topology.name, store.name)}-${task.partition}`)
    if (store.logged && end !== undefined) positions.set(store.name, end)
  }
  return positions
}

function canRetry(error: unknown): boolean {
  if (error instanceof EngineBug) return false
  const then = error instanceof Error && 'then' in error ? error.then : null
  return then === 'retry' || then === 'restore'
}

function messageOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? `${String(error.code)}: ` : ''
  return `${code}${error instanceof Error ? error.message : String(error)}`
}
