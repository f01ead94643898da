/** Syncs partitions that have visible bytes not yet on disk, at the latest an interval after they got them. */

import type { Clock } from '../clock.ts'
import type { PartitionLog } from './partition-log.ts'

export class Syncer {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #notice: (line: string) => void
  #dirty = new Set<PartitionLog>()
  #cancel: (() => void) | null = null

  constructor(clock: Clock, intervalMs: number, notice: (line: string) => void) {
    this.#clock = clock
    this.#intervalMs = intervalMs
    this.#notice = notice
  }

  readonly mark = (log: PartitionLog): void => {
    this.#dirty.add(log)
    this.#cancel ??= this.#clock.after(this.#intervalMs, () => void this.flush())
  }

  /** Never rejects: a partition that cannot be synced takes no more writes, and says so. */
  async flush(): Promise<void> {
    this.stop()
    const dirty = this.#dirty
    this.#dirty = new Set()
    await Promise.all([...dirty].map((log) => log.sync().catch((error: Error) => this.#notice(error.message))))
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = null
  }
}
