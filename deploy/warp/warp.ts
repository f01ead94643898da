/**
 * Moves business time: when nothing is left to do, it jumps to the next thing that is due.
 *
 * WP1  Time stands still while anybody works: an application with input, output or calls in flight; an outbox row that is not
 *      in the log; a sink that has not written everything; the sandbox answering or doing; somebody who holds the clock.
 * WP2  A jump goes to the earliest that is due, of all applications and of all who wait on the clock. What is due shortly after
 *      comes with it (two minutes, and more the farther the jump goes): else a thousand clients a second apart were a thousand
 *      jumps. Each still happens under its own time, and in the order of these.
 * WP3  A hold ends by itself, so that a script that died does not stop time.
 * WP5  Time that nobody looks at stands still: after ten minutes of real time without a request it waits for the next one. Else a
 *      platform left alone with one paying client would live through centuries of invoices by the morning.
 */

import type { Clock } from '../../topology/index.ts'
import type { WarpClock } from './warp-clock.ts'

export interface WarpOptions {
  readonly warped: WarpClock
  /** Real time. */
  readonly clock: Clock
  /** True when nobody works (`stillness.ts`). */
  readonly isIdle: () => Promise<boolean>
  /** When an application has something due, in business ms; null when none has. */
  readonly nextDue: () => number | null
  /** Tells the applications that time has moved. */
  readonly moved: () => void
  /** One line for the operator. */
  readonly notice: (line: string) => void
}

/** How much is taken along behind a jump's goal: a share of its way, within bounds. */
const alongShare = 0.02
const alongAtMostMs = 10 * 60 * 1000
export const alongAtLeastMs = 2 * 60 * 1000
const lookEveryMs = 5
const holdAtMostMs = 10 * 60 * 1000
export const unseenAtMostMs = 10 * 60 * 1000

export class Warp {
  readonly #options: WarpOptions
  readonly #holds = new Map<string, number>()
  #stopped = false
  #cancel: () => void = () => undefined
  #running: Promise<void> = Promise.resolve()
  #jumps = 0
  #lastTrouble = ''
  #seenAt: number
  #isLeftAlone = false

  constructor(options: WarpOptions) {
    this.#options = options
    this.#seenAt = options.clock.now()
  }

  get now(): number {
    return this.#options.warped.now()
  }

  get jumps(): number {
    return this.#jumps
  }

  /** Whoever holds the clock, by name. */
  get holders(): readonly string[] {
    const now = this.#options.clock.now()
    for (const [name, until] of this.#holds) if (until <= now) this.#holds.delete(name)
    return [...this.#holds.keys()]
  }

  /** Time stands still for so long, in real ms, or until it is released (WP3). */
  hold(name: string, forMs: number): void {
    this.#holds.set(name, this.#options.clock.now() + Math.min(forMs, holdAtMostMs))
  }

  release(name: string): void {
    this.#holds.delete(name)
  }

  /** Somebody asked something (WP5). */
  seen(): void {
    this.#seenAt = this.#options.clock.now()
    this.#isLeftAlone = false
  }

  start(): void {
    this.#wait()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel()
    await this.#running
  }

  #wait(): void {
    if (this.#stopped) return
    this.#cancel = this.#options.clock.after(lookEveryMs, () => {
      this.#running = this.#look().catch((error: unknown) => this.#tell(error))
      void this.#running.then(() => this.#wait())
    })
  }

  async #look(): Promise<void> {
    const { warped, isIdle, moved } = this.#options
    if (this.#isUnseen()) return
    // Whether anybody works is asked only where there is something to jump to.
    if (this.holders.length > 0 || this.#nextDue() === null || !(await isIdle())) return
    const next = this.#nextDue()
    if (next === null || this.#stopped || this.holders.length > 0) return
    const share = Math.floor((next - warped.now()) * alongShare)
    const along = Math.min(alongAtMostMs, Math.max(alongAtLeastMs, share))
    this.#jumps += 1
    try {
      warped.jumpTo(next + along)
    } finally {
      moved()
    }
    this.#lastTrouble = ''
  }

  #isUnseen(): boolean {
    const { clock, notice } = this.#options
    if (clock.now() - this.#seenAt <= unseenAtMostMs) return false
    if (!this.#isLeftAlone)
      notice('business time stands still: nobody has asked anything for ten minutes; the next request lets it go on')
    this.#isLeftAlone = true
    return true
  }

  /** When the next thing is due, of all; null when nothing is. */
  #nextDue(): number | null {
    const due = [this.#options.warped.nextAt, this.#options.nextDue()].filter((at) => at !== null)
    return due.length === 0 ? null : Math.min(...due)
  }

  #tell(error: unknown): void {
    const said = error instanceof Error ? error.message : String(error)
    if (said === this.#lastTrouble) return
    this.#lastTrouble = said
    this.#options.notice(`business time stands still, it is tried again: ${said}`)
  }
}
