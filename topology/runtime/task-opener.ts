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

  /** @param state of a task that goes on in this process after trouble; null opens it from disk */
  async open(place: TaskPlace, state: TaskState | null, memo: CallMemo): Promise<Task> {
    const { topology, collector, counters, clock, settings, wake } = this.#options
    const restored = await this.#restored(place, state)
    try {
      const inputs = await this.#inputs(place)
      const { part, partition } = place
      return new Task({
        topology,
        part,
        partition,
        state: restored,
        inputs,
        collector,
        counters,
        clock,
        settings,
        wake,
        memo,
      })
    } catch (error) {
      // Nobody else knows of it: left open, it could not be opened again.
      if (restored !== state) await restored.close({ flush: false })
      throw error
    }
  }

  #path(place: TaskPlace): string {
    return `${this.#options.topology.name}/${place.part.name}_${place.partition}`
  }

  async #restored(place: TaskPlace, kept: TaskState | null): Promise<TaskState> {
    const path = this.#path(place)
    let state = kept
    try {
      state ??= await this.#openState(place)
      await this.#restore(place, state)
      return state
    } catch (error) {
      if (!wantsRestore(error)) {
        if (kept === null) await state?.close({ flush: false }).catch(() => undefined)
        throw error
      }
      this.#options.notice(`task ${path}: local state wiped and restored from its changelogs: ${error.message}`)
      await state?.close({ flush: false }).catch(() => undefined)
      await this.#options.databases.wipe(path)
      const fresh = await this.#openState(place)
      await this.#restore(place, fresh)
      return fresh
    }
  }

  async #openState(place: TaskPlace): Promise<TaskState> {
    const database = await this.#options.databases.open(this.#path(place))
    return TaskState.open({ database, stores: place.part.stores.map(({ name, logged }) => ({ name, logged })) })
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
