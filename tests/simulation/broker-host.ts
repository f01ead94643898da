/** The broker's machine: a disk, and the broker process on it, which dies and comes up again like any other. */

import type { Broker } from '../../connectors/kafka/index.ts'
import { openEmbeddedBroker } from '../../connectors/kafka/index.ts'
import type { Disk } from './disk.ts'
import type { Life } from './process.ts'

export interface BrokerHostOptions {
  readonly disk: Disk
  readonly fsync: 'always' | 'interval'
  readonly segmentBytes: number
  readonly cleanIntervalMs: number
  readonly newLife: () => Life
  /** The broker is up (with how often it was started), or down. */
  readonly changed: (broker: Broker | null, starts: number) => void
  readonly notice: (life: Life, line: string) => void
}

/** How long a broker that could not start waits before it tries again, in ms. */
const startAgainMs = 200

export class BrokerHost {
  readonly disk: Disk
  readonly #options: BrokerHostOptions
  #life: Life | null = null
  #starts = 0

  constructor(options: BrokerHostOptions) {
    this.#options = options
    this.disk = options.disk
  }

  get life(): Life | null {
    return this.#life
  }

  get isDown(): boolean {
    return this.#life === null || this.#life.isDead
  }

  start(): void {
    if (!this.isDown) return
    const life = this.#options.newLife()
    this.#life = life
    void this.#open(life)
  }

  /** @param power the machine's power fails: what was not synced is lost or torn */
  crash(downMs: number, power: boolean): void {
    const life = this.#life
    if (life === null || life.isDead) return
    life.kill()
    this.died(life, downMs, power)
  }

  /** What follows a death, also one at a crash point. */
  died(life: Life, downMs: number, power: boolean): void {
    this.#options.changed(null, this.#starts)
    if (power) this.disk.afterPowerLoss()
    life.scheduler.after(downMs * 1000, 'broker', 'restart', () => this.start())
  }

  async #open(life: Life): Promise<void> {
    const { fsync, segmentBytes, cleanIntervalMs, notice, changed } = this.#options
    try {
      const broker = await openEmbeddedBroker({
        clock: life.clock,
        random: life.chance,
        directory: 'log',
        files: this.disk.mount(life),
        fsync,
        fsyncIntervalMs: 200,
        segmentBytes,
        cleanIntervalMs,
        tailBytes: 64 * 1024,
        checkpointBytes: 64 * 1024,
        notice: (line) => notice(life, line),
        crash: life.crash,
      })
      if (!life.isDead) changed(broker, ++this.#starts)
    } catch (error) {
      notice(life, `the broker cannot start: ${String(error)}`)
      if (life.isDead) return
      life.kill()
      life.scheduler.after(startAgainMs * 1000, 'broker', 'start again', () => this.start())
    }
  }
}
