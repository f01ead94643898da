/**
 * One application in one worker: a group membership, a transactional producer, the tasks of its assigned partitions,
 * and the loop that feeds, runs and commits them.
 *
 *   created -> starting -> running <-> recovering
 *                             |            |
 *                          closing -> closed   failed (trouble that retrying cannot mend)
 *
 * W1  The producer is opened before committed offsets are read: what a predecessor left open is decided by then.
 * W2  Rebalances and turns of the loop never overlap: which tasks run changes between two turns.
 * W3  One transaction covers all tasks (`committer.ts`).
 * W4  When a commit follows (`committer.ts`).
 * W5  After trouble in a commit every task goes back to its committed state: local rows, the changelog's tail, committed
 *     offsets. Answers of finished calls are kept (async operator A3). Until then nothing is committed, also not by a
 *     close: what the failed commit took is gone from the collector.
 * W6  While the generation is unknown (`membership.ts`) nothing is committed; work goes on up to `transactionMaxBytes`.
 * W9  A membership that was lost commits nothing: its tasks end as they stood at the last commit, the producer session is
 *     replaced under the same transactional id, and the group session joins anew. A fenced producer is replaced too; one
 *     that is fenced again and again while its transactions are young has a double, and stops.
 *
 * W7 and W8 are in `task-set.ts`, W10 in `membership.ts`; what operators see is in `application-status.ts`.
 */

import type { CrashPoint, Log, TopicPartition } from '../../connectors/kafka/index.ts'
import { noCrash } from '../../connectors/kafka/index.ts'
import type { StateBudget, StateDatabaseSupplier } from '../../state-stores/index.ts'
import type { Clock } from '../clock.ts'
import { EngineError } from '../errors.ts'
import type { Topology } from '../graph/topology.ts'
import { topicName } from '../graph/topology.ts'
import type { ApplicationState, ApplicationStatus } from './application-status.ts'
import { haveReadAll, isQuiet, lagOf, statusOf } from './application-status.ts'
import type { Collector } from './collector.ts'
import { Committer } from './committer.ts'
import { Fences, taskMigrated } from './fences.ts'
import type { FetchTarget } from './fetcher.ts'
import { Fetcher } from './fetcher.ts'
import { EngineBug, invariant } from './invariant.ts'
import { Membership } from './membership.ts'
import { Purge } from './purge.ts'
import type { BlockedKey } from './set-aside.ts'
import type { RuntimeSettings } from './settings.ts'
import { Mutex, Signal } from './signal.ts'
import { StallWatch } from './stall-watch.ts'
import { decodeStandbys, encodeMemberData } from './task-assignment-data.ts'
import { taskAssignor } from './task-assignor.ts'
import type { Task, TaskCounters } from './task.ts'
import { TaskOpener, leftPlaces, placesOf } from './task-opener.ts'
import type { StandbyTaskPlace } from './task-set.ts'
import { TaskSet, idOf } from './task-set.ts'
import { TimerGate } from './timer-gate.ts'
import { resolveTopics } from './topics.ts'
import { Transaction } from './transaction.ts'
import { asError, canRetry, isFenced, isMembershipLost, messageOf } from './trouble.ts'

export interface ApplicationWorkerOptions {
  readonly topology: Topology
  readonly log: Log
  readonly databases: StateDatabaseSupplier
  readonly budget: StateBudget
  readonly clock: Clock
  /**
   * What timers, not-before times, rate limits and stamps follow; the clock unless told. One that stands still while there
   * is work, and jumps when there is none, lets a month of business pass in minutes.
   */
  readonly time?: Clock
  /** Milliseconds of a fine, monotonic watch; to bound how much time commits and slices take, and to notice a stall. */
  readonly watch: () => number
  readonly settings: RuntimeSettings
  /** Durable id of the process, and which worker of it: `<application>-<process>-<worker>` is the transactional id. */
  readonly processId: string
  readonly workerIndex: number
  /** Whether other workers of the process have their states in the same directories; not unless told. */
  readonly sharesDisk?: boolean
  /** One line for the operator. */
  readonly notice: (line: string) => void
  /** Called once when the application cannot go on. */
  readonly failed: (error: Error) => void
  /** Where a process may be made to die; nowhere unless told. */
  readonly crash?: CrashPoint
}

