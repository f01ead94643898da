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
 * R4  Each record, timer and answer is one step: it happens whole, or leaves nothing (rollback to its savepoint).
 * R5  A step that fails is dead-lettered in the same transaction; with a set-aside store its key is blocked, and that
 *     key's later records are set aside in order until redriven.
 * R6  Timers other than R3's fire only when every input was read past the high watermark seen after the due time; one
 *     that came due before the task started, or while its process stood still, also waits out the restart grace. Those
 *     of a blocked key wait with it.
 * R7  A turn is bounded also when one record fires very many timers: the record waits at the head meanwhile.
 */

import type { CrashPoint, FetchedPartition, Header, OffsetAndMetadata } from '../../connectors/kafka/index.ts'
import type { KeyValueStore, TaskState, WindowStore } from '../../state-stores/index.ts'
import type { Clock } from '../clock.ts'
import { BadRecord, EngineError } from '../errors.ts'
import type { AsyncOperation, NodeContext, SourceNode } from '../graph/nodes.ts'
import type { RecordOrigin, StreamRecord } from '../graph/record.ts'
import type { SubTopology, Topology } from '../graph/topology.ts'
import { changelogTopic, isAsync, topicName } from '../graph/topology.ts'
import type { AfterAnswer, CallMemo } from './async-operator.ts'
import { AsyncOperator, noMemo } from './async-operator.ts'
import { BoundedStore, boundedWindowStore } from './bounded-store.ts'
import type { Call } from './call.ts'
import type { Collector } from './collector.ts'
import { sizeOf } from './collector.ts'
import type { Reason } from './dead-letters.ts'
import { DeadLetterRate, reasonOf, sendDeadLetter } from './dead-letters.ts'
import { EngineBug, invariant } from './invariant.ts'
import { decodeOffsetMetadata, encodeOffsetMetadata } from './offset-metadata.ts'
import { PartitionQueue } from './partition-queue.ts'
import type { RunningNode, RunningPart, TaskFrame } from './running-nodes.ts'
import { runNodes } from './running-nodes.ts'
import type { BlockedKey } from './set-aside.ts'
import { SetAside } from './set-aside.ts'
import type { RuntimeSettings } from './settings.ts'
import type { StoredRecord } from './stored-record.ts'
import type { Timer } from './timers.ts'
import { TimerTable } from './timers.ts'

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

export class Task implements TaskFrame {
  readonly id: string
  readonly partition: number
  readonly part: SubTopology
  readonly state: TaskState
  readonly queues: readonly PartitionQueue[]
  readonly counters: TaskCounters
  /** When it came up, or went on after its process stood still. */
  startedAt: number
  // The record, timer or answer being handled (what nodes see of the task).
  timestamp = 0
  rawKey: Buffer | null = null
  streamTime = -1
  #origin: RecordOrigin | null = null
  #queue: PartitionQueue | null = null

  readonly #topology: Topology
  readonly #clock: Clock
  readonly #crash: CrashPoint
  readonly #collector: Collector
  readonly #sources: ReadonlyMap<string, SourceNode>
  readonly #timerTables: ReadonlyMap<string, TimerTable>
  /** Logged stores, as nodes and the waiting store see them. */
  readonly #boundedStores: ReadonlyMap<string, KeyValueStore>
  readonly #windowStores: ReadonlyMap<string, WindowStore>
  readonly #setAside: SetAside | null
  readonly #operator: AsyncOperator | null
  readonly #nodes: RunningPart
  readonly #deadLetterRate: DeadLetterRate
  /** Of the step being done. */
  #late = 0
  #moved = false
  #wroteState = false

