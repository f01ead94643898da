/** A host of the application: a machine with a disk, and the process on it that a supervisor keeps running. */

import type { Log } from '../../connectors/kafka/index.ts'
import type { StateDatabaseSupplier } from '../../state-stores/index.ts'
import { StateDisk } from './databases.ts'
import type { Machine, Program, Running } from './program.ts'
import type { Life } from './process.ts'

export interface HostEdges {
  newLife(process: string): Life
  /** A life begins. */
  begins(host: Host): void
  openLog(life: Life): Log
  outside<T>(life: Life, service: string, work: () => T): Promise<T>
  notice(life: Life, line: string): void
  /** Trouble ended a life, or its start; says how long it stays down, in ms. */
  troubled(life: Life, error: Error): number
}

export class Host {
  readonly name: string
  #disk: StateDisk
  readonly #program: Program
  readonly #edges: HostEdges
  #life: Life | null = null
  #running: Running | null = null
  #closing: Promise<void> | null = null

  constructor(name: string, disk: StateDisk, program: Program, edges: HostEdges) {
    this.name = name
    this.#disk = disk
    this.#program = program
    this.#edges = edges
  }

  get disk(): StateDisk {
    return this.#disk
  }

  get life(): Life | null {
    return this.#life
  }

  get isUp(): boolean {
    return this.#running !== null && this.#life !== null && !this.#life.isDead
  }

  get isDown(): boolean {
    return this.#life === null || this.#life.isDead
  }

  start(): void {
    if (!this.isDown) return
    const life = this.#edges.newLife(this.name)
    this.#life = life
    this.#running = null
    this.#closing = null
    this.#edges.begins(this)
    void this.#run(life)
  }

  kill(): void {
    this.#life?.kill()
    this.#running = null
  }

  /** Dies, and comes up again after a while. */
  crash(downMs: number): void {
    const life = this.#life
    if (life === null) return
    this.kill()
    life.scheduler.after(downMs * 1000, this.name, 'restart', () => this.start())
  }

  /** Another machine takes this one's place, under its name. The life there goes on without being supervised. */
  replace(): void {
    this.#disk = new StateDisk(this.#disk.writeUs)
    this.#life = null
    this.start()
  }

  /** An orderly end. */
  close(): Promise<void> {
    const running = this.#running
    if (running === null) return Promise.resolve()
    this.#closing ??= running.close().then(() => this.kill())
    return this.#closing
  }

  tend(): void {
    if (this.isUp && this.#closing === null) void this.#running?.tend?.().catch(() => undefined)
  }

  async #run(life: Life): Promise<void> {
    try {
      const databases = this.disk.open(life)
      const running = await this.#program.start(this.#machine(life, databases))
      if (life === this.#life && !life.isDead) this.#running = running
    } catch (error) {
      this.#end(life, error as Error)
    }
  }

  /** The process ends by itself: what a supervisor does then. */
  #end(life: Life, error: Error): void {
    if (life.isDead) return
    if (life !== this.#life) return life.kill()
    this.crash(this.#edges.troubled(life, error))
  }

  #machine(life: Life, databases: StateDatabaseSupplier): Machine {
    return {
      name: life.process,
      life: life.life,
      clock: life.clock,
      random: life.chance,
      watch: () => life.watch(),
      log: this.#edges.openLog(life),
      databases,
      crash: life.crash,
      notice: (line) => this.#edges.notice(life, line),
      failed: (error) => this.#end(life, error),
      outside: (service, work) => this.#edges.outside(life, service, work),
    }
  }
}
