/** A life that can end: after it, timers do not fire and promises do not settle. */

import type { Clock } from '../../../topology/index.ts'

export class Mortal {
  #dead = false

  get isDead(): boolean {
    return this.#dead
  }

  die(): void {
    this.#dead = true
  }

  /** Runs only while it lives. */
  alive<A extends readonly unknown[]>(call: (...given: A) => void): (...given: A) => void {
    return (...given) => {
      if (!this.#dead) call(...given)
    }
  }

  clock(clock: Clock): Clock {
    return { now: () => clock.now(), after: (delayMs, call) => clock.after(delayMs, this.alive(call)) }
  }

  /** The same object seen from this life: what it is told arrives, what it answers is heard only while it lives. */
  of<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (_, name) => {
        const own = Reflect.get(target, name, target) as unknown
        if (typeof own !== 'function') return own
        return (...given: unknown[]) => {
          if (this.#dead) return new Promise(() => undefined)
          return this.#heard((own as (...all: unknown[]) => unknown).apply(target, given))
        }
      },
    })
  }

  #heard(answer: unknown): unknown {
    if (!(answer instanceof Promise)) return answer
    return new Promise((resolve, reject) => {
      answer.then(
        this.alive((value: unknown) => resolve(value)),
        this.alive((error: unknown) => reject(error as Error)),
      )
    })
  }
}
