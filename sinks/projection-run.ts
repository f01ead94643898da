/**
 * The life of one projection in one process: reads what is committed on its partitions and writes rows.
 * Invariants (DESIGN.md):
 * P5 A record that cannot be used is in the dead-letter topic before the offset passes it.
 * P6 Trouble stops this projection only, for a while; nothing is skipped because of it.
 * P7 Memory is bounded: nothing is fetched while earlier bytes wait to be written.
 *
 * The claims of P4 are looked at also without records: an owner with nothing to write asks now and then whether it is one.
 */

import type { FetchedPartition, Log } from '../connectors/kafka/index.ts'
import { LogError } from '../connectors/kafka/index.ts'
import type { AnyEvent } from '../schemas/index.ts'
import type { Clock, Serde } from '../topology/index.ts'
import { DeadLetterRate } from '../topology/index.ts'
import { Assignment } from './assignment.ts'
import type { Source } from './assignment.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { Judged, JudgedPartition } from './judge.ts'
import { halves, judge } from './judge.ts'
import type { AnyProjection } from './projection.ts'
import type { TablePort } from './table-port.ts'
import { SinkError } from './table-port.ts'
import { Waiters } from './waiters.ts'

export interface RunOptions {
  readonly projection: AnyProjection
  readonly log: Log
  readonly tables: TablePort
  readonly serde: Serde<AnyEvent>
  readonly deadLetters: DeadLetters
  readonly clock: Clock
  readonly notice: (line: string) => void
  readonly settings: SinkSettings
  readonly onProgress: (progress: SinkProgress) => void
}

export interface SinkSettings {
  /** Most bytes taken from one partition at a time: the size of a transaction. */
  readonly fetchBytes: number
  /** How long a fetch waits for the first record, in ms. */
  readonly fetchWaitMs: number
  readonly sessionTimeoutMs: number
  /** How often a run looks whether its claims still stand: a rebuild elsewhere ends them, and no record may tell. In ms. */
  readonly claimCheckMs: number
  /** More dead letters in a minute than this, and more than half of the records, stop the projection. */
  readonly deadLettersPerMinute: number
  /** Waits between attempts, in ms: doubled from the first to the last. */
  readonly backOffMs: { readonly first: number; readonly last: number }
}

export interface SinkProgress {
  readonly projection: string
  readonly partition: number
  readonly nextOffset: bigint
  readonly records: number
}

/** waiting: trouble, to be tried again. refused: a person must act. */
export type SinkState = 'starting' | 'running' | 'waiting' | 'refused' | 'stopped'

export interface SinkPartitionStatus {
  readonly partition: number
  readonly nextOffset: bigint
  /** The last stable offset when last looked. */
  readonly endOffset: bigint
  readonly lag: bigint
}

export class ProjectionRun {
  readonly #options: RunOptions
  readonly #assignment: Assignment
  readonly #waiters: Waiters
  #state: SinkState = 'starting'
  #trouble: string | null = null
  #failures = 0
  /** Ends what the loop waits for. */
  #interrupt = new AbortController()
  #stopping = false
  #loop: Promise<void> | null = null
  #checkedAt = -Infinity
  /** The batch being written. */
  #writing: Promise<void> = Promise.resolve()
  readonly #rate: DeadLetterRate
  #deadLetters = 0
  #unknownEvents = 0

