/** Opens tasks: local state, restored to the end of its changelogs, and the committed offsets of its inputs. */

import type { CrashPoint, Log, TopicPartition } from '../../connectors/kafka/index.ts'
import type { StateDatabaseSupplier } from '../../state-stores/index.ts'
import { StateError, TaskState } from '../../state-stores/index.ts'
import type { Clock } from '../clock.ts'
import { EngineError } from '../errors.ts'
import type { SubTopology, Topology } from '../graph/topology.ts'
import { topicName } from '../graph/topology.ts'
import type { CallMemo } from './async-operator.ts'
import type { ChangelogOptions, Reading } from './changelog.ts'
import { readingsOf } from './changelog.ts'
import type { Collector } from './collector.ts'
import { restoreTask } from './restore.ts'
import type { RuntimeSettings } from './settings.ts'
import { Permits, unlessAborted } from './signal.ts'
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
  /** Null when no task went before in this worker: it starts when it is open (R6). */
  readonly startedAt: number | null
}

export interface OpenerOptions {
  readonly topology: Topology
  readonly log: Log
  readonly databases: StateDatabaseSupplier
  readonly clock: Clock
  readonly time: Clock
  readonly settings: RuntimeSettings
  readonly collector: Collector
  readonly counters: TaskCounters
  readonly notice: (line: string) => void
  readonly wake: () => void
  readonly crash: CrashPoint
  /** Opens the producer: what a predecessor left open must be decided before its state and offsets are read (W1). */
  readonly ready: () => Promise<void>
}

/** Who waits for a task to open: may stop it, and is told how far it is. */
export interface Opening {
  readonly signal: AbortSignal
  state(state: TaskState): void
  restoring(readings: readonly Reading[]): void
}

/** Tasks of an application whose changelogs are read at the same time. */
const restoresAtOnce = 4

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

/** Tasks of a topology that have a directory on this disk. */
export async function leftPlaces(
  databases: StateDatabaseSupplier,
  topology: Topology,
  tasks: ReadonlyMap<string, number>,
): Promise<Pick<TaskPlace, 'part' | 'partition'>[]> {
  const names = new Set((await databases.list?.(topology.name)) ?? [])
  return topology.subTopologies.flatMap((part) =>
    Array.from({ length: tasks.get(part.name) ?? 0 }, (_, partition) => ({ part, partition })).filter(
      ({ partition }) => part.stores.some((store) => store.logged) && names.has(`${part.name}_${partition}`),
    ),
  )
}

export class TaskOpener {
  readonly #options: OpenerOptions
  readonly #restores = new Permits(restoresAtOnce)

  constructor(options: OpenerOptions) {
    this.#options = options
  }

