/**
 * Keeps topics as short as their configuration says, in the background: compaction, and deletion by age or size. One pass at
 * a time. It looks only at partitions of which a segment was sealed, and sets no timer when there is none.
 *
 *   K6  How far a partition is compacted, and since when, is kept in `cleaner.json`, written after a pass. A pass that was
 *       cut short, or is not known of, is only made again; tombstones then stay longer.
 *   K7  Decisions and markers are synced before a pass: what it makes of transactions outlives a power failure, so these must.
 */

import type { Clock } from '../clock.ts'
import { isInternal } from './catalogue.ts'
import { compact } from './compaction.ts'
import { readJson, writeJson } from './durable-json.ts'
import type { LogFiles } from './log-files.ts'
import type { PartitionLog } from './partition-log.ts'
import { storageError } from './storage-error.ts'
import type { Cleanup } from './topic-config.ts'

const FILE = 'cleaner.json'

/** An end up to which a partition was compacted, and when: the newest last. */
type Passes = readonly (readonly [below: string, at: number])[]

export interface CleanerContext {
  readonly files: LogFiles
  readonly directory: string
  readonly clock: Clock
  readonly intervalMs: number
  readonly mapBytes: number
  /** Makes everything that is visible outlive a power failure. */
  readonly syncAll: () => Promise<void>
  /** Moves a log start durably. */
  readonly deleteBelow: (log: PartitionLog, offset: bigint) => Promise<void>
  readonly notice: (line: string) => void
}

export class Cleaner {
  readonly #context: CleanerContext
  readonly #marked = new Set<PartitionLog>()
  readonly #passes = new Map<string, Passes>()
  #cancel: (() => void) | null = null
  /** Ends the pause of a running pass. */
  #wake: () => void = nothing
  #running: Promise<void> | null = null
  #stopped = false

  constructor(context: CleanerContext) {
    this.#context = context
  }

  /** Reads what earlier passes have done. @throws LogError STORAGE_ERROR */
  async recover(logs: readonly PartitionLog[]): Promise<void> {
    const { files, directory } = this.#context
    const stored = ((await readJson(files, directory, FILE)) ?? {}) as Readonly<Record<string, Passes>>
    for (const [name, passes] of Object.entries(stored)) this.#passes.set(name, passes)
    for (const log of logs) if (log.settled().length > 0) this.mark(log)
  }

  /** A segment of this partition was sealed. Internal topics have a way of their own (`checkpoint.ts`). */
  readonly mark = (log: PartitionLog): void => {
    const { compacts, deletes, retentionMs, retentionBytes } = log.cleanup
    if (isInternal(log.topic)) return
    if (!compacts && !(deletes && (retentionMs >= 0 || retentionBytes >= 0))) return
    this.#marked.add(log)
    this.#schedule()
  }

  /** Ends the pass that is running at its next pause. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel?.()
    this.#wake()
    await this.#running
  }

  #schedule(): void {
    if (this.#stopped || this.#running !== null || this.#marked.size === 0) return
    this.#cancel ??= this.#context.clock.after(this.#context.intervalMs, () => {
      this.#cancel = null
      this.#running = this.#run().finally(() => {
        this.#running = null
        this.#schedule()
      })
    })
  }

  async #run(): Promise<void> {
    for (const log of [...this.#marked]) {
      if (this.#stopped) return
      try {
        if (!(await this.#clean(log))) this.#marked.delete(log)
      } catch (error) {
        if (this.#stopped) return
        this.#context.notice(`${log.name} was not cleaned: ${storageError(log.name, error, 'retry').message}`)
      }
    }
  }

  /** @returns whether there is more to do, or time or the end of a transaction will bring it */
  async #clean(log: PartitionLog): Promise<boolean> {
    const cleanup = log.cleanup
    if (cleanup.deletes) await this.#deleteOld(log, cleanup)
    const more = cleanup.compacts && (await this.#compact(log, cleanup))
    const ages = cleanup.deletes && cleanup.retentionMs >= 0 && log.settled().length > 0
    return more || ages || log.hasUnsettled
  }

  async #deleteOld(log: PartitionLog, { retentionMs, retentionBytes }: Cleanup): Promise<void> {
    const now = this.#context.clock.now()
    let { sizeBytes } = log
    let below = log.logStart
    for (const { segment, end } of log.settled()) {
      const tooOld = retentionMs >= 0 && segment.maxTimestamp < now - retentionMs
      const tooMuch = retentionBytes >= 0 && sizeBytes - segment.size >= retentionBytes
      if (!tooOld && !tooMuch) break
      sizeBytes -= segment.size
      below = end
    }
    if (below > log.logStart) await this.#context.deleteBelow(log, below)
  }

  /** @returns whether another pass is wanted at once (K5) */
  async #compact(log: PartitionLog, { minDirtyRatio, deleteRetentionMs }: Cleanup): Promise<boolean> {
    const { clock, mapBytes, syncAll } = this.#context
    const passes = this.#passes.get(log.name) ?? []
    const cleanBelow = BigInt(passes.at(-1)?.[0] ?? 0)
    if (!isDirty(log, cleanBelow, minDirtyRatio)) return false
    await syncAll()
    const now = clock.now()
    const oldEnough = passes.findLast(([, at]) => at + deleteRetentionMs <= now)
    const covered = await compact(log, {
      cleanBelow,
      tombstonesBelow: BigInt(oldEnough?.[0] ?? 0),
      mapBytes,
      segmentBytes: log.segmentBytes,
      pause: () => this.#pause(),
    })
    const later = oldEnough === undefined ? passes : passes.slice(passes.indexOf(oldEnough))
    this.#passes.set(log.name, [...later, [String(covered), now]])
    const { files, directory } = this.#context
    await writeJson(files, directory, FILE, Object.fromEntries(this.#passes))
    return isDirty(log, covered, minDirtyRatio)
  }

  /** Others come first. @throws when the log is being closed */
  async #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    const cancel = this.#context.clock.after(0, resolve)
    await promise
    cancel()
    if (this.#stopped) throw new Error('the log is being closed')
  }
}

function isDirty(log: PartitionLog, cleanBelow: bigint, minDirtyRatio: number): boolean {
  let [cleanBytes, dirtyBytes] = [0, 0]
  for (const { segment, end } of log.settled()) {
    if (end <= cleanBelow) cleanBytes += segment.size
    else dirtyBytes += segment.size
  }
  return dirtyBytes > 0 && dirtyBytes >= minDirtyRatio * (cleanBytes + dirtyBytes)
}

const nothing = (): void => {}
