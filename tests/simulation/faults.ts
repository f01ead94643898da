/**
 * What goes wrong, when: one generator of trouble for each upset that the options switched on. Time falls into periods;
 * a quarter of them are calm.
 */

import type { BrokerHost } from './broker-host.ts'
import type { Histogram } from './histogram.ts'
import type { Host } from './host.ts'
import type { Cluster } from './network.ts'
import { noNetworkFaults } from './network.ts'
import type { Options, Upset } from './options.ts'
import type { Life } from './process.ts'
import type { Chance } from './random.ts'
import type { Scheduler } from './scheduler.ts'

/** Crash points of the processes, and of the broker. */
export const processPoints = Array.from({ length: 19 }, (_, index) => `C${String(index + 1).padStart(2, '0')}`)
export const brokerPoints = ['C26', 'C27', 'C28', 'C29', 'C30'] as const
/** Where a process that stands still does most harm: in a commit, before it gives up tasks, and while it opens them. */
const stallPoints = ['C05', 'C06', 'C07', 'C08', 'C08', 'C09', 'C12', 'C16', 'C19'] as const

export interface FaultWorld {
  readonly options: Options
  readonly scheduler: Scheduler
  readonly chance: Chance
  readonly histogram: Histogram
  readonly cluster: Cluster
  readonly brokerHost: BrokerHost
  readonly hosts: readonly Host[]
  /** All processes that use the network. */
  readonly processes: readonly string[]
  /** A process dies when it next passes this point for the `pass`th time. */
  arm(process: string, point: string, pass: number): void
  /** A process stalls for so many ms when it next passes this point for the `pass`th time. */
  armStall(process: string, point: string, pass: number, ms: number): void
  disarm(): void
  /** Of the program, beside the engine's. */
  readonly crashPoints: readonly string[]
  readonly clockJumpMostMs: number
  restartFeeder(): void
}

const calmShare = 0.25
const farthestAheadMs = 60_000

export class Faults {
  readonly #world: FaultWorld
  #on = true
  #calm = true
  readonly #zombies: Life[] = []

  constructor(world: FaultWorld) {
    this.#world = world
  }

  get isOn(): boolean {
    return this.#on
  }