  /**
   * Damaged state, or state of another log, is wiped and restored; also when it is found by the task itself while it reads
   * its stores, or was found by the task before this one.
   * @param kept of a task that goes on in this process; null opens it from disk. Closed when this throws: what it held
   *   stands in the changelog
   * @param memo what this process knows of the task's calls
   */
  async open(place: TaskPlace, kept: KeptTask | null, memo: CallMemo, opening: Opening): Promise<Task> {
    const { topology, collector, counters, clock, time, settings, wake, crash, ready } = this.#options
    await this.#closedIfFails(kept?.state ?? null, () => unlessAborted(opening.signal, ready()))
    return this.#wipedOnDamage(place, kept?.state ?? null, async (given) => {
      const state = await this.#openAndRestore(place, given, opening)
      try {
        opening.signal.throwIfAborted()
        crash('C15')
        const { part, partition } = place
        const inputs = await unlessAborted(opening.signal, this.#inputs(place))
        const startedAt = kept?.startedAt ?? time.now()
        const shared = { topology, collector, counters, clock, time, settings, wake, crash }
        return new Task({ ...shared, part, partition, state, inputs, memo, startedAt })
      } catch (error) {
        await state.close({ flush: opening.signal.aborted }).catch(() => undefined)
        throw error
      }
    })
  }

  /** State that follows its changelogs without a task. Closed when this throws. */
  async openStandby(
    place: TaskPlace,
    kept: TaskState | null,
    opening: Opening,
  ): Promise<{ readonly state: TaskState; readonly readings: readonly Reading[] }> {
    return this.#wipedOnDamage(place, kept, async (given) => {
      const state = given ?? (await this.openState(place))
      opening.state(state)
      try {
        if (state.damage !== null) throw state.damage
        const readings = await unlessAborted(opening.signal, readingsOf({ ...this.#changelogs(place), state }))
        return { state, readings }
      } catch (error) {
        await state.close({ flush: opening.signal.aborted }).catch(() => undefined)
        throw error
      }
    })
  }

  async #closedIfFails(state: TaskState | null, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      await state?.close({ flush: true }).catch(() => undefined)
      throw error
    }
  }

  /** Local state as it is on disk. */
  async openState(place: Pick<TaskPlace, 'part' | 'partition'>): Promise<TaskState> {
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

  async wipe(place: Pick<TaskPlace, 'part' | 'partition'>, why: Error): Promise<void> {
    const path = this.#path(place)
    this.#options.notice(`task ${path}: local state wiped and restored from its changelogs: ${why.message}`)
    await this.#options.databases.wipe(path)
  }

  #path(place: Pick<TaskPlace, 'part' | 'partition'>): string {
    return `${this.#options.topology.name}/${place.part.name}_${place.partition}`
  }

  #changelogs({ part, partition }: TaskPlace): Omit<ChangelogOptions, 'state'> {
    const { log, topology, clock } = this.#options
    return { log, application: topology.name, part, partition, now: () => clock.now() }
  }

  async #wipedOnDamage<T>(
    place: TaskPlace,
    kept: TaskState | null,
    open: (kept: TaskState | null) => Promise<T>,
  ): Promise<T> {
    try {
      return await open(kept)
    } catch (error) {
      if (!wantsRestore(error)) throw error
      await this.wipe(place, error)
      return open(null)
    }
  }

  /** Closes what it was given or has opened when it throws. */
  async #openAndRestore(place: TaskPlace, kept: TaskState | null, opening: Opening): Promise<TaskState> {
    const state = kept ?? (await this.openState(place))
    opening.state(state)
    try {
      if (state.damage !== null) throw state.damage
      await this.#restores.run(() => this.#restore(place, state, opening))
      return state
    } catch (error) {
      await state.close({ flush: opening.signal.aborted }).catch(() => undefined)
      throw error
    }
  }

  async #restore(place: TaskPlace, state: TaskState, opening: Opening): Promise<void> {
    const { settings, clock, notice, crash } = this.#options
    opening.signal.throwIfAborted()
    if (place.part.stores.length === 0) return
    const fromEmpty = [...state.positions().values()].every((position) => position === null)
    const startedAt = clock.now()
    const records = await restoreTask({
      ...this.#changelogs(place),
      state,
      crash,
      signal: opening.signal,
      pause: () => new Promise((resolve) => void clock.after(0, resolve)),
      started: (readings) => opening.restoring(readings),
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
    const { log, topology, notice, crash } = this.#options
    crash('C19')
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
        return { topic, partition, committed: { ...offset, offset: end }, earliest: first, end }
      }
      if (offset === null || offset.offset >= first)
        return { topic, partition, committed: offset, earliest: first, end }
      notice(
        `application "${topology.name}": ${topic}-${partition} now begins at ${first}, offset ${offset.offset} is gone: reading from its beginning`,
      )
      return { topic, partition, committed: null, earliest: first, end }
    })
  }
}

function wantsRestore(error: unknown): error is EngineError | StateError {
  return (error instanceof EngineError || error instanceof StateError) && error.then === 'restore'
}
