/**
 * The commits of one application in one worker: what is uncommitted, when it is committed, and what follows a commit.
 *
 * W3  One transaction covers all tasks of the application in this worker.
 * W4  A commit follows at once when every task is drained, no sooner than `commitMinIntervalMs` after the last and not
 *     above `commitMaxShare` of the time; at the latest after `commitIntervalMs`; at once past `transactionMaxBytes`.
 *     When nothing was taken and nothing written there is no transaction.
 */

import type { CrashPoint } from '../../connectors/kafka/index.ts'
import type { Clock } from '../clock.ts'
import type { Topology } from '../graph/topology.ts'
import { changelogTopic } from '../graph/topology.ts'
import { Collector } from './collector.ts'
import { invariant } from './invariant.ts'
import type { Membership } from './membership.ts'
import type { Purge } from './purge.ts'
import type { RuntimeSettings } from './settings.ts'
import type { Task } from './task.ts'
import type { Transaction } from './transaction.ts'

export interface CommitterOptions {
  readonly topology: Topology
  readonly transaction: Transaction
  readonly membership: Membership
  readonly purge: Purge
  /** Those that run. */
  readonly tasks: () => readonly Task[]
  readonly settings: RuntimeSettings
  readonly clock: Clock
  readonly watch: () => number
  readonly crash: CrashPoint
}

export class Committer {
  readonly #options: CommitterOptions
  readonly #settings: RuntimeSettings
  readonly #clock: Clock
  readonly #crash: CrashPoint
  #collector = new Collector(new Map())
  #lastAt = 0
  #costMs = 0
  #commits = 0
  #broken = false

  constructor(options: CommitterOptions) {
    this.#options = options
    this.#settings = options.settings
    this.#clock = options.clock
    this.#crash = options.crash
  }

  get commits(): number {
    return this.#commits
  }

  /** True while what tasks have sent is gone from the collector and they stand behind it: nothing may be committed (W5). */
  get isBroken(): boolean {
    return this.#broken
  }

  get hasOutput(): boolean {
    return !this.#collector.isEmpty
  }

  /** True when a commit would write something. */
  get isDirty(): boolean {
    return this.hasOutput || this.#options.tasks().some((task) => task.isDirty)
  }

  /** True when the open transaction takes no more. */
  get isFull(): boolean {
    return this.#uncommittedBytes() > this.#settings.transactionMaxBytes
  }

  get isDue(): boolean {
    if (!this.isDirty || !this.#options.membership.mayCommit) return false
    const now = this.#clock.now()
    // The wall clock may step back; that must not put commits off.
    if (now < this.#lastAt) this.#lastAt = now
    if (now - this.#lastAt >= this.#settings.commitIntervalMs) return true
    if (this.isFull) return true
    return now >= this.#earlyAt() && this.#isDrained()
  }

  /** When one will be due, if nothing more comes; null when none will be. */
  get dueAt(): number | null {
    if (!this.isDirty || !this.#options.membership.mayCommit) return null
    return this.#isDrained() ? this.#earlyAt() : this.#lastAt + this.#settings.commitIntervalMs
  }

  /** Where tasks send, from the start on. */
  open(partitions: ReadonlyMap<string, number>): Collector {
    this.#collector = new Collector(partitions)
    return this.#collector
  }

  async commit(): Promise<void> {
    const { watch, topology, membership, transaction, purge } = this.#options
    const group = membership.metadata()
    invariant(group !== null, 'a commit needs a group membership')
    // A task that opened while the others ended has found the session open, and it was thrown away since (W9).
    await transaction.open()
    this.#crash('C12')
    const begun = watch()
    const tasks = this.#options.tasks().filter((task) => task.isDirty)
    const offsets = tasks.flatMap((task) => task.prepareCommit())
    const prepared = watch()
    this.#broken = true
    const ends = await transaction.commit(this.#collector, group, offsets)
    this.#crash('C10')
    this.#broken = false
    const ended = watch()
    for (const task of tasks) task.committed(positionsOf(topology, task, ends))
    purge.committed(offsets)
    this.#commits++
    this.#lastAt = this.#clock.now()
    this.#costMs = prepared - begun + (watch() - ended)
  }

  /** What tasks have sent, and did not commit, is gone. */
  clear(): void {
    this.#collector.clear()
  }

  /**
   * Forgets what is uncommitted and the producer session: the next one, opened before any task, fences it. Nothing is
   * committed until `wentBack`, also not by a close that comes between (W5).
   */
  async drop(): Promise<void> {
    this.#broken = true
    this.#collector.clear()
    await this.#options.transaction.discard()
  }

  /** No task is left that stands behind what was dropped. */
  wentBack(): void {
    this.#broken = false
  }

  #isDrained(): boolean {
    return this.#options.tasks().every((task) => task.isDrained)
  }

  #uncommittedBytes(): number {
    return this.#options.tasks().reduce((sum, task) => sum + task.state.uncommittedBytes, this.#collector.sizeBytes)
  }

  /** The earliest time a commit of drained tasks may follow (W4). */
  #earlyAt(): number {
    const { commitIntervalMs, commitMinIntervalMs, commitMaxShare } = this.#settings
    return this.#lastAt + Math.min(commitIntervalMs, Math.max(commitMinIntervalMs, this.#costMs / commitMaxShare))
  }
}

function positionsOf(topology: Topology, task: Task, ends: ReadonlyMap<string, bigint>): ReadonlyMap<string, bigint> {
  const positions = new Map<string, bigint>()
  for (const store of task.part.stores) {
    const end = ends.get(`${changelogTopic(topology.name, store.name)}-${task.partition}`)
    if (store.logged && end !== undefined) positions.set(store.name, end)
  }
  return positions
}