  start(): void {
    this.#nextPeriod()
    const { options, scheduler, chance } = this.#world
    for (const [upset, meanMs] of Object.entries(options.every) as [Upset, number][]) {
      if (meanMs === 0) continue
      const again = (): void => {
        scheduler.after(chance.exponential(meanMs) * 1000, 'faults', upset, () => {
          if (!this.#on) return
          if (!this.#calm) this.#upset(upset)
          again()
        })
      }
      again()
    }
  }

  /** No more faults; what was broken is put right. */
  heal(): void {
    this.#on = false
    const { cluster, brokerHost, hosts } = this.#world
    this.#world.disarm()
    cluster.heal()
    brokerHost.disk.full = false
    brokerHost.life?.resume()
    for (const zombie of this.#zombies) zombie.kill()
    for (const host of hosts) {
      host.disk.full = false
      host.life?.resume()
    }
  }

  #nextPeriod(): void {
    const { options, scheduler, chance, cluster } = this.#world
    if (!this.#on) return
    this.#calm = chance.chance(calmShare)
    cluster.setFaults(this.#calm ? noNetworkFaults : options.networkFaults)
    scheduler.after(options.periodMs * 1000, 'faults', 'period', () => this.#nextPeriod())
  }

  #upset(upset: Upset): void {
    const { options, chance, cluster, histogram } = this.#world
    const host = chance.of(this.#world.hosts)
    switch (upset) {
      case 'crash':
        return this.#crash(host)
      case 'stop':
        return this.#stop(host)
      case 'feederCrash':
        histogram.count('generator kill')
        return this.#world.restartFeeder()
      case 'brokerCrash':
        return this.#crashBroker()
      case 'coordinatorMove':
        return cluster.move(chance.of(['transactions', 'groups']), chance.exponential(500))
      case 'pause':
        return this.#pause(host)
      case 'zombie':
        return this.#zombie(host)
      case 'clog':
        return this.#clog(chance.of(this.#world.processes), chance.exponential(options.clogMs))
      case 'swizzle':
        return this.#swizzle()
      case 'clockJump':
        return this.#jump(host)
      case 'stateFull':
        return this.#fill(host.disk, 'state disk full')
      case 'logFull':
        return this.#fill(this.#world.brokerHost.disk, 'log disk full')
    }
  }

  #crash(host: Host): void {
    const { options, chance, histogram } = this.#world
    const { crash } = options
    if (chance.chance(crash.atPoint)) {
      this.#world.arm(
        host.name,
        chance.of([...processPoints, ...this.#world.crashPoints]),
        1 + Math.floor(chance.exponential(2)),
      )
      return
    }
    if (host.isDown) return
    histogram.count('kill')
    host.crash(this.downMs())
    this.afterCrash(host)
  }

  /** How long a process stays down, in ms. */
  downMs(): number {
    return this.#world.chance.exponential(this.#world.options.crash.downMs)
  }

  /** What else a crash may do to the machine. */
  afterCrash(host: Host): void {
    const { options, chance, histogram } = this.#world
    if (!this.#on) return
    if (chance.chance(options.crash.powerLoss)) {
      histogram.count('power loss')
      host.disk.afterPowerLoss(chance)
    }
    if (chance.chance(options.crash.corrupt) && host.disk.paths.size > 0) {
      histogram.count('state corrupt')
      const files = host.disk.paths.get(chance.of([...host.disk.paths.keys()]))
      if (files !== undefined) files.corrupt = true
    }
    if (chance.chance(options.crash.lost)) {
      histogram.count('state lost')
      host.disk.paths.clear()
    }
  }

  #stop(host: Host): void {
    const { chance, scheduler, histogram } = this.#world
    if (!host.isUp) return
    histogram.count('stop')
    const life = host.life
    void host.close().then(
      () => scheduler.after(chance.exponential(300_000), host.name, 'start', () => host.start()),
      () => {
        if (host.life === life) host.crash(this.downMs())
      },
    )
  }

  #crashBroker(): void {
    const { options, chance, brokerHost } = this.#world
    if (chance.chance(options.crash.atPoint)) {
      this.#world.arm('broker', chance.of(brokerPoints), 1 + Math.floor(chance.exponential(3)))
      return
    }
    if (brokerHost.isDown) return
    this.#world.histogram.count('broker kill')
    brokerHost.crash(this.downMs(), this.brokerPower())
  }

  /** Whether the broker's machine loses its power with it. */
  brokerPower(): boolean {
    const { options, chance, histogram } = this.#world
    const power = this.#on && options.fsync === 'always' && chance.chance(options.crash.powerLoss)
    if (power) histogram.count('broker power loss')
    return power
  }

  #pause(host: Host): void {
    const { options, chance, scheduler, histogram } = this.#world
    const life = host.life
    if (life === null || life.isDead || life.isPaused) return
    const ms = chance.exponential(options.pauseMs)
    if (chance.chance(options.crash.atPoint))
      return this.#world.armStall(host.name, chance.of(stallPoints), 1 + Math.floor(chance.exponential(2)), ms)
    histogram.count('pause')
    life.pause()
    scheduler.after(ms * 1000, host.name, 'resume', () => life.resume())
  }

  /** The machine seems dead and is replaced by another of the same name; later it goes on, for a while. */
  #zombie(host: Host): void {
    const { options, chance, scheduler, histogram } = this.#world
    const life = host.life
    if (life === null || life.isDead || life.isPaused) return
    histogram.count('zombie')
    life.pause()
    this.#zombies.push(life)
    host.replace()
    scheduler.after(chance.exponential(options.pauseMs) * 1000, host.name, 'zombie wakes', () => life.resume())
    scheduler.after((options.pauseMs * 2 + 5000) * 1000, host.name, 'zombie ends', () => life.kill())
  }

  #clog(process: string, forMs: number): void {
    const { chance, cluster, scheduler } = this.#world
    const way = chance.below(3)
    cluster.clog(process, way !== 1, way !== 0)
    scheduler.after(forMs * 1000, process, 'unclog', () => cluster.release(process))
  }

  /** Links stop one by one and go on in another order. */
  #swizzle(): void {
    const { options, chance, scheduler, histogram } = this.#world
    histogram.count('swizzle')
    const links = chance.shuffled(this.#world.processes).slice(0, 1 + chance.below(this.#world.processes.length))
    let waitMs = 0
    for (const process of links) {
      waitMs += chance.exponential(200)
      const forMs = chance.exponential(options.clogMs)
      scheduler.after(waitMs * 1000, process, 'swizzle', () => {
        if (this.#on) this.#clog(process, forMs)
      })
    }
  }

  #jump(host: Host): void {
    const { options, chance, histogram } = this.#world
    const life = host.life
    if (life === null || life.isDead) return
    histogram.count('clock jump')
    const mostMs = Math.min(options.clock.jumpMs, this.#world.clockJumpMostMs)
    // Whatever is due by a clock that was far ahead waits until the right one has come that far.
    const aheadMs = chance.unit() * Math.min(mostMs, farthestAheadMs) - life.skewMs
    life.jump(Math.round(chance.chance(0.5) ? aheadMs : -chance.unit() * mostMs))
  }

  #fill(disk: { full: boolean }, what: string): void {
    const { options, chance, scheduler, histogram } = this.#world
    if (disk.full) return
    histogram.count(what)
    disk.full = true
    scheduler.after(chance.exponential(options.fullMs) * 1000, 'faults', `${what} no more`, () => (disk.full = false))
  }
}
