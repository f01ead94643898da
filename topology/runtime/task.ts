/**
 * One sub-topology on one partition: its input queues, state, timers and nodes. Everything here is synchronous; the
 * application worker feeds it, commits it and waits for it.
 *
 *   created -> restoring -> running -> closed
 *
 * R1  Of all input partitions the record with the lowest timestamp is next; records of one partition keep their order.
 *     While a partition may have records that were not fetched, no other partition's record is taken.
 * R2  Stream time is the greatest timestamp taken; it never goes back.
 * R3  Before a record is processed, timers of its key due before its timestamp fire, in order.
 * R4  A step happens whole, or leaves nothing (`task-step.ts`).
 * R5  A step that fails is dead-lettered, and its key waits (`poison.ts`).
 * R6  Timers other than R3's fire only when every input was read past the high watermark seen after the due time; one
 *     that came due before the task started, or while its process stood still, also waits out the restart grace. Those
 *     of a blocked key wait with it.
 * R7  A turn is bounded also when one record fires very many timers: the record waits at the head meanwhile.
 */

import type { CrashPoint, FetchedPartition, Header, OffsetAndMetadata } from '../../connectors/kafka/index.ts'
import type { TaskState } from '../../state-stores/index.ts'
import type { Clock } from '../clock.ts'
import type { SourceNode } from '../graph/nodes.ts'
import type { SubTopology, Topology } from '../graph/topology.ts'
import { changelogTopic, isAsync, topicName } from '../graph/topology.ts'
import { Answers, loadContext } from './answers.ts'
import type { CallMemo } from './async-operator.ts'
import { AsyncOperator, noMemo } from './async-operator.ts'
import type { Collector } from './collector.ts'
import { invariant } from './invariant.ts'
import { decodeOffsetMetadata, encodeOffsetMetadata } from './offset-metadata.ts'
import { PartitionQueue } from './partition-queue.ts'
import { Poison } from './poison.ts'
import type { RunningNode, RunningPart } from './running-nodes.ts'
import { runNodes } from './running-nodes.ts'
import type { BlockedKey } from './set-aside.ts'
import { SetAside } from './set-aside.ts'
import type { RuntimeSettings } from './settings.ts'
import type { StoredRecord } from './stored-record.ts'
import { TaskStep } from './task-step.ts'
import { TaskTimers } from './task-timers.ts'
import { isBadData } from './trouble.ts'

export interface TaskInput {
  readonly topic: string
  readonly partition: number
  readonly committed: OffsetAndMetadata | null
  /** Where reading begins when nothing was committed. */
  readonly earliest: bigint
  /** Where it ended when the task opened. */
  readonly end: bigint
}

export interface TaskOptions {
  readonly topology: Topology
  readonly part: SubTopology
  readonly partition: number
  readonly state: TaskState
  readonly inputs: readonly TaskInput[]
  readonly collector: Collector
  /** Shared by the tasks of an application: they outlive each task. */
  readonly counters: TaskCounters
  readonly clock: Clock
  /** What timers, waiting calls and rate limits follow. */
  readonly time: Clock
  readonly settings: RuntimeSettings
  readonly wake: () => void
  readonly crash: CrashPoint
  readonly memo: CallMemo
  /** When the task came up: a recovery in the same process keeps it. */
  readonly startedAt: number
}

export interface TaskCounters {
  processed: number
  deadLetters: number
  setAside: number
  timersFired: number
  answers: number
  /** Dropped by a node because their window's grace was over. */
  lateRecords: number
  /** Puts into windows older than their store keeps. */
  expiredPuts: number
}

export class Task {
  readonly id: string
  readonly partition: number
  readonly part: SubTopology
  readonly state: TaskState
  readonly queues: readonly PartitionQueue[]
  readonly counters: TaskCounters
  /** When it came up, or went on after its process stood still. */
  startedAt: number

  readonly #topology: Topology
  readonly #time: Clock
  readonly #collector: Collector
  readonly #sources: ReadonlyMap<string, SourceNode>
  readonly #step: TaskStep
  readonly #poison: Poison
  readonly #timers: TaskTimers
  readonly #operator: AsyncOperator | null
  readonly #answers: Answers | null
  readonly #nodes: RunningPart
  /** A record was taken since the last commit. */
  #moved = false

