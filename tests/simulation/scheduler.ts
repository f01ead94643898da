/**
 * The one scheduler. Everything that happens in a simulation is an event here; between two events the microtask queue is
 * drained, and nothing else pends.
 *
 *   D1  Events happen in the order of their time, and of their scheduling when the times are equal.
 *   D2  Virtual time moves only from event to event. It is kept in whole microseconds.
 *   D3  The trace hash covers every event that happened: time, place and what. Equal hashes mean equal runs (I16).
 */

import { hashText } from './random.ts'

export interface Scheduled {
  readonly atUs: number
  readonly order: number
  readonly where: string
  readonly what: string
  cancelled: boolean
  readonly run: () => void
}

export interface SchedulerOptions {
  /** Each event as a line, for `--trace`. */
  readonly trace?: ((line: string) => void) | undefined
  /** More events than this end the run. */
  readonly maxEvents: number
}

/** Events in one turn of the real event loop, which costs a system call each time. */
const stepsPerTurn = 64

export type Ending = 'reached' | 'time' | 'events' | 'deadlock'

export class Scheduler {
  readonly #heap: Scheduled[] = []
  readonly #options: SchedulerOptions
  #nowUs = 0
  #order = 0
  #events = 0
  #hashA = 0x811c9dc5
  #hashB = 0x2545f491
  /** What an event threw; the run ends with it. */
  #thrown: { readonly error: unknown } | null = null

  constructor(options: SchedulerOptions) {
    this.#options = options
  }

  get nowUs(): number {
    return this.#nowUs
  }

  /** True time in ms, with fractions. */
  get nowMs(): number {
    return this.#nowUs / 1000
  }

  get events(): number {
    return this.#events
  }

  get traceHash(): string {
    return (this.#hashA >>> 0).toString(16).padStart(8, '0') + (this.#hashB >>> 0).toString(16).padStart(8, '0')
  }

  /** Calls once, `delayUs` from now. @param where process or part, for the trace */
  after(delayUs: number, where: string, what: string, run: () => void): Scheduled {
    const atUs = this.#nowUs + Math.max(0, Math.ceil(delayUs))
    const event = { atUs, order: this.#order++, where, what, cancelled: false, run }
    this.#push(event)
    return event
  }

  /** Notes something that is part of the history without being an event. */
  note(where: string, what: string): void {
    this.#mix(where, what)
  }

  /** Runs until `reached` says so, time or events run out, or nothing is scheduled any more. */
  run(untilUs: number, reached: () => boolean): Promise<Ending> {
    return new Promise((resolve, reject) => {
      let over = false
      const end = (how: () => void): void => {
        over = true
        how()
      }
      const step = (): void => {
        if (over) return
        if (this.#thrown !== null) return end(() => reject(this.#thrown?.error as Error))
        if (reached()) return end(() => resolve('reached'))
        if (this.#events >= this.#options.maxEvents) return end(() => resolve('events'))
        const event = this.#next()
        if (event === null) return end(() => resolve('deadlock'))
        if (event.atUs > untilUs) {
          this.#push(event)
          this.#nowUs = untilUs
          return end(() => resolve('time'))
        }
        this.#happen(event)
      }
      // Microtasks run between any two immediates; the event loop, which has nothing for us, turns once in so many.
      const turn = (): void => {
        if (over) return
        for (let n = 0; n < stepsPerTurn; n++) setImmediate(step)
        setImmediate(turn)
      }
      turn()
    })
  }

  #happen(event: Scheduled): void {
    this.#nowUs = event.atUs
    this.#events++
    this.#mix(event.where, event.what)
    try {
      event.run()
    } catch (error) {
      this.#thrown ??= { error }
    }
  }

  #mix(where: string, what: string): void {
    this.#hashA = hashText(what, hashText(where, this.#hashA ^ this.#nowUs))
    this.#hashB = Math.imul(this.#hashB ^ this.#hashA, 0x85ebca6b) + (this.#nowUs | 0)
    this.#options.trace?.(`${(this.#nowUs / 1000).toFixed(3).padStart(12)} ${where.padEnd(8)} ${what}`)
  }

  #next(): Scheduled | null {
    for (;;) {
      const first = this.#pop()
      if (first === undefined) return null
      if (!first.cancelled) return first
    }
  }

  #push(event: Scheduled): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const other = heap[parent] as Scheduled
      if (!isBefore(event, other)) break
      heap[at] = other
      at = parent
    }
    heap[at] = event
  }

  #pop(): Scheduled | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Scheduled, heap[child] as Scheduled)) child++
      const smaller = heap[child] as Scheduled
      if (!isBefore(smaller, last)) break
      heap[at] = smaller
      at = child
    }
    heap[at] = last
    return first
  }
}

const isBefore = (a: Scheduled, b: Scheduled): boolean => a.atUs < b.atUs || (a.atUs === b.atUs && a.order < b.order)