  constructor(options: TaskOptions) {
    const { topology, part, state, clock, settings } = options
    this.id = `${part.name}_${options.partition}`
    this.partition = options.partition
    this.part = part
    this.state = state
    this.counters = options.counters
    this.#topology = topology
    this.#clock = clock
    this.#crash = options.crash
    this.#collector = options.collector
    this.#sources = new Map(part.sources.map((source) => [topicName(topology, source.topic), source]))
    this.queues = options.inputs.map(openQueue)
    this.streamTime = Math.max(-1, ...this.queues.map((queue) => queue.partitionTime))
    this.#timerTables = new Map(
      part.stores
        .filter((store) => store.kind === 'timers')
        .map((store) => [
          store.name,
          new TimerTable(state.store(store.name), options.startedAt, settings.timerRestartGraceMs),
        ]),
    )
    this.#boundedStores = new Map(
      part.stores
        .filter(({ logged, window }) => logged && window === undefined)
        .map(({ name }) => [name, new BoundedStore(state.store(name))]),
    )
    this.#windowStores = new Map(
      part.stores
        .filter(({ window }) => window !== undefined)
        .map(({ name }) => [name, boundedWindowStore(state.windowStore(name))]),
    )
    const setAside = part.stores.find((store) => store.kind === 'set-aside')
    this.#setAside = setAside === undefined ? null : new SetAside(state.store(setAside.name), settings.setAsideMaxBytes)
    const node = part.nodes.find(isAsync)
    this.#operator =
      node === undefined
        ? null
        : new AsyncOperator({
            node,
            clock,
            done: state.store(node.doneStore),
            waiting: this.store(node.waitingStore),
            wake: options.wake,
            memo: options.memo,
            ends: new Map(options.inputs.map(({ topic, partition, end }) => [`${topic}-${partition}`, end])),
          })
    this.#deadLetterRate = new DeadLetterRate(settings.deadLettersPerMinute)
    this.#nodes = runNodes(topology, part, this, options.collector, this.#operator)
    this.startedAt = options.startedAt
  }

  // What nodes see -----------------------------------------------------------------------------------------------

  now(): number {
    return this.#clock.now()
  }

  origin(): RecordOrigin | null {
    if (this.#queue !== null && this.#origin === null) {
      const head = this.#queue.head
      invariant(head !== null, 'a record is handled while its queue has no head')
      this.#origin = { topic: this.#queue.topic, partition: this.#queue.partition, offset: head.offset }
    }
    return this.#origin
  }

  store(name: string): KeyValueStore {
    return this.#boundedStores.get(name) ?? this.state.store(name)
  }

  windowStore(name: string): WindowStore {
    return this.#windowStores.get(name) ?? this.state.windowStore(name)
  }

  dropLate(): void {
    this.#late++
  }

  timers(name: string): TimerTable {
    const table = this.#timerTables.get(name)
    invariant(table !== undefined, `timers store "${name}" is not part of task ${this.id}`)
    return table
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
    return this.#moved || this.#wroteState
  }

  get blocked(): readonly BlockedKey[] {
    return this.#setAside?.list() ?? []
  }

  get callsInFlight(): number {
    return this.#operator?.inFlight ?? 0
  }

  get callsWaiting(): number {
    return this.#operator?.waitingCount ?? 0
  }

  get timersArmed(): number {
    let armed = 0
    for (const table of this.#timerTables.values()) armed += table.size
    return armed
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
    const woke = due !== null && due <= this.#clock.now() && this.#step(() => operator.takeDue())
    const answered = operator.hasAnswers
    if (answered) operator.drain((record, origin, call, close) => this.#emitAnswer(record, origin, call, close))
    operator.pump()
    return woke || answered
  }

  /** When this task next has something to do by the clock: a timer, or a waiting call. */
  get nextDue(): number | null {
    const timer = this.#nextTimer()
    const timerAt = timer === null ? null : timer.timer.mayFireAt
    const callAt = this.#operator?.nextDue ?? null
    return timerAt === null ? callAt : callAt === null ? timerAt : Math.min(timerAt, callAt)
  }

  /** True when a timer's time has come and R6's gate is worth opening. */
  get hasDueTimer(): boolean {
    const timer = this.#nextTimer()
    return timer !== null && timer.timer.mayFireAt <= this.#clock.now()
  }

  /** The process stood still until `now` (R6). */
  wentOn(now: number): void {
    this.startedAt = now
    for (const table of this.#timerTables.values()) table.wentOn(now)
  }

  /** Loads what timers due by `asOf` will need; waits, so it runs before they fire. */
  async prepareTimers(asOf: number): Promise<void> {
    for (const node of this.part.nodes) {
      if (node.kind !== 'processor' || node.timers?.prepare === undefined) continue
      await node.timers.prepare(this.timers(node.timers.store).keysDue(asOf))
    }
  }

  /** Loads what a blocked key's records will need. */
  async prepareRedrive(key: Buffer): Promise<void> {
    for (const { record } of this.#setAside?.records(key) ?? []) {
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
    let fired = 0
    for (; fired < limit; fired++) {
      const next = this.#nextTimer()
      if (next === null || next.timer.dueAt > asOf || next.timer.mayFireAt > this.#clock.now()) break
      if (this.#setAside?.isBlocked(next.timer.key) ?? false) this.timers(next.store).park(next.timer)
      else this.#fire(next.store, next.timer)
    }
    return fired
  }

  /** Processes a blocked key's records again, in order; `skipFirst` gives the failed one up. Returns how many are left. */
  redrive(key: Buffer, skipFirst: boolean): number {
    const setAside = this.#setAside
    if (setAside === null || !setAside.isBlocked(key)) return 0
    for (const table of this.#timerTables.values()) table.unpark(key)
    const records = setAside.records(key)
    for (const [index, { row, record }] of records.entries()) {
      if (skipFirst && index === 0) {
        this.#skip(key, row, record, setAside)
        continue
      }
      const failed = this.#redriveOne(key, row, record, setAside)
      if (failed) return records.length - index
    }
    return 0
  }

  // Commit -------------------------------------------------------------------------------------------------------

  /** Writes the changelog rows of the open transaction into the collector and says which offsets it moves. */
  prepareCommit(): readonly OffsetAndMetadata[] {
    const offsets = this.queues.map((queue) => this.#committable(queue))
    const logged = new Map(
      this.part.stores
        .filter((store) => store.logged)
        .map((store) => [store.name, changelogTopic(this.#topology.name, store.name)]),
    )
    const timestamp = Math.max(0, this.streamTime)
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
    this.#wroteState = false
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
    const blocked = rawKey !== null && (this.#setAside?.isBlocked(rawKey) ?? false)
    this.#moved = true
    if (this.#operator?.wasDone(queue.topic, queue.partition, head.offset) ?? false) {
      queue.advance()
      return true
    }
    if (rawKey !== null && !blocked && !this.#fireKeyTimers(rawKey, head.timestamp)) return false
    this.#deadLetterRate.taken()
    if (head.timestamp > this.streamTime) this.streamTime = head.timestamp
    this.#enter(queue, null, head.timestamp, rawKey)
    if (blocked) {
      this.#setBehind({ ...this.#stored(), key: rawKey })
    } else {
      this.#processHead(queue)
    }
    this.#leave()
    queue.advance()
    this.counters.processed++
    return true
  }

  /** Sets a record aside behind its blocked key. */
  #setBehind(record: StoredRecord & { readonly key: Buffer }): void {
    if (!isKeepable(record)) {
      this.#bury(record, new BadRecord('too_large_to_set_aside', 'its key is blocked and it is too large to wait'))
      return
    }
    this.#step(() => this.#setAside?.add(record))
    this.counters.setAside++
  }

  #processHead(queue: PartitionQueue): void {
    const head = queue.head
    const source = this.#sources.get(queue.topic)
    const node = this.#nodes.sources.get(queue.topic)
    invariant(head !== null && source !== undefined && node !== undefined, `no source reads ${queue.topic}`)
    try {
      this.#step(() => deliver(source, node, head.timestamp, head.key(), head.value(), head.headers()))
    } catch (error) {
      if (isTrouble(error)) throw error
      this.#bury(this.#stored(), error)
    }
  }

  /** What is given up stands in the dead-letter topic: since it failed, or from now on (B2). */
  #skip(key: Buffer, row: Buffer, record: StoredRecord, setAside: SetAside): void {
    const isNew = !setAside.isCause(record)
    const why = { reason: 'skipped', message: 'given up by an operator before it was tried' }
    this.#step(() => {
      if (isNew) sendDeadLetter(this.#collector, this.#topology.name, record, why, this.#clock.now())
      setAside.remove(key, row)
    })
    if (isNew) this.counters.deadLetters++
  }

  #redriveOne(key: Buffer, row: Buffer, record: StoredRecord, setAside: SetAside): boolean {
    const source = this.#sources.get(record.topic)
    const node = this.#nodes.sources.get(record.topic)
    invariant(source !== undefined && node !== undefined, `no source reads ${record.topic}`)
    while (!this.#fireKeyTimers(key, record.timestamp)) continue
    this.#enter(
      null,
      { topic: record.topic, partition: record.partition, offset: record.offset },
      record.timestamp,
      record.key,
    )
    try {
      this.#step(() => {
        deliver(source, node, record.timestamp, record.key, record.value, record.headers)
        setAside.remove(key, row)
      })
      return false
    } catch (error) {
      if (isTrouble(error)) throw error
      const why = reasonOf(error)
      const isNew = !setAside.isCause(record)
      this.#step(() => {
        if (isNew) sendDeadLetter(this.#collector, this.#topology.name, record, why, this.#clock.now())
        setAside.failed({ ...record, key }, why.reason, why.message)
      })
      if (isNew) this.counters.deadLetters++
      return true
    } finally {
      this.#leave()
    }
  }

  #emitAnswer(record: StreamRecord, origin: RecordOrigin, call: Call, then: AfterAnswer): void {
    const operator = this.#operator
    invariant(operator !== null, 'an answer came to a task without an operator')
    const result = call.result
    if (!result.ok && isRetriable(result.error)) {
      this.#callAgain(operator.node.operator, record, origin, then)
      return
    }
    this.#enter(null, origin, record.timestamp, null)
    try {
      this.#step(() => {
        if (!result.ok) throw result.error
        operator.node.operator.answered(record, result.answer, this.#asyncContext())
        then.close()
      })
      this.counters.answers++
    } catch (error) {
      if (result.ok && isTrouble(error)) throw error
      this.#buryCall(operator.node.operator, record, origin, reasonOf(error), then)
    } finally {
      this.#leave()
    }
  }

  /** One that is too large to wait for another call is a dead letter. */
  #callAgain(operation: AsyncOperation, record: StreamRecord, origin: RecordOrigin, then: AfterAnswer): void {
    try {
      this.#step(() => then.again(this.#clock.now() + callAgainMs))
    } catch (error) {
      if (isTrouble(error)) throw error
      this.#buryCall(operation, record, origin, reasonOf(error), then)
    }
  }

  #buryCall(
    operation: AsyncOperation,
    record: StreamRecord,
    origin: RecordOrigin,
    why: Reason,
    then: AfterAnswer,
  ): void {
    const key = serialized(record.key, (of) => operation.key.serialize(of, null))
    const value = serialized(record.value, (of) => operation.value.serialize(of, key))
    const stored = { ...origin, timestamp: record.timestamp, key, value, headers: record.headers }
    this.#step(() => {
      sendDeadLetter(this.#collector, this.#topology.name, stored, why, this.#clock.now())
      then.close()
    })
    this.#countDead(why)
  }

  #asyncContext(): NodeContext {
    return {
      taskPartition: this.partition,
      timestamp: this.timestamp,
      rawKey: this.rawKey,
      streamTime: this.streamTime,
      now: () => this.now(),
      origin: () => this.origin(),
      forward: this.#nodes.asyncOutput,
      store: (name) => {
        throw new Error(`an async operator has no store "${name}"`)
      },
      windowStore: (name) => {
        throw new Error(`an async operator has no store "${name}"`)
      },
      dropLate: () => this.dropLate(),
      timer: () => {
        throw new Error('an async operator has no timers')
      },
    }
  }

  /** True when none is left that is due before `before`; false when there were too many for one go (R7). */
  #fireKeyTimers(key: Buffer, before: number): boolean {
    let fired = 0
    for (const [store, table] of this.#timerTables) {
      for (let timer = table.dueForKey(key, before); timer !== null; timer = table.dueForKey(key, before)) {
        if (fired++ >= keyTimersPerTurn) return false
        this.#fire(store, timer)
      }
    }
    return true
  }

  #fire(store: string, timer: Timer): void {
    const table = this.timers(store)
    this.#enter(null, null, timer.dueAt, timer.key)
    try {
      this.#step(() => {
        table.fired(timer)
        const handler = this.#nodes.timerHandler(store, timer.name)
        if (handler === undefined) throw new Error(`no processor handles timer "${timer.name}" any more`)
        handler.fire(timer.key, timer.name, timer.dueAt)
      })
    } catch (error) {
      if (isTrouble(error)) throw error
      this.#buryTimer(store, timer, error)
    } finally {
      this.#leave()
    }
    this.counters.timersFired++
  }

  /** A timer that failed has no record: what is set aside says so, and the timer is disarmed. */
  #buryTimer(store: string, timer: Timer, error: unknown): void {
    const [first] = this.queues
    invariant(first !== undefined, `task ${this.id} has no input`)
    const value = Buffer.from(JSON.stringify({ timer: timer.name, due_at: timer.dueAt }), 'utf8')
    const record = {
      topic: first.topic,
      partition: first.partition,
      offset: -1n,
      timestamp: timer.dueAt,
      key: timer.key,
      value,
      headers: [],
    }
    this.#step(() => {
      this.timers(store).fired(timer)
      sendDeadLetter(this.#collector, this.#topology.name, record, reasonOf(error), this.#clock.now())
    })
    this.#countDead(reasonOf(error))
  }

  #bury(record: StoredRecord, error: unknown): void {
    const why = reasonOf(error)
    const now = this.#clock.now()
    const key = record.key
    this.#step(() => {
      sendDeadLetter(this.#collector, this.#topology.name, record, why, now)
      const isNew = key !== null && !(this.#setAside?.isBlocked(key) ?? true)
      if (isNew && isKeepable(record)) this.#setAside?.block({ ...record, key }, why.reason, why.message, now)
    })
    this.#crash('C13')
    this.#countDead(why)
  }

  /** @throws EngineError POISON_RATE */
  #countDead(last: Reason): void {
    this.counters.deadLetters++
    if (!this.#deadLetterRate.dead(this.#clock.now())) return
    throw new EngineError(
      'POISON_RATE',
      `task ${this.id}: most records of the last minute were dead letters, the last one for ${last.reason}: ${last.message}`,
      'stop',
    )
  }

  /** R4. */
  #step<T>(work: () => T): T {
    const crash = this.#crash
    this.state.savepoint()
    try {
      crash('C02')
      const result = work()
      crash('C03')
      this.#collector.release()
      for (const table of this.#timerTables.values()) table.release()
      this.#setAside?.release()
      this.#operator?.release()
      this.counters.lateRecords += this.#late
      this.#late = 0
      this.#wroteState = true
      return result
    } catch (error) {
      this.state.rollback()
      this.#collector.rollback()
      for (const table of this.#timerTables.values()) table.rollback()
      this.#setAside?.rollback()
      this.#operator?.rollback()
      this.#late = 0
      throw error
    }
  }

  #enter(queue: PartitionQueue | null, origin: RecordOrigin | null, timestamp: number, rawKey: Buffer | null): void {
    this.#queue = queue
    this.#origin = origin
    this.timestamp = timestamp
    this.rawKey = rawKey
  }

  #leave(): void {
    this.#queue = null
    this.#origin = null
    this.rawKey = null
  }

  /** The head record, copied out of the fetched bytes. */
  #stored(): StoredRecord {
    const head = this.#queue?.head ?? null
    const origin = this.origin()
    invariant(head !== null && origin !== null, 'no record is being handled')
    const copy = (bytes: Buffer | null): Buffer | null => (bytes === null ? null : Buffer.from(bytes))
    return {
      ...origin,
      timestamp: head.timestamp,
      key: copy(head.key()),
      value: copy(head.value()),
      headers: head.headers(),
    }
  }

  #nextTimer(): { store: string; timer: Timer } | null {
    let first: { store: string; timer: Timer } | null = null
    for (const [store, table] of this.#timerTables) {
      const timer = table.next()
      if (timer !== null && (first === null || timer.dueAt < first.timer.dueAt)) first = { store, timer }
    }
    return first
  }

  #committable(queue: PartitionQueue): OffsetAndMetadata {
    const { topic, partition, position } = queue
    this.#operator?.writeDone(topic, partition, position)
    const offset = this.#operator?.lowestOpen(topic, partition) ?? position
    return { topic, partition, offset, metadata: encodeOffsetMetadata(queue.partitionTime) }
  }
}

/** Timers that one record fires before the loop gets its turn. */
const keyTimersPerTurn = 256
/** When a call that failed for a passing reason is made again, in ms. */
const callAgainMs = 1000
/** A record larger than this is dead-lettered without blocking its key: it would not fit its changelog. */
const setAsideRecordMaxBytes = 900_000

function isKeepable({ key, value, headers }: StoredRecord): boolean {
  return (key?.length ?? 0) <= 0xffff && sizeOf(key, value, headers) <= setAsideRecordMaxBytes
}

/** Null also for what cannot be written: a dead letter without it still says where the record is. */
function serialized(of: unknown, serialize: (of: unknown) => Buffer | null): Buffer | null {
  if (of === null) return null
  try {
    return serialize(of)
  } catch {
    return null
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

/** Trouble and bugs pass through; only bad data is set aside. */
function isTrouble(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return (
    error instanceof EngineBug || ['EngineError', 'LogError', 'StateError'].includes(error.name) || isRetriable(error)
  )
}

const isRetriable = (error: unknown): boolean => error instanceof Error && 'then' in error && error.then === 'retry'
