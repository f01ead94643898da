/**
 * What is to go wrong between clients and brokers, and what has. A fault is armed; it strikes the request that it waits for:
 *
 *   cut request      the connection ends before the broker hears of it: not done, and the client cannot know
 *   cut answer       the connection ends when the broker has done it: done, and the client cannot know
 *   silence request  from then on nothing passes on this connection, and it stays open
 *   silence answer   the broker does it, and from then on no answer passes
 *   hold request     the request waits here until `release`, also past the client's end: then the broker gets it
 *   hold answer      the broker does it, and its answer waits here until `release`
 *
 * Requests behind one that is held wait too, as on a slow line. Nothing is random here: who arms chooses.
 */

import { errorIn } from './frames.ts'
import type { Request } from './frames.ts'

export type Deed = 'cut' | 'silence' | 'hold'
export type Side = 'request' | 'answer'

export interface FaultSpec {
  readonly deed: Deed
  readonly side: Side
  readonly where: (request: Request) => boolean
  /** So many that match pass before. */
  readonly skip?: number
}

export class Fault {
  readonly spec: FaultSpec
  readonly #struck = Promise.withResolvers<Request>()
  readonly #answered = Promise.withResolvers<Buffer | null>()
  readonly #released = Promise.withResolvers<void>()
  #left: number

  constructor(spec: FaultSpec) {
    this.spec = spec
    this.#left = spec.skip ?? 0
  }

  /** The request it has struck. */
  get struck(): Promise<Request> {
    return this.#struck.promise
  }

  /** What the broker said to it, whether or not anybody heard; null when the connection ended before. */
  get answered(): Promise<Buffer | null> {
    return this.#answered.promise
  }

  get released(): Promise<void> {
    return this.#released.promise
  }

  /** Lets go what it holds. */
  release(): void {
    this.#released.resolve()
  }

  /** Counts one that passes. True when this is the one. */
  takes(request: Request): boolean {
    if (!this.spec.where(request) || this.#left-- > 0) return false
    this.#struck.resolve(request)
    return true
  }

  answer(bytes: Buffer | null): void {
    this.#answered.resolve(bytes)
  }
}

/** A request on its way, or its answer. */
export interface Seen {
  readonly request: Request
  readonly what: 'asked' | 'answered'
  /** Of the answer, 0 for none; null where it has it deeper inside. */
  readonly error: number | null
  /** Whether the broker has got the request, or the client the answer. */
  readonly heard: boolean
}

type Watcher = (seen: Seen) => void

/** Shared by the proxies of all nodes. */
export class Faults {
  readonly #armed = new Set<Fault>()
  readonly #watchers = new Set<Watcher>()
  /** `<deed> <side> <api>`: how often it struck. */
  readonly counts = new Map<string, number>()

  arm(spec: FaultSpec): Fault {
    const fault = new Fault(spec)
    this.#armed.add(fault)
    return fault
  }

  /** It will not strike any more; what it holds it lets go. */
  disarm(fault: Fault): void {
    this.#armed.delete(fault)
    fault.release()
  }

  /** The fault that strikes this request, if any does. */
  strike(request: Request): Fault | null {
    for (const fault of this.#armed) {
      if (!fault.takes(request)) continue
      this.#armed.delete(fault)
      const name = `${fault.spec.deed} ${fault.spec.side} ${request.api}`
      this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
      return fault
    }
    return null
  }

  /** @returns a function that ends it */
  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher)
    return () => void this.#watchers.delete(watcher)
  }

  asked(request: Request): void {
    this.#tell({ request, what: 'asked', error: null, heard: true })
  }

  answered(request: Request, answer: Buffer, heard: boolean): void {
    this.#tell({ request, what: 'answered', error: errorIn(request, answer), heard })
  }

  /** The next that is so; null when none comes in time. */
  next(isIt: (seen: Seen) => boolean, withinMs: number): Promise<Seen | null> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => done(null), withinMs)
      const done = (seen: Seen | null): void => {
        clearTimeout(timer)
        end()
        resolve(seen)
      }
      const end = this.watch((seen) => (isIt(seen) ? done(seen) : undefined))
    })
  }

  #tell(seen: Seen): void {
    for (const watcher of this.#watchers) watcher(seen)
  }
}
