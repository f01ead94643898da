/** Keeps projections up to date: one run each, beside one another, so that the trouble of one is its own. */

import type { Log } from '../connectors/kafka/index.ts'
import type { AnyEvent } from '../schemas/index.ts'
import type { Clock, Serde } from '../topology/index.ts'
import { DeadLetters } from './dead-letters.ts'
import type { AnyProjection } from './projection.ts'
import type { SinkPartitionStatus, SinkProgress, SinkSettings, SinkState } from './projection-run.ts'
import { ProjectionRun } from './projection-run.ts'
import type { TablePort } from './table-port.ts'
import { SinkError } from './table-port.ts'

export interface SinkRunnerOptions {
  readonly log: Log
  readonly projections: readonly AnyProjection[]
  readonly tables: TablePort
  /** The reader of a topic's records. */
  readonly decode: (topic: AnyProjection['reads']) => Serde<AnyEvent>
  readonly clock: Clock
  readonly notice: (line: string) => void
  readonly onProgress?: (progress: SinkProgress) => void
  readonly settings?: Partial<SinkSettings>
}

export interface ProjectionStatus {
  readonly name: string
  readonly topic: string
  readonly state: SinkState
  /** What it waits for or was refused for. */
  readonly trouble: string | null
  readonly partitions: readonly SinkPartitionStatus[]
  readonly deadLetters: number
  readonly unknownEvents: number
}

export const defaultSinkSettings: SinkSettings = Object.freeze({
  fetchBytes: 256 * 1024,
  fetchWaitMs: 1_000,
  sessionTimeoutMs: 10_000,
  claimCheckMs: 5_000,
  deadLettersPerMinute: 600,
  backOffMs: { first: 100, last: 5_000 },
})

export class SinkRunner {
  readonly #options: SinkRunnerOptions
  readonly #deadLetters: DeadLetters
  readonly #runs = new Map<string, ProjectionRun>()
  #started = false

  constructor(options: SinkRunnerOptions) {
    this.#options = options
    this.#deadLetters = new DeadLetters(options.log, options.clock)
    for (const projection of options.projections) this.#runs.set(projection.name, this.#newRun(projection))
  }

  /** Begins to read; trouble shows in `status()` and as a notice, and is waited out. */
  start(): void {
    this.#started = true
    for (const run of this.#runs.values()) run.start()
  }

  /** Ends each projection after the batch in hand. */
  async stop(): Promise<void> {
    this.#started = false
    await Promise.all([...this.#runs.values()].map((run) => run.stop()))
    await this.#deadLetters.close()
  }

  status(): readonly ProjectionStatus[] {
    return this.#options.projections.map(({ name, reads }) => {
      const run = this.#run(name)
      return {
        name,
        topic: reads.name,
        state: run.state,
        trouble: run.trouble,
        partitions: run.partitions(),
        ...run.counts,
      }
    })
  }

  /** Records not yet in the rows, by projection, for the partitions this process has. */
  lag(): readonly {
    readonly projection: string
    readonly topic: string
    readonly partition: number
    readonly lag: bigint
  }[] {
    return this.status().flatMap(({ name, topic, partitions }) =>
      partitions.map(({ partition, lag }) => ({ projection: name, topic, partition, lag })),
    )
  }

  /** True when no projection has anything to write that it knows of. Asks nobody. */
  get isQuiet(): boolean {
    return [...this.#runs.values()].every((run) => run.isQuiet)
  }

  /** The next offset of each projection in each partition that this process has. */
  places(): readonly { readonly topic: string; readonly partition: number; readonly position: bigint }[] {
    return [...this.#runs.values()].flatMap((run) => run.places())
  }

  /** The next offset of each partition this process has: rows hold everything before it. */
  position(projection: string): ReadonlyMap<number, bigint> {
    return new Map(
      this.#run(projection)
        .partitions()
        .map(({ partition, nextOffset }) => [partition, nextOffset]),
    )
  }

  /**
   * For a reader who wants to see their own write: true once the record at `offset` is in the rows (or passed over),
   * false when `timeoutMs` is up. @throws SinkError UNKNOWN_PROJECTION
   */
  waitFor(projection: string, topic: string, partition: number, offset: bigint, timeoutMs: number): Promise<boolean> {
    if (this.#projection(projection).reads.name !== topic) return Promise.resolve(true)
    return this.#run(projection).waitFor(partition, offset, timeoutMs)
  }

  /**
   * Empties a projection and fills it again from its topic, fencing whoever else fills it; resolves when it has reached
   * what was committed at the start. Reads the topic only: no provider is called. @throws SinkError
   */
  async rebuild(name: string): Promise<void> {
    const projection = this.#projection(name)
    await this.#run(name).stop()
    const run = this.#newRun(projection)
    this.#runs.set(name, run)
    try {
      await this.#options.tables.reset(projection)
      run.start()
      await this.#reachEnd(projection, run)
    } finally {
      // Also after trouble, emptied or not: who kept it up to date before goes on doing so.
      if (this.#started) run.start()
      else await run.stop()
    }
  }

  async #reachEnd(projection: AnyProjection, run: ProjectionRun): Promise<void> {
    const { log, tables, clock } = this.#options
    const topic = projection.reads.name
    const [metadata] = await log.metadata([topic])
    if (!metadata) throw new SinkError('MISSING_TOPIC', `topic ${topic} does not exist`)
    const partitions = Array.from({ length: metadata.partitions }, (_, partition) => ({ topic, partition }))
    const ends = await log.listOffsets(partitions, 'stable')
    const starts = await log.listOffsets(partitions, 'earliest')
    for (;;) {
      if (run.state === 'refused') throw new SinkError('REFUSED', run.trouble ?? '')
      if (run.state === 'stopped') throw new SinkError('CLOSED', `rebuild of ${projection.name} was stopped`)
      const offsets = await tables.offsets().catch(() => [])
      const reached = new Map(
        offsets.filter(({ sink }) => sink === projection.name).map((offset) => [offset.partition, offset.nextOffset]),
      )
      if (ends.every((end, partition) => end === starts[partition] || (reached.get(partition) ?? -1n) >= end)) return
      await new Promise<void>((done) => void clock.after(25, done))
    }
  }

  #newRun(projection: AnyProjection): ProjectionRun {
    const { log, tables, decode, clock, notice, onProgress, settings } = this.#options
    return new ProjectionRun({
      projection,
      log,
      tables,
      serde: decode(projection.reads),
      deadLetters: this.#deadLetters,
      clock,
      notice,
      settings: { ...defaultSinkSettings, ...settings },
      onProgress: onProgress ?? (() => undefined),
    })
  }

  #projection(name: string): AnyProjection {
    const projection = this.#options.projections.find((candidate) => candidate.name === name)
    if (projection) return projection
    const names = this.#options.projections.map((candidate) => candidate.name).join(', ')
    throw new SinkError('UNKNOWN_PROJECTION', `there is no projection ${name}; there are: ${names}`)
  }

  #run(name: string): ProjectionRun {
    return this.#runs.get(this.#projection(name).name)!
  }
}
