/** Opens tasks: local state, restored to the end of its changelogs, and the committed offsets of its inputs. */

import type { Log, TopicPartition } from '../../connectors/kafka/index.ts'
import type { StateDatabaseSupplier } from '../../state-stores/index.ts'
import { StateError, TaskState } from '../../state-stores/index.ts'
import type { Clock } from '../clock.ts'
import { EngineError } from '../errors.ts'
import type { SubTopology, Topology } from '../graph/topology.ts'
import { topicName } from '../graph/topology.ts'
import type { CallMemo } from './async-operator.ts'
import type { Collector } from './collector.ts'
import { restoreTask } from './restore.ts'
import type { RuntimeSettings } from './settings.ts'
import type { TaskCounters, TaskInput } from './task.ts'
import { Task } from './task.ts'

export interface TaskPlace {
  readonly part: SubTopology
  readonly partition: number
  readonly inputs: readonly TopicPartition[]
}

/** What a task leaves to the one that takes over in this process. */
export interface KeptTask {
  /** Null when it was closed: the next one opens it from disk. */
  readonly state: TaskState | null
  readonly memo: CallMemo
  readonly startedAt: number
}

export interface OpenerOptions {
  readonly topology: Topology
  readonly log: Log
  readonly databases: StateDatabaseSupplier
  readonly clock: Clock
  readonly settings: RuntimeSettings
  readonly collector: Collector
  readonly counters: TaskCounters
  readonly notice: (line: string) => void
  readonly wake: () => void
}

/** The tasks that own these input partitions. */
export function placesOf(topology: Topology, assigned: readonly TopicPartition[]): TaskPlace[] {
  const places = new Map<string, { part: SubTopology; partition: number; inputs: TopicPartition[] }>()
  for (const part of topology.subTopologies) {
    const topics = new Set(part.sources.map((source) => topicName(topology, source.topic)))
    for (const { topic, partition } of assigned) {
      if (!topics.has(topic)) continue
      const id = `${part.name}_${partition}`
      const place = places.get(id)
      if (place === undefined) places.set(id, { part, partition, inputs: [{ topic, partition }] })
      else place.inputs.push({ topic, partition })
    }
  }
  return [...places.values()]
}

export class TaskOpener {
  readonly #options: OpenerOptions

  constructor(options: OpenerOptions) {
    this.#options = options
  }

  /**
   * Damaged state, or state of another log, is wiped and restored; also when it is found by the task itself while it reads
   * its stores, or was found by the task before this one.
   * @param kept of a task that goes on in this process after trouble; null opens it from disk. Closed when this throws:
   *   what it held stands in the changelog
   */
  async open(place: TaskPlace, kept: KeptTask | null): Promise<Task> {
    try {
      return await this.#open(place, kept)
    } catch (error) {
      if (!wantsRestore(error)) throw error
      const path = this.#path(place)
      this.#options.notice(`task ${path}: local state wiped and restored from its changelogs: ${error.message}`)
      await this.#options.databases.wipe(path)
      return this.#open(place, kept === null ? null : { ...kept, state: null })
    }
  }

  async #open(place: TaskPlace, kept: KeptTask | null): Promise<Task> {
    const { topology, collector, counters, clock, settings, wake } = this.#options
    const state = kept?.state ?? (await this.#openState(place))
    try {
      if (state.damage !== null) throw state.damage
      await this.#restore(place, state)
      const { part, partition } = place
      const inputs = await this.#inputs(place)
      const startedAt = kept?.startedAt ?? clock.now()
      const memo: CallMemo = kept?.memo ?? new Map()
      const shared = { topology, collector, counters, clock, settings, wake }
      return new Task({ ...shared, part, partition, state, inputs, memo, startedAt })
    } catch (error) {
      await state.close({ flush: false }).catch(() => undefined)
      throw error
    }
  }

  #path(place: TaskPlace): string {
    return `${this.#options.topology.name}/${place.part.name}_${place.partition}`
  }

  async #openState(place: TaskPlace): Promise<TaskState> {
    const { databases, clock, counters } = this.#options
    const database = await databases.open(this.#path(place))
    try {
      return TaskState.open({
        database,
        stores: place.part.stores.map(({ name, logged, window }) => ({ name, logged, window })),
        now: () => clock.now(),
        expired: () => void counters.expiredPuts++,
      })
    } catch (error) {
      await database.close().catch(() => undefined)
      throw error
    }
  }

  async #restore(place: TaskPlace, state: TaskState): Promise<void> {
    const { log, topology, settings, clock, notice } = this.#options
    if (place.part.stores.length === 0) return
    const fromEmpty = [...state.positions().values()].every((position) => position === null)
    const startedAt = clock.now()
    const records = await restoreTask({
      log,
      application: topology.name,
      part: place.part,
      partition: place.partition,
      state,
      fetchMaxBytes: settings.fetchMaxBytes,
      flushBytes: settings.transactionMaxBytes,
      now: () => clock.now(),
    })
    // Kills in a row must not add their tails up: the next tail begins here.
    if (records > 0) await state.flush()
    if (records > 0)
      notice(
        `task ${this.#path(place)}: restored ${records} changelog records in ${clock.now() - startedAt} ms (${fromEmpty ? 'local state was empty' : 'the tail since the last flush'})`,
      )
  }

  async #inputs(place: TaskPlace): Promise<TaskInput[]> {
    const { log, topology, notice } = this.#options
    const [committed, earliest, latest] = await Promise.all([
      log.committedOffsets(topology.name, place.inputs),
      log.listOffsets(place.inputs, 'earliest'),
      log.listOffsets(place.inputs, 'latest'),
    ])
    return place.inputs.map(({ topic, partition }, index) => {
      const offset = committed[index] ?? null
      const first = earliest[index] ?? 0n
      const end = latest[index] ?? 0n
      if (offset !== null && offset.offset > end) {
        notice(
          `application "${topology.name}": committed offset ${offset.offset} of ${topic}-${partition}, which ends at ${end}: the log lost records, reading goes on at its end`,
        )
        return { topic, partition, committed: { ...offset, offset: end }, earliest: first }
      }
      if (offset === null || offset.offset >= first) return { topic, partition, committed: offset, earliest: first }
      notice(
        `application "${topology.name}": ${topic}-${partition} now begins at ${first}, offset ${offset.offset} is gone: reading from its beginning`,
      )
      return { topic, partition, committed: null, earliest: first }
    })
  }
}

function wantsRestore(error: unknown): error is EngineError | StateError {
  return (error instanceof EngineError || error instanceof StateError) && error.then === 'restore'
}