  constructor(options: TaskOptions) {
    const { topology, part, partition, state, clock, time, crash, counters, collector, settings, startedAt } = options
    this.id = `${part.name}_${partition}`
    this.partition = partition
    this.part = part
    this.state = state
    this.counters = counters
    this.startedAt = startedAt
    this.#topology = topology
    this.#time = time
    this.#collector = collector
    this.#sources = new Map(part.sources.map((source) => [topicName(topology, source.topic), source]))
    this.queues = options.inputs.map(openQueue)
    const [input] = this.queues
    invariant(input !== undefined, `task ${this.id} has no input`)
    const step = new TaskStep({
      partition,
      state,
      stores: part.stores,
      streamTime: Math.max(-1, ...this.queues.map((queue) => queue.partitionTime)),
      startedAt,
      timerRestartGraceMs: settings.timerRestartGraceMs,
      time,
      crash,
      late: (records) => void (counters.lateRecords += records),
    })
    const setAsideStore = part.stores.find((store) => store.kind === 'set-aside')
    const setAside =
      setAsideStore === undefined ? null : new SetAside(state.store(setAsideStore.name), settings.setAsideMaxBytes)
    this.#step = step
    this.#operator = this.#openOperator(options)
    step.includes(collector, ...step.timerTables.values())
    if (setAside !== null) step.includes(setAside)
    if (this.#operator !== null) step.includes(this.#operator)
    const { deadLettersPerMinute } = settings
    const application = topology.name
    const shared = { step, counters, clock, time }
    const poison = new Poison({
      ...shared,
      task: this.id,
      application,
      collector,
      setAside,
      deadLettersPerMinute,
      crash,
    })
    this.#poison = poison
    this.#nodes = runNodes(topology, part, step, collector, this.#operator)
    this.#timers = new TaskTimers({ ...shared, poison, nodes: this.#nodes, input })
    this.#answers =
      this.#operator === null
        ? null
        : new Answers({ ...shared, poison, operator: this.#operator, output: this.#nodes.asyncOutput })
  }

  #openOperator({ part, state, inputs, clock, time, wake, memo }: TaskOptions): AsyncOperator | null {
    const node = part.nodes.find(isAsync)
    if (node === undefined) return null
    const done = state.store(node.doneStore)
    const waiting = this.#step.store(node.waitingStore)
    const ends = new Map(inputs.map(({ topic, partition, end }) => [`${topic}-${partition}`, end]))
    const context = loadContext(node, this.#step)
    return new AsyncOperator({ node, clock, time, done, waiting, wake, context, memo, ends })
  }

  // Input --------------------------------------------------------------------------------------------------------

  queueOf(topic: string, partition: number): PartitionQueue | undefined {
    return this.queues.find((queue) => queue.topic === topic && queue.partition === partition)
  }

  add(fetched: FetchedPartition): void {
    this.queueOf(fetched.topic, fetched.partition)?.add(fetched)
  }

  /** True when a record can be taken now. */
  get isRunnable(): boolean {
    return this.#next() !== null && (this.#operator?.hasRoom ?? true)
  }

  /** True when every fetched record was taken and every answer emitted. */
  get isDrained(): boolean {
    return this.queues.every((queue) => queue.head === null) && !(this.#operator?.hasAnswers ?? false)
  }

  /** True when a commit would write something: records, rows or a moved offset. */
  get isDirty(): boolean {
    return this.#moved || this.#step.hasWritten || (this.#operator?.hasStarts ?? false)
  }

  get blocked(): readonly BlockedKey[] {
    return this.#poison.blocked
  }

  get callsInFlight(): number {
    return this.#operator?.inFlight ?? 0
  }

  get callsWaiting(): number {
    return this.#operator?.waitingCount ?? 0
  }

  get timersArmed(): number {
    return this.#timers.armed
  }

  // Work ---------------------------------------------------------------------------------------------------------

  /** Takes up to `limit` records. Returns how many. */
  process(limit: number): number {
    let taken = 0
    while (taken < limit && (this.#operator?.hasRoom ?? true)) {
      const queue = this.#next()
      if (queue === null) break
      taken++
      if (!this.#take(queue)) break
    }
    if (taken > 0) this.#operator?.pump()
    return taken
  }

  /** Emits answers that arrived and starts calls that may start. Returns whether anything happened. */
  processAnswers(): boolean {
    const operator = this.#operator
    if (operator === null) return false
    for (const { topic, partition, position } of this.queues) operator.reached(topic, partition, position)
    const due = operator.nextDue
    const woke = due !== null && due <= this.#time.now() && this.#step.run(() => operator.takeDue())
    const answered = operator.hasAnswers
    if (answered) this.#answers?.emit()
    operator.pump()
    return woke || answered
  }

  /** When this task next has something to do by the clock: a timer, or a waiting call. */
  get nextDue(): number | null {
    const timerAt = this.#timers.nextAt
    const callAt = this.#operator?.nextDue ?? null
    return timerAt === null ? callAt : callAt === null ? timerAt : Math.min(timerAt, callAt)
  }

  /** True when a timer's time has come and R6's gate is worth opening. */
  get hasDueTimer(): boolean {
    const timerAt = this.#timers.nextAt
    return timerAt !== null && timerAt <= this.#time.now()
  }

  /** The process stood still until `now` (R6). */
  wentOn(now: number): void {
    this.startedAt = now
    this.#timers.wentOn(now)
  }

  /** Loads what timers due by `asOf` will need; waits, so it runs before they fire. */
  async prepareTimers(asOf: number): Promise<void> {
    for (const node of this.part.nodes) {
      if (node.kind !== 'processor' || node.timers?.prepare === undefined) continue
      await node.timers.prepare(this.#step.timers(node.timers.store).keysDue(asOf))
    }
  }

  /** Loads what a blocked key's records will need. */
  async prepareRedrive(key: Buffer): Promise<void> {
    for (const record of this.#poison.waiting(key)) {
      const source = this.#sources.get(record.topic)
      await source?.key.prepare?.([record])
      await source?.value.prepare?.([record])
    }
  }

  /** True when every input was read up to these high watermarks, in the order of `queues` (R6). */
  hasRead(highWatermarks: readonly bigint[]): boolean {
    return this.queues.every((queue, index) => queue.position >= (highWatermarks[index] ?? 0n))
  }

  /** Fires timers due at or before `asOf`, at most `limit` of them. Call only when R6 holds for `asOf`. */
  fireTimers(asOf: number, limit: number): number {
    return this.#timers.fireDue(asOf, limit)
  }

  /** Processes a blocked key's records again, in order; `skipFirst` gives the failed one up. Returns how many are left. */
  redrive(key: Buffer, skipFirst: boolean): number {
    if (!this.#poison.isBlocked(key)) return 0
    this.#timers.unpark(key)
    return this.#poison.redrive(key, skipFirst, (record, then) => this.#processAgain(key, record, then))
  }

  // Commit -------------------------------------------------------------------------------------------------------

  /** Writes the changelog rows of the open transaction into the collector and says which offsets it moves. */
  prepareCommit(): readonly OffsetAndMetadata[] {
    const offsets = this.queues.map((queue) => this.#committable(queue))
    this.#operator?.writeStarts()
    const logged = new Map(
      this.part.stores
        .filter((store) => store.logged)
        .map((store) => [store.name, changelogTopic(this.#topology.name, store.name)]),
    )
    const timestamp = Math.max(0, this.#step.streamTime)
    this.state.dirty((store, key, value) => {
      const topic = logged.get(store)
      if (topic !== undefined) this.#collector.log(topic, this.partition, timestamp, key, value)
    })
    return offsets
  }

  /** The log has committed: `positions` are the changelogs' next offsets of this task's stores. */
  committed(positions: ReadonlyMap<string, bigint>): void {
    this.state.commit(positions)
    this.#operator?.committed()
    this.#moved = false
    this.#step.hasWritten = false
  }

  /** What a successor in this process can use again. Ends this task's listening to its calls. */
  takeMemo(): CallMemo {
    return this.#operator?.memo() ?? noMemo
  }

  /** Waits for calls in flight up to a bound. */
  async closeCalls(boundMs: number): Promise<void> {
    await this.#operator?.close(boundMs)
  }

  closeNodes(): void {
    for (const processor of this.#nodes.processors) processor.close()
  }

  // Inside -------------------------------------------------------------------------------------------------------

  /** The queue whose head is next (R1); null when none may be taken. */
  #next(): PartitionQueue | null {
    let first: PartitionQueue | null = null
    let lowest = Infinity
    for (const queue of this.queues) {
      const head = queue.head
      if (head === null) {
        if (queue.mayHaveMore) return null
      } else if (head.timestamp < lowest) {
        lowest = head.timestamp
        first = queue
      }
    }
    return first
  }

  /** False when the record stays where it is for now (R7). */
  #take(queue: PartitionQueue): boolean {
    const head = queue.head
    invariant(head !== null, 'a queue without a head was chosen')
    const rawKey = head.key()
    const blocked = rawKey !== null && this.#poison.isBlocked(rawKey)
    this.#moved = true
    if (this.#operator?.wasDone(queue.topic, queue.partition, head.offset) ?? false) {
      queue.advance()
      return true
    }
    if (rawKey !== null && !blocked && !this.#timers.fireOfKey(rawKey, head.timestamp)) return false
    this.#poison.taken()
    if (head.timestamp > this.#step.streamTime) this.#step.streamTime = head.timestamp
    this.#step.enterHead(queue, head.timestamp, rawKey)
    if (blocked) {
      this.#poison.setBehind({ ...this.#step.stored(), key: rawKey })
    } else {
      this.#processHead(queue)
    }
    this.#step.leave()
    queue.advance()
    this.counters.processed++
    return true
  }

  #processHead(queue: PartitionQueue): void {
    const head = queue.head
    const source = this.#sources.get(queue.topic)
    const node = this.#nodes.sources.get(queue.topic)
    invariant(head !== null && source !== undefined && node !== undefined, `no source reads ${queue.topic}`)
    try {
      this.#step.run(() => deliver(source, node, head.timestamp, head.key(), head.value(), head.headers()))
    } catch (error) {
      if (!isBadData(error)) throw error
      this.#poison.bury(this.#step.stored(), error)
    }
  }

  /** Processes a record that waited behind its blocked key, and does `then` in the same step. */
  #processAgain(key: Buffer, record: StoredRecord, then: () => void): void {
    const { topic, partition, offset, timestamp } = record
    const source = this.#sources.get(topic)
    const node = this.#nodes.sources.get(topic)
    invariant(source !== undefined && node !== undefined, `no source reads ${topic}`)
    while (!this.#timers.fireOfKey(key, timestamp)) continue
    this.#step.enter({ topic, partition, offset }, timestamp, record.key)
    try {
      this.#step.run(() => {
        deliver(source, node, timestamp, record.key, record.value, record.headers)
        then()
      })
    } finally {
      this.#step.leave()
    }
  }

  #committable(queue: PartitionQueue): OffsetAndMetadata {
    const { topic, partition, position } = queue
    this.#operator?.writeDone(topic, partition, position)
    const offset = this.#operator?.lowestOpen(topic, partition) ?? position
    return { topic, partition, offset, metadata: encodeOffsetMetadata(queue.partitionTime) }
  }
}

function openQueue(input: TaskInput): PartitionQueue {
  const position = input.committed?.offset ?? input.earliest
  return new PartitionQueue(
    input.topic,
    input.partition,
    position,
    decodeOffsetMetadata(input.committed?.metadata ?? ''),
  )
}

function deliver(
  source: SourceNode,
  node: RunningNode,
  timestamp: number,
  key: Buffer | null,
  value: Buffer | null,
  headers: readonly Header[],
): void {
  node.receive({
    key: key === null ? null : source.key.deserialize(key, null),
    value: value === null ? null : source.value.deserialize(value, key),
    timestamp,
    headers,
  })
}
