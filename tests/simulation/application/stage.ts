/**
 * A stage for the application without the simulator: a memory log, a hand-turned clock, and processes that may die. Plain
 * faults only (lost requests and answers outside, kills); everything the log itself can do wrong is the simulator's.
 */

import type { Broker, Log } from '../../../connectors/kafka/index.ts'
import { LogClient, openMemoryBroker } from '../../../connectors/kafka/index.ts'
import { memoryDatabases } from '../../../state-stores/index.ts'
import { HandClock } from '../../../topology/testing/index.ts'
import type { Machine } from '../program.ts'
import { unfinishedOf } from './checks/index.ts'
import { spokenTopics } from './codecs.ts'
import { Draw } from './draw.ts'
import { OutboxServer } from './edges.ts'
import { FirstLight } from './first-light.ts'
import { ReadLog } from './log-seen.ts'
import { Mortal } from './mortal.ts'
import type { Node } from './node.ts'
import { startNode } from './node.ts'

/** Everything of one run. */
export class Stage {
  readonly clock = new HandClock()
  readonly log: Log
  readonly #broker: Broker
  readonly world: FirstLight
  readonly seen: ReadLog
  readonly outbox: OutboxServer
  readonly failures: Error[] = []
  /** Share of the requests to services outside that are lost, and of their answers. */
  lossy = 0
  readonly #draw: Draw
  #serial = 0
  #turns = 0

  constructor(seed: string, options: { readonly tenants: number; readonly companies: number }) {
    this.#draw = new Draw(`stage ${seed}`)
    const [clock, random] = [this.clock, { bytes: (length: number) => this.#bytes(length) }]
    this.#broker = openMemoryBroker({ clock, random })
    this.log = new LogClient({ broker: this.#broker, clock, random })
    this.world = new FirstLight({ seed, withinMs: 5_000, ...options })
    this.seen = new ReadLog(this.log, () => this.clock.now())
    this.outbox = new OutboxServer(this.world)
  }

  async open(partitions = 3): Promise<this> {
    await this.log.createTopics(
      spokenTopics.map(({ name }) => ({ name, partitions, config: { 'retention.ms': '-1' } })),
    )
    return this
  }

  start(name: string): Promise<Node> {
    return this.whileTurning(this.live(name).started)
  }

  /** A life whose end may come at any time. */
  live(name: string): { readonly mortal: Mortal; readonly started: Promise<Node> } {
    const life = `${name}#${this.#serial++}`
    const mortal = new Mortal()
    const clock = mortal.clock(this.clock)
    const random = { bytes: (length: number) => this.#bytes(length) }
    const machine: Machine = {
      name,
      life,
      clock,
      random,
      watch: () => this.clock.now(),
      log: new LogClient({ broker: mortal.of(this.#broker), clock, random, ownsBroker: false }),
      databases: memoryDatabases(),
      crash: () => undefined,
      notice: () => undefined,
      failed: (error) => this.failures.push(error),
      outside: (service, work) => this.#outside(mortal, service, work),
    }
    const settings = { commitIntervalMs: 50, timerRestartGraceMs: 2_000, sessionTimeoutMs: 3_000 }
    return { mortal, started: startNode(machine, { world: this.world, outbox: this.outbox, settings }) }
  }

  #outside<T>(mortal: Mortal, service: string, work: () => T): Promise<T> {
    const luck = this.#draw.part(service, this.#serial++)
    const waitMs = 1 + Math.floor(luck * 100)
    return new Promise((resolve, reject) => {
      const back = (answer: () => void): void => void this.clock.after(waitMs, mortal.alive(answer))
      const lost = (): void => reject(new Error(`${service} did not answer`))
      this.clock.after(waitMs, () => {
        if (luck < this.lossy) return back(lost)
        const answer = work()
        back(luck < 2 * this.lossy ? lost : () => resolve(answer))
      })
    })
  }

  #bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length)
    for (let at = 0; at < length; at++) bytes[at] = this.#draw.between(0, 255, 'byte', this.#serial++)
    return bytes
  }

  /** Turns the clock until a promise has settled. */
  async whileTurning<T>(promise: Promise<T>): Promise<T> {
    let settled = false
    const waiting = promise.finally(() => (settled = true))
    waiting.catch(() => undefined)
    while (!settled) await this.turn(5)
    return waiting
  }

  async turn(ms: number): Promise<void> {
    await new Promise<void>((resolve) => void this.clock.after(0, resolve))
    await this.clock.turnTo(this.clock.now() + ms)
    if (this.failures[0] !== undefined) throw this.failures[0]
  }

  async run(ms: number): Promise<void> {
    const until = this.clock.now() + ms
    for (let n = 0; this.clock.now() < until; n++) {
      await this.turn(50)
      if (n % 10 === 0) await this.seen.look()
      if (++this.#turns % 90 === 0) this.world.look()
    }
  }

  /** Until nobody wants anything and nothing is left to do. */
  async settle(nodes: readonly Node[]): Promise<void> {
    for (let quiet = 0, tries = 0; quiet < 3; tries++) {
      if (tries > 600) throw new Error('it does not come to rest')
      await this.run(1_000)
      const idle = await Promise.all(
        nodes.flatMap(({ worker }) => worker.applications.map((application) => application.isIdle())),
      )
      const calm = nodes.every(({ worker, sinks }) => {
        const waits = worker.applications.some((application) => application.status().callsWaiting > 0)
        return !waits && sinks.lag().every(({ lag }) => lag === 0n)
      })
      const done = calm && idle.every(Boolean) && unfinishedOf(this.seen, this.world) === null
      quiet = done ? quiet + 1 : 0
    }
    await this.seen.look()
  }
}
