/**
 * The application as a workload, without the simulator: one or two processes over a memory log and a hand-turned clock. What
 * the checks say of a run without faults is nothing, also when a process ends in the middle; that they can speak is tested
 * here too.
 */

import { describe, expect, test } from 'vitest'
import type { Log } from '../../connectors/kafka/index.ts'
import { openMemoryLog } from '../../connectors/kafka/index.ts'
import { memoryDatabases } from '../../state-stores/index.ts'
import { HandClock } from '../../topology/testing/index.ts'
import { checkFirstLight } from './application/checks/index.ts'
import { spokenTopics } from './application/codecs.ts'
import { Draw } from './application/draw.ts'
import { OutboxServer } from './application/edges.ts'
import { FirstLight } from './application/first-light.ts'
import { ReadLog } from './application/log-seen.ts'
import type { Node } from './application/node.ts'
import { startNode } from './application/node.ts'
import type { Machine } from './program.ts'

/** Everything of one run. */
class Stage {
  readonly clock = new HandClock()
  readonly log: Log
  readonly world: FirstLight
  readonly seen: ReadLog
  readonly outbox: OutboxServer
  readonly failures: Error[] = []
  readonly #draw: Draw
  #serial = 0

  constructor(seed: string, options: { readonly tenants: number; readonly companies: number }) {
    this.#draw = new Draw(`stage ${seed}`)
    this.log = openMemoryLog({ clock: this.clock, random: { bytes: (length) => this.#bytes(length) } })
    this.world = new FirstLight({ seed, withinMs: 5_000, now: () => this.clock.now(), ...options })
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
    const life = `${name}#${this.#serial++}`
    const machine: Machine = {
      name,
      life,
      clock: this.clock,
      random: { bytes: (length) => this.#bytes(length) },
      watch: () => this.clock.now(),
      log: this.log,
      databases: memoryDatabases(),
      crash: () => undefined,
      notice: () => undefined,
      failed: (error) => this.failures.push(error),
      outside: (service, work) =>
        new Promise((resolve) => {
          const waitMs = this.#draw.between(1, 150, service, this.#serial++)
          this.clock.after(waitMs, () => {
            const answer = work()
            this.clock.after(waitMs, () => resolve(answer))
          })
        }),
    }
    const settings = { commitIntervalMs: 50, timerRestartGraceMs: 2_000 }
    return this.whileTurning(startNode(machine, { world: this.world, outbox: this.outbox, settings }))
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
    await new Promise<void>((resolve) => setImmediate(resolve))
    await this.clock.turnTo(this.clock.now() + ms)
    if (this.failures[0] !== undefined) throw this.failures[0]
  }

  async run(ms: number): Promise<void> {
    const until = this.clock.now() + ms
    for (let n = 0; this.clock.now() < until; n++) {
      await this.turn(50)
      if (n % 10 === 0) await this.seen.look()
      if (n % 100 === 50) this.world.look()
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
      quiet = calm && idle.every(Boolean) && this.world.people.waiting === null ? quiet + 1 : 0
    }
    await this.seen.look()
  }
}

const said = (stage: Stage): readonly string[] =>
  checkFirstLight(stage.seen, stage.world).map(({ invariant, what }) => `${invariant} ${what}`)

describe('the application, without faults', () => {
  test('every company comes to its end, and all that is said of it agrees', async () => {
    const stage = await new Stage('calm', { tenants: 4, companies: 10 }).open()
    const node = await stage.start('p1')
    await stage.settle([node])
    expect(said(stage)).toEqual([])
    const ended = [
      ...stage.world.tables.rows(stage.world.projections.find(({ name }) => name === 'research-sessions')!.tables[0]!),
    ]
    expect(ended.length).toBeGreaterThanOrEqual(8)
    await stage.whileTurning(node.close())
  })
})
