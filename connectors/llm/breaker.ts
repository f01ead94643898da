/**
 * Whether a vendor is worth asking. When enough of the calls of the last minute failed it is left alone for a while; then
 * one call is let through to see.
 *
 *   B1  It opens when at least `minimumCalls` ended within `windowMs` and `failurePercent` of them or more failed.
 *   B2  Open, it lets nothing through for `openMs`; after that one probe at a time.
 *   B3  A probe that is answered closes it and forgets what was; one that fails opens it again. One that was given up
 *       decides nothing, and the next call is the probe.
 */

export interface BreakerSettings {
  readonly windowMs: number
  readonly minimumCalls: number
  readonly failurePercent: number
  readonly openMs: number
}

export const breakerDefaults: BreakerSettings = Object.freeze({
  windowMs: 60_000,
  minimumCalls: 20,
  failurePercent: 50,
  openMs: 30_000,
})

/** `end` is called once: undecided when the caller gave up. */
export type Admission =
  | { readonly admitted: true; end(how: 'answered' | 'failed' | 'undecided'): void }
  | { readonly admitted: false; readonly waitMs: number }

interface Slice {
  readonly number: number
  calls: number
  failures: number
}

const slices = 60

export class Breaker {
  readonly #settings: BreakerSettings
  readonly #now: () => number
  #window: Slice[] = []
  #opened: number | null = null
  #probing = false

  /** @param now wall clock in ms */
  constructor(settings: BreakerSettings, now: () => number) {
    this.#settings = settings
    this.#now = now
  }

  ask(): Admission {
    if (this.#opened === null) return { admitted: true, end: (how) => this.#ended(how) }
    const waitMs = this.#opened + this.#settings.openMs - this.#now()
    if (waitMs > 0) return { admitted: false, waitMs }
    if (this.#probing) return { admitted: false, waitMs: Math.ceil(this.#settings.openMs / 10) }
    this.#probing = true
    return { admitted: true, end: (how) => this.#probed(how) }
  }

  #probed(how: 'answered' | 'failed' | 'undecided'): void {
    this.#probing = false
    if (how === 'answered') {
      this.#opened = null
    } else if (how === 'failed') {
      this.#opened = this.#now()
    }
  }

  #ended(how: 'answered' | 'failed' | 'undecided'): void {
    if (how === 'undecided' || this.#opened !== null) return // calls that began before it opened tell nothing new
    const { windowMs, minimumCalls, failurePercent } = this.#settings
    const number = Math.floor(this.#now() / (windowMs / slices))
    this.#window = this.#window.filter((slice) => slice.number > number - slices)
    let current = this.#window.at(-1)
    if (current?.number !== number) this.#window.push((current = { number, calls: 0, failures: 0 }))
    current.calls += 1
    if (how === 'failed') current.failures += 1
    const calls = this.#window.reduce((sum, slice) => sum + slice.calls, 0)
    const failures = this.#window.reduce((sum, slice) => sum + slice.failures, 0)
    if (calls < minimumCalls || failures * 100 < calls * failurePercent) return
    this.#opened = this.#now()
    this.#window = []
  }
}
