/** The nodes of a topology, as data. Names are durable and written by hand; none is derived from a position. */

import type { KeyValueStore, WindowOptions, WindowStore } from '../../state-stores/index.ts'
import type { RecordOrigin, StreamRecord } from './record.ts'
import type { Serde } from './serde.ts'

export interface SourceNode {
  readonly kind: 'source'
  readonly name: string
  /** A topic that exists, or the name of a repartition topic of this topology. */
  readonly topic: string
  readonly key: Serde<unknown>
  readonly value: Serde<unknown>
}

export interface TimerUse {
  readonly store: string
  readonly handles: readonly string[]
  /** Loads what the synchronous pass will need for timers of these keys. */
  readonly prepare?: (keys: readonly Buffer[]) => Promise<void>
}

export interface ProcessorNode {
  readonly kind: 'processor'
  readonly name: string
  readonly parents: readonly string[]
  readonly stores: readonly string[]
  /** Keyed timers this node handles, and the store that remembers them. */
  readonly timers: TimerUse | null
  /** Makes the node's instance for one task. */
  readonly supplier: () => NodeProcessor
}

export interface AsyncNode {
  readonly kind: 'async'
  readonly name: string
  readonly parents: readonly string[]
  /** Remembers which offsets above the committed one are done. */
  readonly doneStore: string
  /** Holds requests that must wait. */
  readonly waitingStore: string
  /** Rows of the user's that calls start from and answers write, of kind `state`. */
  readonly stores: readonly string[]
  readonly operator: AsyncOperation
}

export interface SinkNode {
  readonly kind: 'sink'
  readonly name: string
  readonly parents: readonly string[]
  /** One topic, or the topics a record may choose from. */
  readonly topics: readonly string[]
  readonly choose: (record: StreamRecord) => string
  readonly key: Serde<unknown>
  readonly value: Serde<unknown>
}

export type Node = SourceNode | ProcessorNode | AsyncNode | SinkNode

/**
 * `state`: rows of the user's. `timers`: due times per key. `set-aside`: blocked keys and their waiting records.
 * `waiting` and `done`: an async operator's. `window`: the user's rows by key and window start, kept for a time. All are
 * changelogged unless `logged` is false.
 */
export interface StoreNode {
  readonly name: string
  readonly kind: 'state' | 'timers' | 'set-aside' | 'waiting' | 'done' | 'window'
  readonly logged: boolean
  /** Set exactly for a window store. */
  readonly window?: WindowOptions
}

/** A topic of this topology's own: written by one of its sinks, read by one of its sources. */
export interface RepartitionNode {
  readonly name: string
  /** Null: as many as the largest source upstream. */
  readonly partitions: number | null
}

/** What a step may do. Valid only during the call it is given to. */
export interface NodeContext {
  readonly taskPartition: number
  /** Event time of the record, or the due time of the timer, that is handled. */
  readonly timestamp: number
  /** The record key's bytes; null when the record has none. */
  readonly rawKey: Buffer | null
  /** Greatest timestamp the task has taken; -1 before the first. */
  readonly streamTime: number
  /** Wall clock in ms. */
  now(): number
  /** Null while a timer is handled. */
  origin(): RecordOrigin | null
  forward(record: StreamRecord, to?: string): void
  store(name: string): KeyValueStore
  /** The store of kind `window`. A put that is older than it keeps is refused, and counted as `expiredPuts`. */
  windowStore(name: string): WindowStore
  /** Counts the record as `lateRecords`: it came after its window's grace and is dropped by this node. */
  dropLate(): void
  /** Arms, moves or (null) disarms a timer of a key. A due time at or before the timer's last firing is refused. */
  timer(key: Buffer, name: string, dueAt: number | null): void
}

/** A node's instance in one task: synchronous, no promise per record. */
export interface NodeProcessor {
  init?(context: Pick<NodeContext, 'store' | 'windowStore' | 'taskPartition'>): void
  process(record: StreamRecord, context: NodeContext): void
  timer?(key: Buffer, name: string, dueAt: number, context: NodeContext): void
  close?(): void
}

/** At most `calls` starts in any window of `windowMs`. */
export interface CallLimit {
  readonly calls: number
  readonly windowMs: number
}

/** What a call may start from: the operator's declared stores, to read. Valid only during the `load` it is given to. */
export interface LoadContext {
  readonly taskPartition: number
  store(name: string): Pick<KeyValueStore, 'name' | 'get' | 'range'>
}

/**
 * A function that returns a promise, as an operator: see `runtime/async-operator.ts` for its guarantees.
 *
 * `R` a record's value, `A` a call's answer, `L` what a call starts from.
 */
export interface AsyncOperation<R = unknown, A = unknown, L = unknown> {
  /** Calls in flight per task. */
  readonly concurrency: number
  /** A call that takes longer counts as failed, in ms. */
  readonly timeoutMs: number
  /** Records of one lane are called one after the other, in order; lanes run side by side. */
  lane(record: StreamRecord<unknown, R>): string
  /** Not before this time, in ms. */
  notBefore?(record: StreamRecord<unknown, R>): number
  /**
   * What a rate limit counts by, and the limit; null is unlimited. Accounts are kept as long as the state: let them be few, such as
   * those that we have with providers, and not as many as the records' keys.
   */
  limit?(record: StreamRecord<unknown, R>): { readonly account: string; readonly limit: CallLimit } | null
  /** How a record waits in the store; must restore to an equal record. */
  readonly key: Serde<unknown>
  readonly value: Serde<R>
  /**
   * Reads what a call starts from, synchronously, when it starts: what the answers before it in its lane have written is
   * there (A8). It should read only what its own lane writes. What it returns is compared by structure
   * (`isDeepStrictEqual`) and kept until the call's answer is committed: the call must not change it. What it throws
   * counts as the call's failure.
   */
  load?(record: StreamRecord<unknown, R>, context: LoadContext): L
  /** @param loaded what `load` returned; undefined without it */
  call(record: StreamRecord<unknown, R>, signal: AbortSignal, loaded: L): Promise<A>
  /**
   * What the call's answer becomes, inside the task's transaction: records forwarded, rows of the declared stores. Runs
   * again after an abort, so it must follow from the record, the answer and those rows alone.
   */
  answered(record: StreamRecord<unknown, R>, answer: A, context: NodeContext): void
}
