/**
 * What runs inside the simulator: a program, written against the engine's public door, and the machines it is given.
 * A program never sees the real machine. Everything it touches is an edge of `Machine`: a dead process's edges are
 * inert, a paused one's are silent until it goes on.
 */

import type { CrashPoint, Log, TopicSpec } from '../../connectors/kafka/index.ts'
import type { StateDatabaseSupplier } from '../../state-stores/index.ts'
import type { Clock, Random, RuntimeSettings } from '../../topology/index.ts'

/** One life of one simulated process. */
export interface Machine {
  /** Of the process, the same in all its lives: process id, static member id, transactional id. */
  readonly name: string
  /** Of this life: differs in each. For lines a person reads. */
  readonly life: string
  /** The wall clock: skewed, and it may jump. `after` follows the monotonic one. */
  readonly clock: Clock
  readonly random: Random
  /** Monotonic, in ms with fractions. */
  watch(): number
  readonly log: Log
  /** On this machine's disk. */
  readonly databases: StateDatabaseSupplier
  readonly crash: CrashPoint
  notice(line: string): void
  /** The process cannot go on: the supervisor ends it and starts it again later. */
  failed(error: Error): void
  /**
   * A request to a service outside (a provider, a table): `work` runs there, after a while, also when the caller is dead
   * by then, at most once. Rejects when the request or its answer was lost; after a lost answer it has run.
   * @param service counted and traced under this name
   */
  outside<T>(service: string, work: () => T): Promise<T>
}

/** What the supervisor holds of a running process. */
export interface Running {
  /** An orderly end: commits, leaves, flushes. */
  close(): Promise<void>
  /** Work nobody has to wait for, done while the machine heals, such as an operator's redrive. Called now and then. */
  tend?(): Promise<void>
}

/** A record as an observer sees it in the log, with its batch's producer. */
export interface SeenRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly { readonly key: string; readonly value: Buffer }[]
  readonly producerId: bigint
  readonly epoch: number
  /** True, false, or not decided yet; a record outside any transaction is committed. */
  readonly committed: boolean | null
  /** When an observer first saw it, by the true time in ms. */
  readonly seenAt: number
}

/** A breach of an invariant of reliability 2.2. */
export interface Violation {
  /** `I1` to `I17`. */
  readonly invariant: `I${number}`
  readonly what: string
}

/** What is known about the log, from outside every fault. */
export interface Evidence {
  /** Names of all topics, internal ones left out. */
  topics(): readonly string[]
  partitions(topic: string): number
  /** All that was ever in a partition, in order, deleted and compacted records included. */
  records(topic: string, partition: number): readonly SeenRecord[]
  /** What a read_committed reader gets. */
  committed(topic: string, partition: number): readonly SeenRecord[]
  /** Where a partition ended when it was last looked at, markers included. */
  end(topic: string, partition: number): bigint
  /** The next offset a group reads; null when it has committed none. */
  offset(group: string, topic: string, partition: number): bigint | null
  /** True time in ms. */
  now(): number
  /** True time in ms at which a wall clock of any process may first have shown `wallMs`. */
  earliestWall(wallMs: number): number
}

/** Where a program's generator sends. One feed a seed; its process may be killed as others are. */
export interface Feed {
  /**
   * Sends records in order through an idempotent or transactional producer. An id is never sent again under a new session,
   * so that it is in the log once or not at all.
   */
  send(records: readonly FeedRecord[]): void
  /** Sent so far. */
  readonly sent: number
}

export interface FeedRecord {
  /** Unique in the seed. */
  readonly id: string
  readonly topic: string
  readonly key: string
  readonly value: string
  /** Event time in ms. */
  readonly timestamp: number
}

/** What became of a record that was fed. `acked`: must be in the log, `unknown`: may be, `aborted`: no reader gets it. */
export interface Fed {
  readonly record: FeedRecord
  outcome: 'waiting' | 'acked' | 'unknown' | 'aborted'
  /** True time in ms of the acknowledgement. */
  ackedAt: number
}

export interface Program {
  readonly name: string
  /** Created before anything starts, beside what the applications create. */
  readonly topics: readonly TopicSpec[]
  /** Starts one life of a process. Trouble rejects: the supervisor tries again later. */
  start(machine: Machine): Promise<Running>
  /** Sends a burst of input; called again and again, at times the seed draws, until enough was sent. */
  generate(feed: Feed, nowMs: number, pick: Pick): void
  /** The faults are over: what waited for that may begin. */
  healed?(): void
  /** What the program still waits for, beside lag and open transactions, before the run may end; null when nothing. */
  unfinished(evidence: Evidence, fed: readonly Fed[]): string | null
  /** How many records the generator sends, when not as many as the seed draws. */
  readonly wanted?: number
  /** How many records the program had to deal with, when they are not the generator's. */
  records?(evidence: Evidence): number
  /** Crash points of its own, beside the engine's, by the paths that they lie on: of a path one is
   *  armed at a time. A path that stands here twice is taken twice as often. */
  readonly crashPoints?: readonly (readonly string[])[]
  /** Of the blows that fall at a crash point, how many fall at its own; unless told, the more it has of them, the more. */
  readonly ownCrashShare?: number
  /** Who says nothing for so long has been given up by the others, in ms; the session of the group unless told. */
  readonly givenUpMs?: number
  /** Its safety phase takes so many times as long: much is slow in it, and most would be done after the heal. */
  readonly safetyTimes?: number
  /** It runs on no more processes than this: each of them is large. */
  readonly processesMost?: number
  /** And on no fewer than this: alone, there is nothing to be wrong about. */
  readonly processesLeast?: number
  /** Its business lives by the wall clock: jumps are no longer than this, in ms. */
  readonly clockJumpMostMs?: number
  /** Judges the whole run, after it has converged. */
  check(evidence: Evidence, fed: readonly Fed[]): readonly Violation[]
  /** Consumer groups and the topics they must have read to the end. */
  readonly groups: readonly { readonly group: string; readonly topics: readonly string[] }[]
}

/** What a program is made for. */
export interface Setting {
  readonly partitions: number
  readonly runtime: RuntimeSettings
  readonly chance: Pick
}

/** A program of its own for each seed: it may keep the state of services outside. */
export type ProgramFactory = (setting: Setting) => Program

/** Seeded choices. */
export interface Pick {
  /** An integer from 0 up to but not `below`. */
  below(below: number): number
  chance(probability: number): boolean
  of<T>(items: readonly T[]): T
}