const recordsPerCheck = 64
const timersPerTurn = 256
/** How soon to look again when the write buffers of the process are full, in ms. */
const overBudgetWaitMs = 50
export class ApplicationWorker {
  readonly name: string
  readonly #options: ApplicationWorkerOptions
  readonly #clock: Clock
  readonly #time: Clock
  readonly #settings: RuntimeSettings
  readonly #crash: CrashPoint
  readonly #signal: Signal
  /** Turns, and what happens between them (W2). */
  readonly #mutex = new Mutex()
  /** Assignments, one after the other; they wait for calls and stores while turns go on. */
  readonly #assignments = new Mutex()
  readonly #fetcher: Fetcher
  readonly #gate: TimerGate
  readonly #transaction: Transaction
  readonly #committer: Committer
  readonly #fences = new Fences()
  readonly #stalls: StallWatch
  readonly #membership: Membership
  /** Which worker this is, whenever its process restarts. */
  readonly #instanceId: string
  #state: ApplicationState = 'created'
  #tasks: TaskSet | null = null
  #loop: Promise<void> = Promise.resolve()
  #stopping = false
  readonly #assigned = Promise.withResolvers<void>()
  #hasAssignment = false
  #trouble: Error | null = null
  #failures = 0
  /** How often the membership was lost. */
  #losses = 0
  readonly #counters: TaskCounters = newCounters()
  /** When the process went on after it had stood still (timers T4). */
  #wentOnAt = -Infinity

