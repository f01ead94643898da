/**
 * A simulated process, one life of it: its clock, its timers, its crash points, and whether it lives.
 *
 *   M1  After kill() no edge answers: promises of its network, disk and databases never settle, its timers never fire,
 *       and code that still runs stops at its next edge.
 *   M2  A paused life gets nothing; what comes for it waits. When it goes on, its timers that came due fire first, in a
 *       burst, then the answers: as after a stop by signal. What a life does behind the crash point at which it was
 *       paused, it does when it goes on: its requests leave then, and its timers run from then.
 *   M3  `after` follows the monotonic clock, `now` the wall clock, which is skewed and may jump either way.
 */

import type { CrashPoint } from '../../connectors/kafka/index.ts'
import type { Clock } from '../../topology/index.ts'
import type { Chance } from './random.ts'
import type { Scheduled, Scheduler } from './scheduler.ts'

/** Thrown where a process died; nobody may take it for news. */
export class ProcessDied extends Error {
  constructor(life: string) {
    super(`process ${life} is dead`)
    this.name = 'ProcessDied'
  }
}

export interface LifeOptions {
  readonly scheduler: Scheduler
  readonly chance: Chance
  /** Of the process, and of this life. */
  readonly process: string
  readonly life: string
  /** The epoch of the wall clock, in ms: what true time 0 is. */
  readonly epochMs: number
  /** Wall clock ahead of the true one, in ms. */
  readonly skewMs: number
  /** Told of each skew the wall clock has had. */
  readonly skewed: (skewMs: number) => void
  /** Called at each crash point passed; true kills. It may pause the life, too. */
  readonly crashes: (name: string) => boolean
  /** A callback of this life threw what is not its death. */
  readonly uncaught: (error: unknown, life: string) => void
}

/** The least time between asking for a turn and getting it, in us. */
const turnUs = 20

export class Life {
  readonly process: string
  readonly life: string
  readonly scheduler: Scheduler
  readonly chance: Chance
  readonly clock: Clock
  readonly crash: CrashPoint
  readonly #options: LifeOptions
  readonly #onDeath: (() => void)[] = []
  #state: 'alive' | 'paused' | 'dead' = 'alive'
  #skewMs: number
  #late: { readonly timer: boolean; readonly run: () => void }[] = []
  #watched = 0
  #watchedAt = 0

  constructor(options: LifeOptions) {
    this.#options = options
    this.process = options.process
    this.life = options.life
    this.scheduler = options.scheduler
    this.chance = options.chance
    this.#skewMs = options.skewMs
    options.skewed(options.skewMs)
    this.clock = { now: () => this.now(), after: (delayMs, call) => this.after(delayMs, call) }
    this.crash = (name) => this.#pass(name)
  }

  get isDead(): boolean {
    return this.#state === 'dead'
  }

  get isPaused(): boolean {
    return this.#state === 'paused'
  }

  get skewMs(): number {
    return this.#skewMs
  }

  now(): number {
    return Math.floor(this.#options.epochMs + this.scheduler.nowUs / 1000 + this.#skewMs)
  }

  /** Looking at it costs a little: synchronous work takes time. */
  watch(): number {
    const nowUs = this.scheduler.nowUs
    if (nowUs !== this.#watchedAt) this.#watched = 0
    this.#watchedAt = nowUs
    return nowUs / 1000 + this.#watched++ * 0.05
  }

  after(delayMs: number, call: () => void): () => void {
    this.ensureAlive()
    let event: Scheduled | null = null
    let cancelled = false
    const fire = (): void => {
      if (!cancelled) call()
    }
    const waitUs = Math.max(turnUs, delayMs * 1000) + this.chance.below(turnUs)
    this.deliver(() => {
      if (!cancelled) event = this.later(waitUs, 'timer', fire, true)
    })
    return () => {
      cancelled = true
      if (event !== null) event.cancelled = true
    }
  }

  /** Schedules something that reaches this life only while it lives (M1), and waits while it is paused (M2). */
  later(delayUs: number, what: string, run: () => void, timer = false): Scheduled {
    return this.scheduler.after(delayUs, this.life, what, () => this.deliver(run, timer))
  }

  /** Hands something over now. */
  deliver(run: () => void, timer = false): void {
    if (this.#state === 'dead') return
    if (this.#state === 'paused') {
      this.#late.push({ timer, run })
      return
    }
    try {
      run()
    } catch (error) {
      if (!(error instanceof ProcessDied)) this.#options.uncaught(error, this.life)
    }
  }

  /** @throws ProcessDied in a dead life's leftover code */
  ensureAlive(): void {
    if (this.#state === 'dead') throw new ProcessDied(this.life)
  }

  jump(byMs: number): void {
    this.#skewMs += byMs
    this.#options.skewed(this.#skewMs)
  }

  pause(): void {
    if (this.#state === 'alive') this.#state = 'paused'
  }

  resume(): void {
    if (this.#state !== 'paused') return
    this.#state = 'alive'
    const late = this.#late
    this.#late = []
    const burst = [...late.filter(({ timer }) => timer), ...late.filter(({ timer }) => !timer)]
    for (const { run, timer } of burst) this.later(0, timer ? 'late timer' : 'late answer', run, timer)
  }

  /** The end of this life, at once. */
  kill(): void {
    if (this.#state === 'dead') return
    this.#state = 'dead'
    this.#late = []
    for (const call of this.#onDeath) call()
  }

  onDeath(call: () => void): void {
    this.#onDeath.push(call)
  }

  #pass(name: string): void {
    this.ensureAlive()
    if (!this.#options.crashes(name)) return
    this.kill()
    throw new ProcessDied(this.life)
  }
}
