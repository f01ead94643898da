/**
 * Drops repartition records that were committed: nobody but their application reads them, and it reads them once
 * (Kafka Streams: `TaskManager.maybePurgeCommittedRecords`, `repartition.purge.interval.ms`).
 *
 * U1  Only below offsets of a commit that succeeded: nothing is dropped that a restart would read.
 * U2  One request at a time, no sooner than the interval after the one before.
 * U3  One that fails is told, the first of a row; it changes nothing else, and the next drops what it left.
 */

import type { Log, TopicPartition } from '../../connectors/kafka/index.ts'
import type { Clock } from '../clock.ts'
import type { Topology } from '../graph/topology.ts'
import { repartitionTopic } from '../graph/topology.ts'
import type { RuntimeSettings } from './settings.ts'
import { messageOf } from './trouble.ts'

type Committed = TopicPartition & { readonly offset: bigint }

export interface PurgeOptions {
  readonly topology: Topology
  readonly log: Log
  readonly clock: Clock
  readonly settings: Pick<RuntimeSettings, 'repartitionPurgeIntervalMs'>
  readonly notice: (line: string) => void
}

export class Purge {
  readonly #options: PurgeOptions
  readonly #topics: ReadonlySet<string>
  /** What may go and was not asked for yet, by `topic-partition`. */
  readonly #due = new Map<string, Committed>()
  #lastAt: number
  #asking = false
  #failing = false

  constructor(options: PurgeOptions) {
    const { topology, clock } = options
    this.#options = options
    this.#topics = new Set(topology.repartitions.map(({ name }) => repartitionTopic(topology.name, name)))
    this.#lastAt = clock.now()
  }

  /** These offsets were committed (U1). */
  committed(offsets: readonly Committed[]): void {
    const intervalMs = this.#options.settings.repartitionPurgeIntervalMs
    if (intervalMs === null || this.#topics.size === 0) return
    for (const { topic, partition, offset } of offsets)
      if (this.#topics.has(topic)) this.#due.set(`${topic}-${partition}`, { topic, partition, offset })
    const now = this.#options.clock.now()
    // The wall clock may step back; that must not put it off.
    if (now < this.#lastAt) this.#lastAt = now
    if (this.#asking || this.#due.size === 0 || now - this.#lastAt < intervalMs) return
    this.#lastAt = now
    void this.#drop([...this.#due.values()])
  }

  async #drop(before: readonly Committed[]): Promise<void> {
    const { log, notice, topology } = this.#options
    this.#asking = true
    this.#due.clear()
    try {
      await log.deleteRecords(before)
      this.#failing = false
    } catch (error) {
      for (const one of before) this.#keep(one)
      if (!this.#failing)
        notice(`application "${topology.name}": consumed repartition records stay for now: ${messageOf(error)}`)
      this.#failing = true
    } finally {
      this.#asking = false
    }
  }

  /** Unless a later commit has said more. */
  #keep(one: Committed): void {
    const place = `${one.topic}-${one.partition}`
    if (!this.#due.has(place)) this.#due.set(place, one)
  }
}
