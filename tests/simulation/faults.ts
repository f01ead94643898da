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

/** Crash points of a process at work, at its start, at its end, and of the broker. */
const workPoints = [
  'C01',
  'C02',
  'C03',
  'C04',
  'C05',
  'C06',
  'C07',
  'C08',
  'C09',
  'C10',
  'C11',
  'C12',
  'C13',
  'C16',
  'C17',
]
const startPoints = ['C14', 'C15', 'C18', 'C19']
const endPoints = ['C16', 'C17']
const brokerPoints = ['C26', 'C27', 'C28', 'C29', 'C30']
/** Those of a broker that seldom come. */
const cleaningPoints = ['C28', 'C29', 'C29']
/** How often a process is to die at a program's own points, for each of them. */
const ownShare = 0.11
/** Armed in the place of a process: any that comes along this path. */
export const whoever = (path: readonly string[]): string => `whoever along ${path.join(' ')}`
/** A point that is passed more often is no rarer a place to die for it. */
const often = 25

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
  /** Something happens to a process, or to whoever it is, when it next passes this point for the `pass`th time. */
  arm(process: string, point: string, pass: number, blow: Blow): void
  isArmed(process: string): boolean
  /** How often a point was passed so far. */
  passesOf(point: string): number
  disarm(): void
  /** Of the program, beside the engine's: the paths that they lie on. */
  readonly crashPoints: readonly (readonly string[])[]
  readonly ownCrashShare: number | undefined
  readonly givenUpMs: number
  readonly clockJumpMostMs: number
  restartFeeder(): void
}

/** What happens at a crash point: mostly death, but a process may also be stopped there for long, or cut off. */
export type Blow = 'die' | 'pause' | 'clog'
const blows: readonly Blow[] = ['die', 'die', 'die', 'die', 'pause', 'clog']

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
      if (!this.#armOwn()) this.#arm(host.name, workPoints, 2)
      return
    }
    if (host.isDown) return
    histogram.count('kill')
    host.crash(this.downMs())
    this.afterCrash(host)
  }

  /** Rare points come first, so that each is met about as often as the others. */
  #arm(process: string, points: readonly string[], passes: number): void {
    const { chance } = this.#world
    if (this.#world.isArmed(process) && chance.chance(0.85)) return
    const known = points.filter((point) => this.#world.passesOf(point) > 0)
    const weights = known.map((point) => 1 / (20 + Math.min(often, this.#world.passesOf(point))))
    let at = chance.unit() * weights.reduce((sum, weight) => sum + weight, 0)
    const point = known.find((_, index) => (at -= weights[index] ?? 0) < 0) ?? chance.of(points)
    const rare = this.#world.passesOf(point) < 50
    const blow = process === 'broker' ? 'die' : chance.of(blows)
    this.#world.arm(process, point, rare ? 1 : 1 + Math.floor(chance.exponential(passes)), blow)
  }

  /** At a point that only this program comes to: the more it has of them, the oftener. */
  #armOwn(): boolean {
    const { chance, crashPoints, ownCrashShare } = this.#world
    if (!chance.chance(ownCrashShare ?? ownShare * new Set(crashPoints.flat()).size)) return false
    // Few of the processes come there, one relay of them all for example: whoever comes first is hit.
    const path = chance.of(crashPoints)
    this.#world.arm(whoever(path), chance.of(path), 1, chance.of(blows))
    return true
  }

  /** A process that starts, or stops, may die of it. */
  armStart(host: Host): void {
    const { options, chance } = this.#world
    if (!this.#on || this.#armOwn()) return
    if (chance.chance(options.crash.atPoint * 0.2))
      this.#world.arm(host.name, chance.of(startPoints), 1 + chance.below(2), 'die')
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

  /** Stops a process where it is, or cuts it off, until its group has given it up. */
  strike(process: string, life: Life, blow: 'pause' | 'clog'): void {
    const { options, chance, scheduler, histogram, cluster, givenUpMs } = this.#world
    const forMs = givenUpMs + chance.exponential(options.pauseMs / 2)
    histogram.count(`${blow} at point`)
    if (blow === 'pause') {
      life.pause()
      scheduler.after(forMs * 1000, process, 'resume', () => life.resume())
    } else {
      cluster.clog(process, true, chance.chance(0.5))
      scheduler.after(forMs * 1000, process, 'unclog', () => cluster.release(process))
    }
  }

  #stop(host: Host): void {
    const { options, chance, scheduler, histogram } = this.#world
    if (!host.isUp) return
    histogram.count('stop')
    const life = host.life
    if (chance.chance(options.crash.atPoint * 0.4)) this.#world.arm(host.name, chance.of(endPoints), 1, 'die')
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
      if (chance.chance(0.4)) return this.#world.arm('broker', chance.of(cleaningPoints), 1, 'die')
      return this.#arm('broker', brokerPoints, 3)
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
    histogram.count('pause')
    life.pause()
    scheduler.after(chance.exponential(options.pauseMs) * 1000, host.name, 'resume', () => life.resume())
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