  constructor(options: ApplicationWorkerOptions) {
    this.name = options.topology.name
    this.#options = options
    this.#clock = options.clock
    this.#time = options.time ?? options.clock
    this.#settings = options.settings
    this.#crash = options.crash ?? noCrash
    this.#signal = new Signal(options.clock)
    // start() waits for it; when that is not running, its rejection is nobody's news.
    this.#assigned.promise.catch(() => undefined)
    const wake = (): void => this.#signal.raise()
    const failed = (error: unknown): void => this.#troubled(error)
    this.#fetcher = new Fetcher(options.log, options.settings, wake, failed, this.#crash)
    this.#stalls = new StallWatch(
      options.clock,
      () => this.#wentOn(this.#time.now()),
      () => this.#wentBack(this.#time.now()),
    )
    this.#gate = new TimerGate(options.log, () => this.#time.now(), wake, failed)
    this.#membership = new Membership(options.watch, options.settings)
    this.#instanceId = `${options.processId}-${options.workerIndex}`
    const transactionalId = `${this.name}-${this.#instanceId}`
    this.#transaction = new Transaction(options.log, transactionalId, options.settings, options.clock, this.#crash)
    this.#committer = new Committer({
      ...options,
      crash: this.#crash,
      transaction: this.#transaction,
      membership: this.#membership,
      purge: new Purge(options),
      tasks: () => this.#openTasks(),
    })
  }

  get state(): ApplicationState {
    return this.#state
  }

  /** Resolves when the first assignment is open: restored and running. @throws EngineError or LogError, one clear line */
  async start(): Promise<void> {
    invariant(this.#state === 'created', `application ${this.name} was started twice`)
    this.#state = 'starting'
    const { log, topology, settings } = this.#options
    const topics = await resolveTopics(log, topology, this.#settings.topicConfig)
    this.#tasks = this.#taskSet(this.#committer.open(topics.partitions))
    const left = await leftPlaces(this.#options.databases, topology, topics.tasks)
    await this.#tasks.openLeftovers(left, this.#options.sharesDisk !== true)
    await this.#checkOpen()
    this.#membership.joined(
      await log.joinGroup({
        groupId: this.name,
        topics: topology.subTopologies.flatMap((part) =>
          part.sources.map((source) => topicName(topology, source.topic)),
        ),
        instanceId: settings.staticMembership ? this.#instanceId : null,
        sessionTimeoutMs: settings.sessionTimeoutMs,
        heartbeatIntervalMs: settings.heartbeatIntervalMs,
        rebalanceTimeoutMs: settings.rebalanceTimeoutMs,
        maxPollIntervalMs: settings.maxPollIntervalMs,
        assignor: taskAssignor({ topology, ...settings, partitions: topics.partitions }),
        listener: {
          joining: () => this.#mutex.run(() => Promise.resolve(this.#membership.rebalancing(false))),
          revoked: (partitions) => this.#inTurn(() => this.#revoked(partitions)),
          assigned: (added, userData) => this.#inTurn(() => this.#take(added, userData)),
          lost: () => this.#inTurn(() => this.#lost()),
          failed: (error) => this.#troubled(error.code === 'FENCED_INSTANCE_ID' ? this.#migrated(error) : error),
        },
        userData: () => encodeMemberData({ processId: this.#options.processId, held: this.#tasks?.held ?? [] }),
      }),
    )
    await this.#checkOpen()
    this.#stalls.start()
    this.#loop = this.#run()
    await this.#assigned.promise
  }

  #taskSet(collector: Collector): TaskSet {
    const { topology, log, databases, budget, clock, settings, notice } = this.#options
    const crash = this.#crash
    const wake = (): void => this.#signal.raise()
    const shared = { topology, log, clock, time: this.#time, settings, notice, crash }
    const opener = new TaskOpener({
      ...shared,
      databases,
      collector,
      counters: this.#counters,
      wake,
      ready: () => this.#transaction.open(),
    })
    return new TaskSet({
      ...shared,
      opener,
      budget,
      between: (work) => this.#mutex.run(work),
      opened: (task) => this.#opened(task),
      closed: (task) => this.#gate.forget(task),
      failed: (error) => this.#troubled(error),
      caughtUp: () => this.#membership.rejoin(),
    })
  }

  /** A close may come while the start waits for the log. */
  async #checkOpen(): Promise<void> {
    if (!this.#stopping) return
    await this.#membership.leave()
    await this.#tasks?.releaseAll(false)
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
      await this.#assignments.run(() => this.#closeTasks(!failed))
    } finally {
      this.#fetcher.restart()
      this.#crash('C17')
      await this.#membership.leave()
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
    return this.isQuiet && (await haveReadAll(this.#options.log, this.#openTasks())) && this.isQuiet
  }

  /** True when it runs, nothing of it is in flight, nothing that was fetched waits, and nothing is due. Asks nobody. */
  get isQuiet(): boolean {
    const now = this.#time.now()
    return (
      this.#state === 'running' &&
      this.#trouble === null &&
      !this.#membership.isRebalancing &&
      (this.#tasks?.isComplete ?? false) &&
      !this.#gate.isAsking &&
      !this.#committer.hasOutput &&
      this.#openTasks().every((task) => isQuiet(task, now))
    )
  }

  /** The next offset of each partition that its tasks read here. */
  places(): readonly (TopicPartition & { readonly position: bigint })[] {
    return this.#openTasks().flatMap(({ queues }) =>
      queues.map(({ topic, partition, position }) => ({ topic, partition, position })),
    )
  }

  /** When the next timer or waiting call is due, in ms of `time`; null when none is. */
  get nextDue(): number | null {
    const due = this.#openTasks().flatMap((task) => task.nextDue ?? [])
    return due.length === 0 ? null : Math.min(...due)
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
    const progress = this.#tasks?.progress ?? null
    return statusOf(this.name, this.#state, this.#openTasks(), progress, this.#counters, this.#committer.commits)
  }

  /** Records between the committed or buffered position and the end of the inputs. */
  lag(): Promise<bigint> {
    return lagOf(this.#options.log, this.#openTasks())
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
    this.#membership.turn()
    this.#fetcher.start(this.#fetchTargets())
    const worked = this.#work()
    if (this.#committer.isDue) {
      await this.#commit()
      return true
    }
    return worked
  }

  /** What the gate has asked for was asked before; timers that came due since wait (R6, T4). */
  #wentOn(now: number): void {
    this.#wentOnAt = now
    for (const task of this.#openTasks()) task.wentOn(now)
  }

  /** The clock was set back: a start that it now calls future is now, else timers would wait for that time (T4). */
  #wentBack(now: number): void {
    this.#wentOnAt = Math.min(this.#wentOnAt, now)
    for (const task of this.#openTasks()) if (task.startedAt > now) task.wentOn(now)
  }

  #work(): boolean {
    if (this.#options.budget.overBudget || this.#committer.isFull) return false
    const watch = this.#options.watch
    const until = watch() + this.#settings.sliceMs
    let worked = false
    for (const task of this.#workingTasks()) {
      if (this.#gate.fire(task, timersPerTurn) > 0) worked = true
      if (task.processAnswers()) worked = true
    }
    for (let took = true; took && watch() < until;) {
      took = false
      for (const task of this.#workingTasks()) if (task.process(recordsPerCheck) > 0) took = true
      worked ||= took
      if (this.#committer.isFull) break
    }
    return worked
  }

  #fetchTargets(): FetchTarget[] {
    return this.#workingTasks().flatMap((task) =>
      task.part.sources.flatMap((source) => {
        const queue = task.queueOf(topicName(this.#options.topology, source.topic), task.partition)
        return queue === undefined ? [] : [{ queue, key: source.key, value: source.value }]
      }),
    )
  }

  async #commit(): Promise<void> {
    await this.#committer.commit()
    this.#failures = 0
  }

  // Assignment ---------------------------------------------------------------------------------------------------

  /** What fails is told here too: the group session takes it for the listener's own and goes on. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    return this.#assignments.run(work).catch((error: unknown) => {
      this.#troubled(error)
      throw error
    })
  }

  /** A rebalance is over: new tasks and standbys begin to open, the others never noticed (W7, W8). */
  async #take(added: readonly TopicPartition[], userData: Buffer): Promise<void> {
    const { topology, notice } = this.#options
    const standbys = userData.length === 0 ? [] : decodeStandbys(userData)
    if (standbys === null) notice(`application "${this.name}": its leader gave it data it cannot read: standbys stay`)
    const places = (standbys ?? []).flatMap(({ part: name, partition, warmUp }): StandbyTaskPlace[] => {
      const part = topology.subTopologies.find((candidate) => candidate.name === name)
      return part === undefined ? [] : [{ part, partition, inputs: [], warmUp }]
    })
    if (!this.#stopping) {
      const tasks = this.#set().grown(placesOf(topology, added))
      if (tasks.changed.length > 0) {
        await this.#mutex.run(() => Promise.resolve(this.#membership.rebalancing(true)))
        await this.#giveUp(tasks.changed)
      }
      await this.#set().assign(tasks.places, standbys === null ? null : places)
    }
    await this.#mutex.run(() => {
      this.#membership.rebalancing(true)
      this.#hasAssignment = true
      this.#noteOpen()
      return Promise.resolve()
    })
    this.#signal.raise()
    await this.#set().closeParked()
  }

  async #revoked(partitions: readonly TopicPartition[]): Promise<void> {
    const places = placesOf(this.#options.topology, partitions)
    const left = this.#set().shrunk(places)
    await this.#mutex.run(() => Promise.resolve(this.#membership.rebalancing(true)))
    await this.#giveUp(places.map(idOf))
    if (left.length > 0 && !this.#stopping) await this.#set().assign(left, null)
  }

  /** Tasks that move: their calls are awaited while the others go on, then their work is committed. */
  async #giveUp(ids: readonly string[]): Promise<void> {
    const tasks = this.#set()
    const moving = await tasks.hold(ids)
    await Promise.all(moving.map((task) => task.closeCalls(this.#settings.closeTimeoutMs)))
    await this.#mutex.run(async () => {
      this.#crash('C16')
      const committed = await this.#finish(moving.filter((task) => tasks.running.includes(task)))
      this.#crash('C17')
      await tasks.release(ids, committed)
    })
    this.#signal.raise()
  }

  /** W9. */
  async #lost(): Promise<void> {
    this.#options.notice(`application "${this.name}": its membership was lost, it joins again`)
    await this.#set().holdAll()
    await this.#mutex.run(async () => {
      this.#membership.rebalancing(false)
      await this.#set()
        .releaseAll(false)
        .catch((error: unknown) => this.#options.notice(`application "${this.name}": ${messageOf(error)}`))
      this.#losses++
      await this.#drop()
      this.#committer.wentBack()
    })
  }

  async #closeTasks(clean: boolean): Promise<void> {
    const tasks = this.#tasks
    if (tasks === null) return
    await tasks.holdAll()
    const open = this.#openTasks()
    await Promise.all(
      open.map((task) => task.closeCalls(clean && !this.#committer.isBroken ? this.#settings.closeTimeoutMs : 0)),
    )
    if (clean) await this.#settled()
    await this.#mutex.run(async () => {
      this.#crash('C16')
      const committed = clean && (!this.#committer.isDirty || this.#membership.mayCommit) && (await this.#finish(open))
      if (!committed) this.#committer.clear()
      await tasks.releaseAll(clean && committed)
    })
  }

  /** Waits until a commit is allowed, up to the bound of a close: a rebalance may be about to end. */
  async #settled(): Promise<void> {
    const until = this.#clock.now() + this.#settings.closeTimeoutMs
    while (this.#committer.isDirty && !this.#membership.mayCommit && this.#clock.now() < until)
      await this.#signal.wait(50)
  }

  /**
   * Commits what these tasks have done, and with it what all have: the last commit of tasks that end. False when that failed:
   * their work is done again by whoever has them next, that of the others after they went back.
   */
  async #finish(tasks: readonly Task[]): Promise<boolean> {
    if (this.#committer.isBroken) return false
    try {
      for (const task of tasks) task.processAnswers()
      if (!tasks.some((task) => task.isDirty)) return true
      await this.#commit()
      return true
    } catch (error) {
      if (error instanceof EngineBug) throw error
      this.#troubled(error)
      this.#options.notice(
        `application "${this.name}": the last commit failed, its work is repeated after the next start: ${messageOf(error)}`,
      )
      return false
    }
  }

  /** A task has opened: between two turns. */
  #opened(task: Task): void {
    const startedAt = Math.min(Math.max(task.startedAt, this.#wentOnAt), this.#time.now())
    if (startedAt !== task.startedAt) task.wentOn(startedAt)
    this.#fetcher.restart()
    this.#noteOpen()
    this.#signal.raise()
  }

  /** Running once every task of the first assignment is, and again after trouble. */
  #noteOpen(): void {
    if (!this.#hasAssignment || !this.#set().isComplete) return
    if (this.#state === 'starting' || this.#state === 'recovering') this.#state = 'running'
    this.#assigned.resolve()
  }

  // Trouble ------------------------------------------------------------------------------------------------------

  /** The next turn deals with it. */
  #troubled(error: unknown): void {
    // What ends the application is not lost behind what passes.
    if (this.#trouble === null || (canRetry(this.#trouble) && !canRetry(error))) this.#trouble = asError(error)
    this.#signal.raise()
  }

  /** Goes back to the committed state after trouble (W5). False when the application cannot go on. */
  async #survive(error: unknown): Promise<boolean> {
    const losses = this.#losses
    const end = canRetry(error) ? this.#isDoubled(error) : asError(error)
    if (end !== null) {
      this.#fail(end)
      return false
    }
    if (this.#state !== 'starting') this.#state = 'recovering'
    this.#options.notice(`application "${this.name}": ${messageOf(error)}: going back to the last commit`)
    await new Promise<void>((resolve) => void this.#clock.after(this.#backoffMs(), resolve))
    if (this.#stopping) return false
    try {
      await this.#mutex.run(() => this.#goBack(isMembershipLost(error) && losses === this.#losses))
      return true
    } catch (again) {
      return this.#survive(again)
    }
  }

  /** @param outside the log says that this worker is no member, and its group session has not noticed yet */
  async #goBack(outside: boolean): Promise<void> {
    if (outside) {
      await this.#set().suspend()
      await this.#drop()
      this.#committer.wentBack()
      // The group session finds out by itself, if it does not know; then `lost`, or `assigned` when there was nothing to it.
      this.#membership.rebalancing(false)
      this.#membership.rejoin()
      return
    }
    await this.#drop()
    await this.#transaction.open()
    await this.#set().reopen()
    this.#committer.wentBack()
    this.#noteOpen()
  }

  /** Back to the last commit: what is uncommitted, asked for or fetched is forgotten, the producer session too. */
  async #drop(): Promise<void> {
    this.#fetcher.restart()
    this.#gate.clear()
    await this.#committer.drop()
    if (canRetry(this.#trouble)) this.#trouble = null
  }

  /**
   * A producer may be fenced because its transaction stood open for too long, or by a request of its own that came late. By
   * one after the other in young transactions: another process has its id.
   */
  #isDoubled(error: unknown): Error | null {
    if (!isFenced(error) || this.#transaction.mayHaveTimedOut) return null
    return this.#fences.add(this.#clock.now()) ? this.#migrated(error) : null
  }

  #migrated(error: unknown): EngineError {
    return taskMigrated(this.name, this.#options.processId, error)
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

  #openTasks(): readonly Task[] {
    return this.#tasks?.running ?? []
  }

  #workingTasks(): readonly Task[] {
    return this.#tasks?.working ?? []
  }

  #set(): TaskSet {
    invariant(this.#tasks !== null, 'tasks come after the start')
    return this.#tasks
  }

  /** How long the loop may sleep. */
  #waitMs(): number {
    const due = [this.#clock.now() + this.#membership.turnEveryMs]
    if (this.#membership.quietForMs > 0) due.push(this.#clock.now() + this.#membership.quietForMs)
    const commitAt = this.#committer.dueAt
    if (commitAt !== null) due.push(commitAt)
    if (!this.#gate.isAsking) due.push(...this.#workingTasks().flatMap((task) => this.#dueAt(task) ?? []))
    if (this.#options.budget.overBudget) due.push(this.#clock.now() + overBudgetWaitMs)
    return Math.max(1, Math.ceil(Math.min(...due) - this.#clock.now()))
  }

  /** When the clock shows what a task waits for. Where time is another, whoever moves it wakes the loop. */
  #dueAt({ nextDue }: Task): number | null {
    if (nextDue === null || this.#time === this.#clock) return nextDue
    return nextDue <= this.#time.now() ? this.#clock.now() : null
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
