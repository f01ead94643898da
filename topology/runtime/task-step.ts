/**
 * What a task is doing now: the record, timer or answer it handles, as its nodes see it, and the step it is done in.
 *
 * R4  Each record, timer and answer is one step: it happens whole, or leaves nothing (rollback to its savepoint).
 */

import type { CrashPoint } from '../../connectors/kafka/index.ts'
import type { KeyValueStore, TaskState, WindowStore } from '../../state-stores/index.ts'
import type { Clock } from '../clock.ts'
import type { StoreNode } from '../graph/nodes.ts'
import type { RecordOrigin } from '../graph/record.ts'
import { BoundedStore, boundedWindowStore } from './bounded-store.ts'
import { invariant } from './invariant.ts'
import type { PartitionQueue } from './partition-queue.ts'
import type { TaskFrame } from './running-nodes.ts'
import type { StoredRecord } from './stored-record.ts'
import { TimerTable } from './timers.ts'

/** What keeps a step's effects apart until the step is done. */
export interface Staged {
  release(): void
  rollback(): void
}

export interface TaskStepOptions {
  readonly partition: number
  readonly state: TaskState
  readonly stores: readonly StoreNode[]
  readonly streamTime: number
  readonly startedAt: number
  readonly timerRestartGraceMs: number
  readonly time: Clock
  readonly crash: CrashPoint
  /** Counts what nodes of a step that was done have dropped. */
  readonly late: (records: number) => void
}

export class TaskStep implements TaskFrame {
  readonly partition: number
  readonly timerTables: ReadonlyMap<string, TimerTable>
  timestamp = 0
  rawKey: Buffer | null = null
  streamTime: number
  /** True when a step was done since the last commit. */
  hasWritten = false
  #origin: RecordOrigin | null = null
  #queue: PartitionQueue | null = null
  #late = 0

  readonly #state: TaskState
  readonly #time: Clock
  readonly #crash: CrashPoint
  readonly #countLate: (records: number) => void
  /** Logged stores, as nodes and the waiting store see them. */
  readonly #boundedStores: ReadonlyMap<string, KeyValueStore>
  readonly #windowStores: ReadonlyMap<string, WindowStore>
  readonly #staged: Staged[] = []

  constructor(options: TaskStepOptions) {
    const { state, stores, startedAt, timerRestartGraceMs } = options
    this.partition = options.partition
    this.streamTime = options.streamTime
    this.#state = state
    this.#time = options.time
    this.#crash = options.crash
    this.#countLate = options.late
    this.timerTables = new Map(
      stores
        .filter((store) => store.kind === 'timers')
        .map((store) => [store.name, new TimerTable(state.store(store.name), startedAt, timerRestartGraceMs)]),
    )
    this.#boundedStores = new Map(
      stores
        .filter(({ logged, window }) => logged && window === undefined)
        .map(({ name }) => [name, new BoundedStore(state.store(name))]),
    )
    this.#windowStores = new Map(
      stores
        .filter(({ window }) => window !== undefined)
        .map(({ name }) => [name, boundedWindowStore(state.windowStore(name))]),
    )
  }

  /** What is staged in a step from now on is released or rolled back with it, in the order of these calls. */
  includes(...parts: readonly Staged[]): void {
    this.#staged.push(...parts)
  }

  // What nodes see -----------------------------------------------------------------------------------------------

  now(): number {
    return this.#time.now()
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
    return this.#boundedStores.get(name) ?? this.#state.store(name)
  }

  windowStore(name: string): WindowStore {
    return this.#windowStores.get(name) ?? this.#state.windowStore(name)
  }

  dropLate(): void {
    this.#late++
  }

  timers(name: string): TimerTable {
    const table = this.timerTables.get(name)
    invariant(table !== undefined, `timers store "${name}" is not part of this task`)
    return table
  }

  // What is handled ----------------------------------------------------------------------------------------------

  /** The head of a queue. */
  enterHead(queue: PartitionQueue, timestamp: number, rawKey: Buffer | null): void {
    this.#queue = queue
    this.#origin = null
    this.timestamp = timestamp
    this.rawKey = rawKey
  }

  /** A record or an answer of before, or (without an origin) a timer. */
  enter(origin: RecordOrigin | null, timestamp: number, rawKey: Buffer | null): void {
    this.#queue = null
    this.#origin = origin
    this.timestamp = timestamp
    this.rawKey = rawKey
  }

  leave(): void {
    this.#queue = null
    this.#origin = null
    this.rawKey = null
  }

  /** The head record, copied out of the fetched bytes. */
  stored(): StoredRecord {
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

  /** R4. */
  run<T>(work: () => T): T {
    const crash = this.#crash
    this.#state.savepoint()
    try {
      crash('C02')
      const result = work()
      crash('C03')
      for (const part of this.#staged) part.release()
      if (this.#late > 0) this.#countLate(this.#late)
      this.#late = 0
      this.hasWritten = true
      return result
    } catch (error) {
      this.#state.rollback()
      for (const part of this.#staged) part.rollback()
      this.#late = 0
      throw error
    }
  }
}
