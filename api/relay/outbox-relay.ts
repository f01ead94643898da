/**
 * Carries the outbox to the log, each row exactly once. One relay of the cluster leads, behind a lock; the others
 * wait for it. Rows are sent as soon as a commit is announced (by the database, or nudge() in this process), and found by
 * a slow poll should an announcement be lost.
 */

import type { CrashPoint, Log } from '../../connectors/kafka/index.ts'
import { noCrash } from '../../connectors/kafka/index.ts'
import type { AnyEvent } from '../../schemas/index.ts'
import type { Clock } from '../../topology/clock.ts'
import { Lead } from './lead.ts'
import type { LedRows, OutboxRows } from './outbox-rows.ts'

export interface RelaySettings {
  /** Most rows of one batch. */
  readonly maxRows: number
  /** Most encoded bytes of one batch (a single row may be larger). */
  readonly maxBytes: number
  readonly pollMs: number
  /** How often a waiting relay asks for the lock. */
  readonly lockRetryMs: number
  /** First and longest wait after trouble; doubled in between. */
  readonly backoffMs: { readonly first: number; readonly longest: number }
  /** How long sent rows are kept, so that their positions can be resolved. */
  readonly keepSentMs: number
}

export const relaySettings: RelaySettings = Object.freeze({
  maxRows: 500,
  maxBytes: 1 << 20,
  pollMs: 1000,
  lockRetryMs: 1000,
  backoffMs: Object.freeze({ first: 50, longest: 5000 }),
  keepSentMs: 24 * 60 * 60_000,
})

export interface RelayOptions {
  readonly rows: OutboxRows
  readonly log: Log
  readonly encode: (topic: string, event: AnyEvent) => Buffer
  /** Loads what encoding events of these tenants needs. */
  readonly prepare?: (tenantIds: readonly string[]) => Promise<void>
  readonly clock: Clock
  /** One line about trouble and what is done about it. */
  readonly notice?: (line: string) => void
  readonly settings?: Partial<RelaySettings>
  readonly crash?: CrashPoint
}

export interface RecordPosition {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
}

export class OutboxRelay {
  readonly #options: RelayOptions
  readonly #settings: RelaySettings
  /** Those who look again on news; all pauses, which stop() ends. */
  readonly #listeners = new Set<() => void>()
  readonly #pauses = new Set<() => void>()
  #running: Promise<void> | null = null
  #stopped = false
  #woken = false
  #leading = false
  #backoffMs: number
  #lastTrouble = ''
  #nextSweep = 0

  constructor(options: RelayOptions) {
    this.#options = options
    this.#settings = { ...relaySettings, ...options.settings }
    this.#backoffMs = this.#settings.backoffMs.first
  }

  /** Whether this relay holds the lock and has settled what an earlier one left. */
  get leading(): boolean {
    return this.#leading
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Ends after the batch in hand. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const end of [...this.#pauses]) end()
    await this.#running
  }

  /** There may be new rows: look now. */
  nudge(): void {
    this.#wake()
  }

  /** True when every row is in the log that is on its way there. */
  async isIdle(): Promise<boolean> {
    return !(await this.#options.rows.hasUnsent())
  }

  /**
   * Where the row of this id is in the log; waits for it to be sent, up to `timeoutMs`. Null when it was not sent in time,
   * when there is no such row (sent rows are kept for a day), or when its offset is not known.
   */
  async resolve(outboxId: string, timeoutMs: number): Promise<RecordPosition | null> {
    if (!/^[1-9]\d{0,17}$/.test(outboxId)) return null
    const { clock, rows } = this.#options
    for (const deadline = clock.now() + timeoutMs; ;) {
      const row = await rows.placeOf(outboxId)
      if (row === null) return null
      if (row.sent) return positionOf(row.topic, row.partition, row.offset)
      const leftMs = deadline - clock.now()
      if (leftMs <= 0 || this.#stopped) return null
      // Another process may be the one that sends it, so look again soon without being told.
      await this.#news(Math.min(25, leftMs))
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        const led = await this.#lead()
        if (!led) await this.#pause(this.#settings.lockRetryMs)
      } catch (error) {
        this.#tell(error)
        await this.#pause(this.#backoffMs)
        this.#backoffMs = Math.min(this.#backoffMs * 2, this.#settings.backoffMs.longest)
      }
    }
  }

  /** One term. @returns false when another relay leads */
  async #lead(): Promise<boolean> {
    const rows = await this.#options.rows.lead(() => this.#wake())
    if (rows === null) return false
    let lead: Lead | null = null
    try {
      const { log, encode, clock, crash = noCrash } = this.#options
      const { maxRows, maxBytes } = this.#settings
      const notice = (line: string): void => this.#options.notice?.(line)
      const prepare = this.#options.prepare ?? (() => Promise.resolve())
      lead = await Lead.begin({ rows, log, encode, prepare, clock, notice, maxRows, maxBytes, crash })
      this.#leading = true
      this.#backoffMs = this.#settings.backoffMs.first
      await this.#serve(rows, lead)
      return true
    } finally {
      this.#leading = false
      await lead?.close()
      rows.release()
    }
  }

  async #serve(rows: LedRows, lead: Lead): Promise<void> {
    while (!this.#stopped) {
      this.#woken = false
      const sent = await lead.drain(() => this.#stopped)
      this.#lastTrouble = ''
      if (sent) this.#tellListeners()
      await this.#sweep(rows)
      if (!this.#woken) await this.#news(this.#settings.pollMs)
    }
  }

  async #sweep(rows: LedRows): Promise<void> {
    const now = this.#options.clock.now()
    if (now < this.#nextSweep) return
    await rows.forgetSent(now - this.#settings.keepSentMs)
    this.#nextSweep = now + 60_000
  }

  #wake(): void {
    this.#woken = true
    this.#tellListeners()
  }

  #tellListeners(): void {
    for (const listener of [...this.#listeners]) listener()
  }

  /** Until there is news, and no longer than this. */
  #news(ms: number): Promise<void> {
    return this.#pause(ms, (end) => {
      this.#listeners.add(end)
      return () => this.#listeners.delete(end)
    })
  }

  /** This long, or until stop(). */
  #pause(ms: number, listen: (end: () => void) => () => void = () => () => undefined): Promise<void> {
    if (this.#stopped) return Promise.resolve()
    return new Promise((resolve) => {
      const end = (): void => {
        cancel()
        unlisten()
        this.#pauses.delete(end)
        resolve()
      }
      const cancel = this.#options.clock.after(ms, end)
      const unlisten = listen(end)
      this.#pauses.add(end)
    })
  }

  /** The same trouble again is not news. */
  #tell(error: unknown): void {
    const line = `the outbox waits: ${error instanceof Error ? error.message : String(error)}`
    if (line !== this.#lastTrouble) this.#options.notice?.(line)
    this.#lastTrouble = line
  }
}

function positionOf(topic: string, partition: number | null, offset: string | null): RecordPosition | null {
  return partition === null || offset === null ? null : { topic, partition, offset: BigInt(offset) }
}