  constructor(options: RunOptions) {
    this.#options = options
    this.#waiters = new Waiters(options.clock)
    this.#rate = new DeadLetterRate(options.settings.deadLettersPerMinute)
    this.#assignment = new Assignment({
      ...options,
      sessionTimeoutMs: options.settings.sessionTimeoutMs,
      changed: () => this.#interrupt.abort(),
      quiet: () => this.#writing,
    })
  }

  get name(): string {
    return this.#options.projection.name
  }

  get state(): SinkState {
    return this.#state
  }

  get trouble(): string | null {
    return this.#trouble
  }

  get counts(): { readonly deadLetters: number; readonly unknownEvents: number } {
    return { deadLetters: this.#deadLetters, unknownEvents: this.#unknownEvents }
  }

  start(): void {
    this.#loop ??= this.#run()
  }

  /** Ends after the batch in hand; the partitions are given up. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#interrupt.abort()
    await this.#loop
    await this.#assignment.leave()
    this.#waiters.close()
    if (this.#state !== 'refused') this.#state = 'stopped'
  }

  /** Of the partitions this process has. */
  partitions(): readonly SinkPartitionStatus[] {
    return this.#assignment.sources
      .filter(({ claim }) => claim !== null)
      .map(({ partition, position, endOffset }) => {
        const end = endOffset > position ? endOffset : position
        return { partition, nextOffset: position, endOffset: end, lag: end - position }
      })
  }

  /**
   * True when it has its partitions and nothing that it knows of is to be written; a projection that was refused or stopped writes
   * nothing. False while it is on its way to its partitions, or waits trouble out: what there is to write shows afterwards.
   */
  get isQuiet(): boolean {
    if (this.#state === 'refused' || this.#state === 'stopped') return true
    const { isMember, sources } = this.#assignment
    if (!isMember || this.#trouble !== null) return false
    return sources.every(({ claim, position, endOffset }) => claim !== null && position >= endOffset)
  }

  /** Where it is in the partitions that this process has. */
  places(): readonly { readonly topic: string; readonly partition: number; readonly position: bigint }[] {
    const topic = this.#options.projection.reads.name
    const mine = this.#assignment.sources.filter(({ claim }) => claim !== null)
    return mine.map(({ partition, position }) => ({ topic, partition, position }))
  }

  /** True once the record at `offset` has been applied; false when the time is up. */
  waitFor(partition: number, offset: bigint, timeoutMs: number): Promise<boolean> {
    const source = this.#assignment.of(partition)
    if (source?.claim && source.position > offset) return Promise.resolve(true)
    return this.#waiters.wait(partition, offset, timeoutMs)
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      this.#interrupt = new AbortController()
      try {
        await this.#assignment.hold((source, nextOffset) => this.#moveTo(source, nextOffset))
        if (this.#assignment.sources.every(({ claim }) => claim === null)) await this.#pause(null)
        else await this.#readOnce()
        await this.#checkClaims()
        if (this.#assignment.isMember) this.#goesOn()
      } catch (error) {
        if (this.#isStopping()) break
        if (error instanceof SinkError) return this.#refuse(error)
        await this.#waitOut(error)
      }
    }
  }

  /** P7: one fetch, written before the next. */
  async #readOnce(): Promise<void> {
    const { log, settings } = this.#options
    const topic = this.#assignment.topic.name
    const asked = this.#assignment.sources.filter(({ claim }) => claim !== null)
    const answers = await log.fetch({
      partitions: asked.map(({ partition, position }) => ({
        topic,
        partition,
        offset: position,
        maxBytes: settings.fetchBytes,
      })),
      isolation: 'read_committed',
      maxWaitMs: settings.fetchWaitMs,
      signal: this.#interrupt.signal,
    })
    for (const answer of answers) {
      const source = this.#assignment.of(answer.partition)
      // Given up and got back while the answer was on its way: it stands elsewhere, and is not claimed yet.
      if (source === undefined || !asked.includes(source) || this.#stopping) continue
      const writing = this.#take(source, answer)
      this.#writing = writing.catch(() => undefined)
      await writing
    }
  }

  /** P4. A commit is refused when somebody has claimed since; who has nothing to commit must ask. */
  async #checkClaims(): Promise<void> {
    const now = this.#options.clock.now()
    const sinceMs = now - this.#checkedAt
    // A clock that was set back counts as late.
    if (this.#stopping || (sinceMs >= 0 && sinceMs < this.#options.settings.claimCheckMs)) return
    const claimed = this.#assignment.sources.filter(({ claim }) => claim !== null)
    if (claimed.length === 0) return
    const epochs = new Map<number, bigint>()
    for (const { sink, topic, partition, epoch } of await this.#options.tables.offsets())
      if (sink === this.name && topic === this.#assignment.topic.name) epochs.set(partition, epoch)
    this.#checkedAt = now
    const taken = claimed.find(
      (source) =>
        this.#assignment.of(source.partition) === source && epochs.get(source.partition) !== source.claim?.epoch,
    )
    if (taken !== undefined) this.#fenced(taken)
  }

  #fenced({ partition }: Source): void {
    this.#options.notice(`sink ${this.name}: partition ${partition} was taken over, joining again`)
    this.#assignment.lose()
  }

  async #take(source: Source, answer: FetchedPartition): Promise<void> {
    if (answer.error !== null) return this.#fetchFailed(source, answer, answer.error)
    const { projection, serde } = this.#options
    source.endOffset = answer.lastStableOffset
    if (answer.batches.length === 0) return
    const judged = await judge(projection, serde, answer, source.position)
    if (judged.next > source.position) await this.#write(source, judged)
  }

  #fetchFailed(source: Source, answer: FetchedPartition, code: NonNullable<FetchedPartition['error']>): void {
    const { topic, partition, logStartOffset, highWatermark } = answer
    if (code !== 'OFFSET_OUT_OF_RANGE') throw new LogError(code, `fetch of ${topic}-${partition} failed`, 'retry')
    if (source.position > highWatermark) {
      throw new SinkError(
        'AHEAD_OF_LOG',
        `sink ${this.name}: the database stands at ${topic}-${partition}@${source.position}, the log ends at ${highWatermark}: ` +
          `the log lost records or was replaced; to follow it, run: npm run projections -- rebuild ${this.name}`,
      )
    }
    throw new SinkError(
      'BEHIND_LOG',
      `sink ${this.name}: the records ${topic}-${partition}@${source.position} to ${logStartOffset} are gone (retention): ` +
        `rows cannot be made from them; to start from what is left, run: npm run projections -- rebuild ${this.name}`,
    )
  }

  /** Writes records of one partition; halves the batch around rows that the database refuses. */
  async #write(source: Source, { records, next }: JudgedPartition): Promise<void> {
    await this.#setAside(source, records)
    const from = source.position
    const outcome = await this.#options.tables.commit({
      claim: source.claim!,
      from,
      next,
      changes: records.flatMap(({ changes }) => changes),
    })
    switch (outcome.kind) {
      case 'committed':
        this.#moveTo(source, next)
        return this.#passed(source, records)
      case 'moved':
        return this.#moveTo(source, outcome.nextOffset)
      case 'fenced':
        return this.#fenced(source)
      case 'rejected':
        return this.#writeParts(source, halves(records, next, outcome.reason))
    }
  }

  /** @throws SinkError POISON_RATE: better stopped than a topic turned into dead letters */
  #passed({ partition, position }: Source, records: readonly Judged[]): void {
    const { clock, onProgress } = this.#options
    const dead = records.filter((judged) => judged.dead !== null)
    this.#unknownEvents += records.filter(({ unknown }) => unknown).length
    this.#deadLetters += dead.length
    onProgress({ projection: this.name, partition, nextOffset: position, records: records.length })
    this.#rate.taken(records.length)
    if (dead.length > 0 && this.#rate.dead(clock.now(), dead.length)) {
      const { reason, message } = dead.at(-1)!.dead!
      throw new SinkError(
        'POISON_RATE',
        `sink ${this.name}: most records of the last minute were dead letters, the last one for ${reason}: ${message}`,
      )
    }
  }

  async #writeParts(source: Source, parts: readonly JudgedPartition[]): Promise<void> {
    let expected = source.position
    for (const part of parts) {
      // A part that lost the partition, or found the position elsewhere, ends the batch.
      if (source.position !== expected || this.#assignment.of(source.partition) !== source) return
      await this.#write(source, part)
      expected = part.next
    }
  }

  /** P5. */
  async #setAside(source: Source, records: readonly Judged[]): Promise<void> {
    const letters = records.flatMap(({ record, dead }) =>
      dead === null || source.setAside.has(record.offset) ? [] : [{ record, why: dead }],
    )
    const { name: topic, partitions } = this.#assignment.topic
    await this.#options.deadLetters.append(
      `sink-${this.name}`,
      { topic, partition: source.partition, partitions },
      letters,
    )
    for (const { record } of letters) source.setAside.add(record.offset)
  }

  #moveTo(source: Source, position: bigint): void {
    source.position = position
    source.setAside.clear()
    this.#waiters.passed(source.partition, position)
  }

  /** P6. */
  async #waitOut(error: unknown): Promise<void> {
    const { backOffMs } = this.#options.settings
    const message = error instanceof Error ? error.message || error.name : String(error)
    if (this.#trouble === null) this.#options.notice(`sink ${this.name}: waiting: ${message}`)
    this.#trouble = message
    this.#state = 'waiting'
    await this.#pause(Math.min(backOffMs.first * 2 ** this.#failures++, backOffMs.last))
  }

  #goesOn(): void {
    if (this.#trouble !== null) this.#options.notice(`sink ${this.name}: goes on`)
    this.#trouble = null
    this.#failures = 0
    this.#state = 'running'
  }

  async #refuse(error: SinkError): Promise<void> {
    await this.#assignment.leave()
    this.#state = 'refused'
    this.#trouble = error.message
    this.#options.notice(error.message)
  }

  #isStopping(): boolean {
    return this.#stopping
  }

  /** Until the time is up (null: without end) or something changed. */
  #pause(delayMs: number | null): Promise<void> {
    const { signal } = this.#interrupt
    if (signal.aborted) return Promise.resolve()
    return new Promise((done) => {
      const cancel = delayMs === null ? (): void => undefined : this.#options.clock.after(delayMs, done)
      signal.addEventListener('abort', () => (cancel(), done()), { once: true })
    })
  }
}
